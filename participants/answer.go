package participants

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/skaldhq/skald/participants/wire"
)

const maxMessage = 1024 // bytes of a reply's human text

// Answer handles one delivery and returns its reply. It starts no goroutine and blocks only in the barrier and the
// handler, so that a simulation can call it as it is. beat gets heartbeats; nil drops them.
//
// The error is ErrNoReply, or ctx's when it ended first: then nothing is to be sent and the delivery is not handled.
// Everything else is a reply.
func (p *Participant) Answer(ctx context.Context, c *wire.Command, beat func(context.Context, wire.Reply)) (wire.Reply, error) {
	req := &Request{Command: c, traceParent: c.TraceParent, traceState: c.TraceState}
	if beat != nil {
		req.beat = func(ctx context.Context, r Result) { beat(ctx, p.reply(req, r)) }
	}
	result, err := p.chain()(ctx, req)
	if err != nil {
		if errors.Is(err, ErrNoReply) || ctx.Err() != nil {
			return wire.Reply{}, err
		}
		result = failure(err)
	}
	return p.reply(req, result), nil
}

func (p *Participant) reply(req *Request, r Result) wire.Reply {
	reply := r.reply(req.Command, p.config.NewID(), p.config.Now())
	reply.TraceParent, reply.TraceState = req.traceParent, req.traceState
	return reply
}

// wrap is the verbs within all middleware.
func (p *Participant) wrap() HandlerFunc {
	h := HandlerFunc(p.serve)
	for i := len(p.middleware) - 1; i >= 0; i-- {
		h = p.middleware[i](h)
	}
	return h
}

func (p *Participant) serve(ctx context.Context, req *Request) (Result, error) {
	c := p.commands[req.Name]
	var result Result
	var err error
	switch req.Verb {
	case wire.Execute:
		switch {
		case c.execute == nil:
			return unknownCommand(req)
		case c.external:
			result, err = p.executeExternal(ctx, req, c)
		default:
			result, err = p.execute(ctx, req, c)
		}
	case wire.Compensate:
		if c.compensate == nil {
			return unknownCommand(req)
		}
		result, err = p.compensate(ctx, req, c)
	case wire.Probe:
		result, err = p.probe(ctx, req, c) // no command of the name is needed: the barrier knows
	default:
		return unknownCommand(req)
	}
	var unstored *unstoredError
	if errors.As(err, &unstored) {
		return unstored.result, nil
	}
	return result, err
}

// unknownCommand is `failed`, not `rejected`: the next version of the participant may know it.
func unknownCommand(req *Request) (Result, error) {
	return Fail(wire.CodeUnknownCommand, fmt.Sprintf("no handler to %s %s", req.Verb, req.Name))
}

// unstoredError carries an answer out of a transaction that is to be rolled back.
type unstoredError struct{ result Result }

func (e *unstoredError) Error() string { return "answer is not stored: " + string(e.result.Outcome) }

// barrierError marks what went wrong in the barrier itself and not in a handler.
type barrierError struct{ err error }

func (e *barrierError) Error() string { return e.err.Error() }
func (e *barrierError) Unwrap() error { return e.err }

// within runs fn in a transaction of the barrier, which commits when fn returns nil.
func (p *Participant) within(ctx context.Context, lockWait time.Duration, fn func(BarrierTx) error) error {
	tx, err := p.barrier.Begin(ctx, lockWait)
	if err != nil {
		return &barrierError{fmt.Errorf("begin barrier: %w", err)}
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(context.WithoutCancel(ctx)); err != nil {
		return &barrierError{fmt.Errorf("commit barrier: %w", err)}
	}
	return nil
}

// insert, within a transaction, returns nil when the row was not there, else the row that is.
func insert(ctx context.Context, tx BarrierTx, key RowKey, row Row) (*Row, error) {
	existing, inserted, err := tx.Insert(ctx, key, row)
	switch {
	case errors.Is(err, ErrRowOpen):
		return nil, &unstoredError{open()}
	case err != nil:
		return nil, &barrierError{fmt.Errorf("insert %s row of step %s: %w", key.Verb, key.Step, err)}
	case inserted:
		return nil, nil
	}
	return &existing, nil
}

func update(ctx context.Context, tx BarrierTx, key RowKey, row Row) error {
	if err := tx.Update(ctx, key, row); err != nil {
		return &barrierError{fmt.Errorf("update %s row of step %s: %w", key.Verb, key.Step, err)}
	}
	return nil
}

// effect runs a handler in the transaction and stores its answer under key, whose row holds c's claim.
func (p *Participant) effect(ctx context.Context, req *Request, tx BarrierTx, key RowKey, run HandlerFunc) (Result, error) {
	req.Tx = tx.Handle()
	defer func() { req.Tx = nil }()
	result, err := p.call(ctx, req, run)
	if err != nil {
		return Result{}, err
	}
	if result.Outcome == wire.Rejected {
		if err := tx.UndoEffects(ctx); err != nil {
			return Result{}, &barrierError{fmt.Errorf("undo effects of a rejected command: %w", err)}
		}
	}
	return result, update(ctx, tx, key, Claim(req.Command).settled(result))
}

// call runs a handler; what it answers is succeeded or rejected, or comes as an error.
func (p *Participant) call(ctx context.Context, req *Request, run HandlerFunc) (Result, error) {
	result, err := run(ctx, req)
	if err != nil {
		return Result{}, err
	}
	// Cleaned before it is stored: a duplicate is answered alike, and a text column holds no NUL.
	result.Code, result.Message = clean(result.Code), clean(result.Message)
	switch result.Outcome {
	case wire.Succeeded:
		if len(result.Output) > p.config.MaxOutput {
			message := fmt.Sprintf("output has %d bytes, more than %d", len(result.Output), p.config.MaxOutput)
			return Result{}, &unstoredError{Result{Outcome: wire.Failed, Code: wire.CodeOutputTooLarge, Message: message}}
		}
		return result, nil
	case wire.Rejected:
		return result, nil
	case wire.Failed, wire.Unknown:
		return Result{}, &unstoredError{result}
	case wire.InProgress:
	}
	return Result{}, fmt.Errorf("handler of %s returned outcome %q", req.Type(), result.Outcome)
}

// failure is the answer for an error of a handler or the barrier: never `rejected`.
func failure(err error) Result {
	code := wire.CodeError
	var barrier *barrierError
	var panicked *PanicError
	var stopped *expiryError
	switch {
	case errors.As(err, &panicked):
		code = wire.CodePanic
	case errors.As(err, &stopped):
		code = wire.CodeTimeout
	case errors.As(err, &barrier):
		code = wire.CodeBarrierUnavailable
	}
	return Result{Outcome: wire.Failed, Code: code, Message: err.Error()}
}

// clean makes text fit for a header: valid UTF-8 without control characters, cut at maxMessage.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
