package sim

import (
	"context"
	"time"
)

// clock is a replica's own clock, which may be wrong and too fast or too slow. It does not jump while the replica lives: Go's
// clock does not either where differences are taken, which is all that the engine does with it.
type clock struct {
	w     *world
	r     *replica
	began time.Time
	ahead time.Duration
	drift float64 // how much faster than the world's
}

func newClock(w *world, r *replica) clock {
	c := clock{w: w, r: r, began: w.now}
	if w.hits(FaultNodeClock) {
		u := w.nemesis.size(FaultNodeClock)
		c.ahead = time.Duration((2*u - 1) * float64(time.Hour))
		c.drift = (2*unit(mix(uint64(u*(1<<53)))) - 1) * 0.05
	}
	return c
}

// Now implements orchestrator.Clock.
func (c clock) Now() time.Time {
	if c.drift == 0 {
		return c.w.now
	}
	passed := float64(c.w.now.Sub(c.began)) * (1 + c.drift)
	return c.began.Add(c.ahead + time.Duration(passed))
}

// world turns a time span of this clock into the world's.
func (c clock) world(d time.Duration) time.Duration {
	if c.drift == 0 {
		return d
	}
	return time.Duration(float64(d)/(1+c.drift)) + 1
}

// Sleep implements orchestrator.Clock.
func (c clock) Sleep(ctx context.Context, d time.Duration) {
	if t := c.w.current; t != nil && ctx.Err() == nil {
		c.w.wait(t, call{until: c.w.now.Add(c.world(d)), ctx: ctx})
	}
}

// signal wakes a worker of a replica. In production it is a channel in the same process and is not lost; that the world loses
// some shows that each is a hint, which polling makes up for (L6).
type signal struct {
	w      *world
	r      *replica
	token  bool
	waiter *task
}

// Notify implements orchestrator.Signal.
func (s *signal) Notify() {
	if s.waiter == nil {
		s.token = true
		return
	}
	if s.w.hits(FaultHintLost) {
		return
	}
	s.token = true
	s.w.wake(s.waiter)
}

// Wait implements orchestrator.Signal.
func (s *signal) Wait(ctx context.Context, d time.Duration) {
	if !s.token && ctx.Err() == nil {
		s.waiter = s.w.current
		defer func() { s.waiter = nil }()
		s.w.wait(s.w.current, call{until: s.w.now.Add(s.r.clock.world(d)), ctx: ctx})
	}
	s.token = false
}
