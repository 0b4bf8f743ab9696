package sim

import (
	"context"
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// replica is one orchestrator: its engine, and what dies with it.
type replica struct {
	w      *world
	name   string
	engine *orchestrator.Engine
	tasks  []*task
	open   map[*faultyTx]bool
	dead   bool
}

// start brings the replica up, as after a restart: nothing is known but what is stored.
func (r *replica) start() {
	if r.engine != nil && !r.dead {
		return
	}
	w := r.w
	r.dead, r.open, r.tasks = false, map[*faultyTx]bool{}, nil
	store := &faultyStore{Store: w.store, w: w, r: r}
	r.engine = orchestrator.Assemble(orchestrator.Config{
		Store: store, Reader: w.store, Definitions: w.store, Broker: &replicaBroker{w.kafka, r}, Encoder: w.kafka.codec,
		Logger: w.opt.Log.With("replica", r.name), BatchEvents: 1 + w.script.IntN(16),
	}, orchestrator.Ports{Clock: clock{w, r}, Random: w.draw, Signal: func() orchestrator.Signal { return &signal{w: w, r: r} }})
	for _, worker := range r.engine.Workers() {
		before := len(w.tasks)
		w.spawn(r, worker)
		r.tasks = append(r.tasks, w.tasks[before])
	}
	w.kafka.rebalance()
	w.note(r.name, "start")
}

// kill is kill -9: workers end where they are, and the database rolls their transactions back.
func (r *replica) kill() {
	if r.dead {
		return
	}
	r.dead = true
	w := r.w
	w.note(r.name, "kill")
	for _, t := range r.tasks {
		w.remove(t)
		w.current = t
		t.stop()
		w.current = nil
	}
	for tx := range r.open {
		tx.inner.Rollback(context.Background())
	}
	w.kafka.rebalance()
}

// clock is the replica's own clock; the world's time is also the database's.
type clock struct {
	w *world
	r *replica
}

func (c clock) Now() time.Time { return c.w.now }

func (c clock) Sleep(_ context.Context, d time.Duration) {
	if t := c.w.current; t != nil {
		c.w.wait(t, call{until: c.w.now.Add(d)})
	}
}

// signal wakes a coroutine.
type signal struct {
	w     *world
	r     *replica
	token bool
}

func (s *signal) Notify() { s.token = true }

func (s *signal) Wait(_ context.Context, d time.Duration) {
	if !s.token {
		s.w.wait(s.w.current, call{until: s.w.now.Add(d), ready: func() bool { return s.token }})
	}
	s.token = false
}
