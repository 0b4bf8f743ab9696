package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// ErrNoEnd says that the run never began: sagas were accepted, and no end was seen.
var ErrNoEnd = errors.New("no saga ended")

// firstTry is how long the first saga may take before another one is started: a watcher may have come too late for its end. The
// next gets twice as long, up to firstMost.
const (
	firstTry  = 250 * time.Millisecond
	firstMost = 4 * time.Second
)

// Run starts one saga and awaits its end, so that everybody is there, and then puts on the load. When ctx ends it stops at
// once and returns what there is, with Interrupted set and no error. It returns when everything that it started has ended; the
// sagas that are then in flight go on without it.
func Run(ctx context.Context, cfg Config) (Result, error) {
	cfg.setDefaults()
	if err := cfg.Validate(); err != nil {
		return Result{}, err
	}
	r := &runner{cfg: cfg, board: newBoard(cfg.Rate > 0)}
	life, end := context.WithCancelCause(ctx)
	var helpers sync.WaitGroup
	if cfg.Watch != nil {
		helpers.Go(func() {
			if err := cfg.Watch(life, r.board.end); err != nil && life.Err() == nil {
				end(fmt.Errorf("watch for ends: %w", err))
			}
		})
	}
	helpers.Go(func() { r.report(life) })
	took, err := r.run(life)
	result := r.board.close(took, ctx.Err() != nil)
	if cause := context.Cause(life); err == nil && life.Err() != nil && ctx.Err() == nil {
		err = cause
	}
	if ctx.Err() != nil {
		err = nil
	}
	end(nil)
	helpers.Wait()
	return result, err
}

// runner is one run.
type runner struct {
	cfg     Config
	board   *board
	next    atomic.Int64 // number of the next saga
	posting atomic.Int64 // starts on their way

	mu    sync.Mutex // guards what follows
	phase string
	since time.Time
	of    time.Duration
}

func (r *runner) run(life context.Context) (time.Duration, error) {
	if err := r.first(life); err != nil {
		return 0, err
	}
	if r.cfg.Rate > 0 {
		return r.openLoop(life), nil
	}
	return r.closedLoop(life), nil
}

// first starts sagas until the end of one is seen.
func (r *runner) first(life context.Context) error {
	r.enter("first", 0)
	ctx, cancel := context.WithTimeout(life, r.cfg.First)
	defer cancel()
	ended := make(chan client.Status, 1+int(r.cfg.First/retryIn))
	var last error
	patience := firstTry
	for ctx.Err() == nil {
		wait := patience
		f := &flight{began: time.Now(), first: true, done: ended}
		started, err := r.cfg.Start(ctx, r.next.Add(1)-1)
		switch {
		case err == nil:
			r.board.accept(started, f, time.Now())
			patience = min(2*patience, firstMost)
			last = nil
		case hopeless(err):
			return err
		case ctx.Err() == nil:
			last = err
			wait = retryAfter(err)
		}
		select {
		case <-ended:
			return nil
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	if life.Err() != nil {
		return context.Cause(life)
	}
	if last != nil {
		return last
	}
	return fmt.Errorf("%w within %s", ErrNoEnd, r.cfg.First)
}

// hopeless reports whether the same start would be refused for ever.
func hopeless(err error) bool {
	var answer *client.Error
	return errors.As(err, &answer) && !answer.Retryable
}

// span waits for the warm-up and the measured span, and returns how long the latter was.
func (r *runner) span(life context.Context) time.Duration {
	r.enter("warm-up", r.cfg.WarmUp)
	if !pause(life, r.cfg.WarmUp) {
		return 0
	}
	r.cfg.Begin()
	r.enter("measuring", r.cfg.Duration)
	r.board.measure(true)
	began := time.Now()
	pause(life, r.cfg.Duration)
	r.board.measure(false)
	took := time.Since(began)
	r.cfg.End()
	return took
}

func (r *runner) enter(phase string, of time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase, r.since, r.of = phase, time.Now(), of
}

// report calls Progress until ctx ends.
func (r *runner) report(ctx context.Context) {
	type sample struct {
		at    time.Time
		ended int64
	}
	var samples []sample
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		r.mu.Lock()
		p := Progress{Phase: r.phase, Elapsed: now.Sub(r.since), Of: r.of}
		r.mu.Unlock()
		p.Accepted, p.Ended, p.Refused, p.InFlight, p.P50 = r.board.counts()
		for len(samples) > 1 && now.Sub(samples[0].at) > recent {
			samples = samples[1:]
		}
		if len(samples) > 0 {
			p.Recent = float64(p.Ended-samples[0].ended) / now.Sub(samples[0].at).Seconds()
		}
		samples = append(samples, sample{now, p.Ended})
		r.cfg.Progress(p)
	}
}

// pause waits; false: ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
