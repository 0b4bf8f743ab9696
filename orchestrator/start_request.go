package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// StartRequests is where the starts wait that were asked for in SQL. It is safe for concurrent use.
type StartRequests interface {
	// TakeStartRequests takes what waits, oldest first: nobody else is given it for the length of the lease.
	TakeStartRequests(ctx context.Context, limit int, lease time.Duration) ([]StartAsked, error)
	// AnswerStartRequests stores what came of them. One that was answered with a saga keeps that answer; a refusal counts only
	// as long as nobody else has taken the request since, for whom it may have turned out otherwise.
	AnswerStartRequests(ctx context.Context, answers []StartAnswered) error
	// AwaitStartRequests returns when somebody hints that there is one, when d has passed, or when ctx ends. A hint may be lost (L6).
	AwaitStartRequests(ctx context.Context, d time.Duration) error
}

// StartAsked is a start that was asked for in SQL.
type StartAsked struct {
	Seq     int64     // of the row
	Until   time.Time // the end of the lease, which tells it from every other one
	Tenant  string
	ID      string // unique for the tenant
	Role    string // who asked
	At      time.Time
	Saga    string
	Version int    // 0: the highest active one
	Key     string // "": none
	Labels  map[string]string
	Input   json.RawMessage
}

// StartAnswered is what came of it: a saga, or a refusal.
type StartAnswered struct {
	Seq     int64
	Until   time.Time // as taken
	Saga    saga.ID   // zero: it was refused
	Code    string
	Message string
}

const (
	startSlice = 100              // of requests that are taken together
	startLease = 15 * time.Second // until they are taken for lost with the replica that took them (L3)
)

// startTaker starts what was asked for in SQL. Each goes the way of a start that came as a record, under an Idempotency-Key that
// follows from the row: so one whose answer was not stored, because the replica died, answers the same when it is taken again.
type startTaker struct {
	engine *Engine
	queue  StartRequests
	every  time.Duration
	clock  Clock
	signal Signal
	log    *slog.Logger
}

func (t *startTaker) run(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := t.slice(ctx)
		if err != nil && ctx.Err() == nil {
			t.log.WarnContext(ctx, "starting what was asked for in SQL is tried again", "error", err)
			t.clock.Sleep(ctx, t.every)
			continue
		}
		if n > 0 {
			continue
		}
		if err := t.queue.AwaitStartRequests(ctx, t.every); err != nil && ctx.Err() == nil {
			t.log.WarnContext(ctx, "hints of starts are not heard; the sweep finds them", "error", err)
			t.clock.Sleep(ctx, t.every)
		}
	}
}

// slice takes some and starts them. What has no answer when the lease is nearly over is left: it is taken again, which starts it once.
func (t *startTaker) slice(ctx context.Context) (int, error) {
	if t.engine.health.refusesStarts() != nil {
		return 0, nil
	}
	began := t.clock.Now()
	asked, err := t.queue.TakeStartRequests(ctx, startSlice, startLease)
	if err != nil || len(asked) == 0 {
		return 0, err
	}
	s := &startSliceAnswers{signal: t.signal}
	for i := range asked {
		it, err := t.engine.arrivalItem(ctx, asked[i].delivery())
		if err != nil {
			return 0, fmt.Errorf("judge start request %d: %w", asked[i].Seq, err)
		}
		it.arrival.until = asked[i].Until
		it.done = func(a answer) { s.answer(&asked[i], a) }
		s.offered()
		if err := t.engine.intake.Put(ctx, laneStarts, it); err != nil {
			return 0, err
		}
	}
	stays := context.WithoutCancel(ctx) // what was handed in is answered while the engine drains, too
	for !s.answered() && t.clock.Now().Sub(began) < startLease*2/3 {
		t.signal.Wait(stays, time.Second)
	}
	answers := s.known()
	if len(answers) == 0 {
		return 0, nil
	}
	return len(asked), t.queue.AnswerStartRequests(stays, answers)
}

// delivery is the request in the form of a record, in which a refused one is kept.
func (a *StartAsked) delivery() Delivery {
	s := wire.Start{ID: a.ID, Source: a.Role, SagaType: a.Saga, SagaVersion: a.Version, Key: a.Key, Labels: a.Labels, Time: a.At, Value: a.Input}
	record := s.Record(StartRequestsTopic, nil)
	raw := Quarantined{Topic: record.Topic, Offset: a.Seq, Timestamp: a.At, Value: record.Value, Tenant: a.Tenant, Headers: make([]Header, len(record.Headers))}
	for i, h := range record.Headers {
		raw.Headers[i] = Header(h)
	}
	return Delivery{Raw: raw}
}

// startSliceAnswers are those of one slice. They come from the committer.
type startSliceAnswers struct {
	signal Signal

	mu   sync.Mutex // guards what follows
	open int
	done []StartAnswered
}

func (s *startSliceAnswers) offered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
}

func (s *startSliceAnswers) answer(asked *StartAsked, a answer) {
	s.mu.Lock()
	s.open--
	if out, known := answeredStart(asked, a); known {
		s.done = append(s.done, out)
	}
	s.mu.Unlock()
	s.signal.Notify()
}

func (s *startSliceAnswers) answered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open == 0
}

func (s *startSliceAnswers) known() []StartAnswered {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]StartAnswered(nil), s.done...)
}

// answeredStart reads an answer; known is false where the start was not judged and is to be tried again.
func answeredStart(asked *StartAsked, a answer) (out StartAnswered, known bool) {
	out.Seq, out.Until = asked.Seq, asked.Until
	var busy *OverloadedError
	switch err := a.failure(); {
	case err == nil:
		out.Saga = a.Started.ID
	case errors.As(err, &busy), errors.Is(err, ErrStopping):
		return out, false
	default:
		out.Code, out.Message = startCode(err)
	}
	return out, true
}
