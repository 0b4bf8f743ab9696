package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/kafka"
	"github.com/skaldhq/skald/participants/wire"
)

// plan is the floor's saga in the engine's terms: three steps, one after the other, each able to be undone. A step without a
// payload of its own gets the saga's input.
const plan = `
saga: three-steps
version: 1
defaults: {timeout: 30s, retry: {max_attempts: 5, initial: 200ms, multiplier: 2, max: 10s, jitter: 0.2}}
steps:
  - {name: one, participant: bench, command: Do.v1, compensation: {command: Undo.v1}}
  - {name: two, participant: bench, command: Do.v1, compensation: {command: Undo.v1}}
  - {name: three, participant: bench, command: Do.v1, compensation: {command: Undo.v1}}
`

// Commands that are answered until the saga has ended: the last step is the one that refuses.
const (
	commandsCompleted   = 3
	commandsCompensated = 5
)

// runParticipants answers every command at once, with the barrier in memory, as the floor's participants do.
func runParticipants(brokers, prefix string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	offerProfiles()
	p := participants.New("bench", &participants.Memory{Limit: 1_000_000}, participants.Config{Topics: wire.Topics{Prefix: prefix}})
	succeed := func(context.Context, *participants.Request) (participants.Result, error) {
		return participants.Succeed(json.RawMessage(`{"ok":true}`))
	}
	p.Handle("Do.v1", func(ctx context.Context, r *participants.Request) (participants.Result, error) {
		if r.Step == "three" && bytes.Contains(r.Value, []byte(`"refuse":true`)) {
			return participants.Reject("refused", "as it was asked for")
		}
		return succeed(ctx, r)
	}, nil)
	p.Handle("Undo.v1", nil, succeed)
	transport, err := kafka.New(kafka.Config{Brokers: strings.Split(brokers, ",")})
	if err != nil {
		return err
	}
	return p.Run(ctx, transport)
}
