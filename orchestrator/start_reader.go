package orchestrator

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// startReader reads starts and hands them to the committer, beside the receiver: a flood of starts must not keep replies waiting. It
// has a share of the intake in hand at most, so that requests find room too; a full intake stops the reading, and nothing is dropped.
type startReader struct {
	engine *Engine
	source StartSource
	most   int
	clock  Clock
	signal Signal
	log    *slog.Logger

	mu    sync.Mutex // guards what follows
	open  int
	again []Delivery // that could not be judged: somebody held their key
}

func (r *startReader) run(ctx context.Context) {
	for ctx.Err() == nil {
		deliveries, err := r.source.FetchStarts(ctx)
		if err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "reading starts is tried again", "error", err)
			r.clock.Sleep(ctx, 500*time.Millisecond)
			continue
		}
		for _, d := range append(r.put(), deliveries...) {
			if !r.hand(ctx, d) {
				return // stopping: what is not marked is read again
			}
		}
	}
}

// put takes back what is to be tried again.
func (r *startReader) put() []Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := r.again
	r.again = nil
	return again
}

// hand waits until a start can be judged and there is room for it; false: ctx has ended.
func (r *startReader) hand(ctx context.Context, d Delivery) bool {
	for ctx.Err() == nil {
		if r.full() {
			r.signal.Wait(ctx, 100*time.Millisecond)
			continue
		}
		if r.engine.health.refusesStarts() != nil { // the outbox is full: a record can wait where it is
			r.clock.Sleep(ctx, 200*time.Millisecond)
			continue
		}
		it, err := r.engine.arrivalItem(ctx, d)
		if err != nil {
			r.log.WarnContext(ctx, "judging a start is tried again", "topic", d.Raw.Topic, "partition", d.Raw.Partition, "offset", d.Raw.Offset, "error", err)
			r.clock.Sleep(ctx, 500*time.Millisecond)
			continue
		}
		it.done = func(a answer) { r.answered(d, a) }
		r.mu.Lock()
		r.open++
		r.mu.Unlock()
		return r.engine.intake.Put(ctx, laneStarts, it) == nil
	}
	return false
}

func (r *startReader) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open >= r.most
}

// answered is called by the committer. Whatever was judged is written down; a start whose key somebody holds comes again.
func (r *startReader) answered(d Delivery, a answer) {
	var busy *OverloadedError
	r.mu.Lock()
	r.open--
	if errors.As(a.err, &busy) {
		r.again = append(r.again, d)
	}
	r.mu.Unlock()
	r.signal.Notify()
}
