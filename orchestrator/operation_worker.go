package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// How many sagas one slice lists, and acts on at most.
const (
	operationGather = 500
	operationSlice  = 100
)

// operator works on operations: it takes a slice of whichever has waited longest, does it, and stores what came of it. Between
// slices nobody owns an operation, so any replica goes on with it, and several are worked on side by side.
//
// Each saga is acted on once: the action goes the way of every other, under an Idempotency-Key that follows from operation and
// saga. So one whose outcome was not stored, because the replica died, answers the same when it is done again.
type operator struct {
	every  time.Duration
	lease  time.Duration
	queue  OperationQueue
	reader Reader
	offer  func(ActRequest, func(Acted, error)) error
	clock  Clock
	signal Signal
	log    *slog.Logger

	due time.Time // of the next slice that it knows of
}

func (o *operator) run(ctx context.Context) {
	for ctx.Err() == nil {
		if !o.slice(ctx) {
			o.clock.Sleep(ctx, o.pause())
		}
	}
}

// pause is how long to wait for a slice: until the next one that this replica knows of is due.
func (o *operator) pause() time.Duration {
	if d := o.due.Sub(o.clock.Now()); d > 0 {
		return min(d, o.every)
	}
	return o.every
}

// slice does one slice, and reports whether there was one.
func (o *operator) slice(ctx context.Context) bool {
	op, ok, err := o.queue.TakeOperation(ctx, o.lease)
	if err == nil && ok {
		switch op.State {
		case OperationGathering:
			err = o.gather(ctx, &op)
		case OperationRunning:
			err = o.act(ctx, &op)
		case OperationCompleted, OperationCancelled: // never due
		}
	}
	switch {
	case err != nil && ctx.Err() == nil:
		o.log.WarnContext(ctx, "an operation is tried again", "operation", op.ID, "error", err)
		return false
	case err != nil:
		return false
	}
	return ok
}

// gather adds the next page of sagas. The set is fixed here, before anything is done: a list that is walked while its sagas move
// would lose some, and nobody could say how many there are.
func (o *operator) gather(ctx context.Context, op *Operation) error {
	q := op.Request.Filter.query(op.Tenant, operationGather)
	q.Past = op.Gathered
	if q.CreatedBefore.IsZero() || op.CreatedAt.Before(q.CreatedBefore) {
		q.CreatedBefore = op.CreatedAt
	}
	page, err := o.reader.Sagas(ctx, q)
	if err != nil {
		return fmt.Errorf("list the sagas of operation %d: %w", op.ID, err)
	}
	ids := make([]saga.ID, len(page.Sagas))
	for i := range page.Sagas {
		ids[i] = page.Sagas[i].Instance.ID
	}
	return o.queue.GatherOperation(ctx, OperationLease{op.ID, op.Lease}, ids, page.Next, 0)
}

// act does the action on the next sagas. What has no answer yet when the lease ends is left: it is done again, which does it once.
func (o *operator) act(ctx context.Context, op *Operation) error {
	began := o.clock.Now()
	ids, err := o.queue.LeftOf(ctx, op.ID, sliceOf(op.Request.Rate))
	if err != nil {
		return fmt.Errorf("list what is left of operation %d: %w", op.ID, err)
	}
	s := &operationActs{signal: o.signal}
	for _, id := range ids {
		req := op.Request.act(op.Tenant, id, op.Actor)
		req.RequestID = fmt.Sprintf("operation/%d", op.ID)
		req.IdempotencyKey = fmt.Sprintf("operation/%d/%s", op.ID, id)
		if !s.offer(o.offer, req) {
			break
		}
	}
	stays := context.WithoutCancel(ctx) // what was handed in is answered while the engine drains, too
	for !s.answered() && o.clock.Now().Sub(began) < o.lease*2/3 {
		o.signal.Wait(stays, time.Second)
	}
	outcomes, overloaded := s.outcomes()
	again := time.Duration(max(1, len(outcomes)))*time.Second/time.Duration(op.Request.Rate) - o.clock.Now().Sub(began)
	if overloaded {
		again = max(again, time.Second)
	}
	err = o.queue.NoteOutcomes(stays, OperationLease{op.ID, op.Lease}, outcomes, max(again, 0))
	if now := o.clock.Now(); !o.due.After(now) || now.Add(again).Before(o.due) {
		o.due = now.Add(again)
	}
	return err
}

// sliceOf is about a quarter of a second's work.
func sliceOf(rate int) int { return min(max(rate/4, 1), operationSlice) }

// operationActs are the actions of one slice. Answers come from the committer.
type operationActs struct {
	signal Signal

	mu         sync.Mutex // guards what follows
	open       int
	done       []OperationOutcome
	overloaded bool
}

// offer hands one in; false: the engine takes no more now.
func (s *operationActs) offer(offer func(ActRequest, func(Acted, error)) error, req ActRequest) bool {
	s.mu.Lock()
	s.open++
	s.mu.Unlock()
	if err := offer(req, func(a Acted, err error) { s.answer(req.ID, a, err) }); err != nil {
		return s.answer(req.ID, Acted{}, err)
	}
	return true
}

// answer notes one; false: it was not taken, and is left.
func (s *operationActs) answer(id saga.ID, a Acted, err error) bool {
	o, known := outcomeOf(id, a, err)
	s.mu.Lock()
	s.open--
	if known {
		s.done = append(s.done, o)
	} else {
		s.overloaded = true
	}
	s.mu.Unlock()
	s.signal.Notify()
	return known
}

func (s *operationActs) answered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open == 0
}

func (s *operationActs) outcomes() ([]OperationOutcome, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]OperationOutcome(nil), s.done...), s.overloaded
}

// outcomeOf reads an answer; known is false where the action was not judged and is to be tried again.
func outcomeOf(id saga.ID, a Acted, err error) (out OperationOutcome, known bool) {
	var refused *saga.RefusedError
	var overloaded *OverloadedError
	var input *InputError
	out = OperationOutcome{Saga: id, Kind: OutcomeFailed}
	switch {
	case err == nil:
		out.Kind, out.Message, out.Revision = OutcomeSucceeded, a.Why, a.Revision
	case errors.As(err, &refused):
		out.Kind, out.Code, out.Message = OutcomeRefused, refused.Code, refused.Message
	case errors.Is(err, ErrNotFound):
		out.Code, out.Message = "not_found", "the saga is not there any more"
	case errors.As(err, &input):
		out.Code, out.Message = "invalid", input.Error()
	case errors.Is(err, ErrIdempotency):
		out.Code, out.Message = "idempotency_key_reused", err.Error()
	case errors.Is(err, ErrUnknownSagaType):
		out.Code, out.Message = "definition_missing", err.Error()
	case errors.As(err, &overloaded), errors.Is(err, ErrStopping), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return out, false
	default:
		out.Code, out.Message = "internal", err.Error()
	}
	out.Message = plainMessage(out.Message)
	return out, true
}

// plainMessage is what every store takes as text.
func plainMessage(text string) string {
	const most = 1000
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}
