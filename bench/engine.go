package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
)

// plan is the floor's saga in the engine's terms: three steps, one after the other, each able to be undone.
const plan = `
saga: three-steps
version: 1
defaults: {timeout: 30s, retry: {max_attempts: 5, initial: 200ms, multiplier: 2, max: 10s, jitter: 0.2}}
steps:
  - {name: one, participant: bench, command: Do.v1, compensation: {command: Undo.v1}}
  - {name: two, participant: bench, command: Do.v1, compensation: {command: Undo.v1}}
  - {name: three, participant: bench, command: Do.v1, compensation: {command: Undo.v1}}
`

// engineRound runs `skald serve` and the participants on a fresh database, and drives sagas through the REST API.
func engineRound(ctx context.Context, s settings, p programs, sv *servers, inFlight int, work string) (round, error) {
	db, err := sv.database(ctx, "engine")
	if err != nil {
		return round{}, err
	}
	addr, err := freeAddr()
	if err != nil {
		return round{}, err
	}
	env := []string{
		"SKALD_DATABASE_URL=" + db, "SKALD_KAFKA_BROKERS=" + sv.kafka, "SKALD_HTTP_ADDR=" + addr, "SKALD_ADMIN_ADDR=", "SKALD_LOG_LEVEL=warn",
		"SKALD_DATA_DIR=" + work,
	}
	for _, args := range [][]string{{"migrate", "up"}, {"topics", "ensure"}} {
		cmd := exec.CommandContext(ctx, p.skald, args...)
		cmd.Env = append(cmd.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return round{}, fmt.Errorf("skald %v: %w\n%s", args, err, out)
		}
	}
	server, err := start(ctx, s, env, p.skald, "serve")
	if err != nil {
		return round{}, err
	}
	defer server.stop()
	base := "http://" + addr
	if err := awaitReady(ctx, base); err != nil {
		return round{}, err
	}
	if err := putDefinition(ctx, base); err != nil {
		return round{}, err
	}
	participants, err := start(ctx, s, env, p.self, "participants", sv.kafka)
	if err != nil {
		return round{}, err
	}
	defer participants.stop()
	return drive(ctx, s, base, sv.kafka, inFlight)
}

func putDefinition(ctx context.Context, base string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, base+"/v1/definitions/three-steps/1", bytes.NewReader([]byte(plan)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/yaml")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode/100 != 2 {
		return fmt.Errorf("register the definition: %s: %s", resp.Status, body)
	}
	return nil
}
