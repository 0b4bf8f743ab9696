package participants

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/skaldhq/skald/participants/wire"
)

// HandlerFunc answers one command. An error is `failed`, code "error": technical, to be sent again. Only Reject says
// no. Its ctx ends when the process drains for too long or lost the partition; what it did then is rolled back.
type HandlerFunc func(ctx context.Context, req *Request) (Result, error)

// Request is a delivery of a command, as a handler sees it.
type Request struct {
	*wire.Command // not to be changed

	// Tx is the barrier's transaction: a pgx.Tx with package inbox, *MemoryEffects with Memory; nil outside of one.
	Tx any
	// Executed is the execute that a compensate or an Ask is about; nil for an execute.
	Executed *Executed

	asking                  bool // for an Ask; then Executed is set
	beat                    func(context.Context, Result)
	traceParent, traceState string
}

// Executed is what the barrier knows of a step's execute.
type Executed struct {
	CommandID wire.ID
	Output    json.RawMessage // as it was answered; nil: not answered, or without output
}

// Decode reads the payload into v.
func (r *Request) Decode(v any) error {
	if err := json.Unmarshal(r.Value, v); err != nil {
		return fmt.Errorf("decode payload of %s: %w", r.Type(), err)
	}
	return nil
}

// IdempotencyKey is what to call an outside provider with. For an Ask it is the key of the execute it asks about.
func (r *Request) IdempotencyKey() string {
	if r.asking {
		return r.Executed.CommandID.String()
	}
	return r.ID.String()
}

// Undo is the payload of a compensation that declares none: what the execute was sent and what it answered.
type Undo struct {
	Payload json.RawMessage `json:"payload"`
	Output  json.RawMessage `json:"output"` // nil: none known; an unknown step is undone too
}

// Undo reads a compensation's payload. Where the engine knows no output but the barrier does, it is filled in.
func (r *Request) Undo() (Undo, error) {
	var u Undo
	if err := r.Decode(&u); err != nil {
		return Undo{}, err
	}
	if string(u.Output) == "null" {
		u.Output = nil
	}
	if u.Output == nil && r.Executed != nil {
		u.Output = r.Executed.Output
	}
	return u, nil
}

// InProgress sends a heartbeat at once: the attempt's timeout starts again. It is not part of any transaction and
// says nothing about the outcome.
func (r *Request) InProgress(ctx context.Context, message string) {
	if r.beat != nil {
		r.beat(ctx, Result{Outcome: wire.InProgress, Message: message})
	}
}
