package main

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/kafka"
)

// runParticipants answers every command at once, with the barrier in memory, as the floor's participants do.
func runParticipants(brokers string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := participants.New("bench", &participants.Memory{Limit: 1_000_000}, participants.Config{})
	ok := func(context.Context, *participants.Request) (participants.Result, error) {
		return participants.Succeed(json.RawMessage(`{"ok":true}`))
	}
	p.Handle("Do.v1", ok, nil)
	p.Handle("Undo.v1", nil, ok)
	transport, err := kafka.New(kafka.Config{Brokers: strings.Split(brokers, ",")})
	if err != nil {
		return err
	}
	return p.Run(ctx, transport)
}
