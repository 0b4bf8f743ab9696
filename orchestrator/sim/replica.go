package sim

import (
	"context"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/sim/crashpoint"
)

// replica is one orchestrator: its engine, and what dies with it.
type replica struct {
	w      *world
	name   string
	life   int       // grows with each start: what was planned for an earlier one does not touch it
	began  time.Time // of this life
	engine *orchestrator.Engine
	tasks  []*task
	open   []*faultyTx
	clock  clock
	dead   bool
	frozen int64 // stands still until then, in nanoseconds since the epoch

	noStore  time.Time // does not reach the database until then
	noBroker time.Time // does not reach the broker until then

	drain *drain // nil: it does not drain
	ends  []context.CancelFunc
	tap   *crashpoint.Tap // nil: no named crashes
}

// start brings the replica up, as after a restart: nothing is known but what is stored.
func (r *replica) start() {
	if r.engine != nil && !r.dead {
		return
	}
	w := r.w
	if w.crashes.atStartup(r) {
		r.dead = true
		return
	}
	r.life++
	r.began = w.now
	r.dead, r.frozen, r.open, r.tasks, r.drain, r.ends = false, 0, nil, nil, nil, nil
	r.clock = newClock(w, r)
	store := &faultyStore{Store: w.database.store, w: w, r: r}
	cfg := orchestrator.Config{
		Store: store, Reader: store, Definitions: store, Limits: store, Broker: w.kafka.broker(r), Encoder: w.kafka.codec, Decoder: w.kafka.codec, Groups: &groupsReader{w.kafka, r},
		Logger: w.opt.Log.With("replica", r.name), BatchEvents: 1 + w.script.IntN(16),
	}
	if w.people.holds > 0 {
		cfg.Holds = store
	}
	if w.people.operations > 0 {
		cfg.Operations, cfg.OperateEvery = store, 3*time.Second
	}
	w.outside.join(r, store, &cfg)
	w.crashes.tap(r, &cfg)
	r.engine = orchestrator.Assemble(cfg, orchestrator.Ports{
		Clock: r.clock, Random: w.draw, Signal: func() orchestrator.Signal { return &signal{w: w, r: r} }, Compile: compile,
	})
	stages := map[orchestrator.Stage]context.Context{}
	for stage := orchestrator.StageTaking; stage <= orchestrator.StagePublishing; stage++ {
		ctx, end := context.WithCancel(context.Background())
		stages[stage], r.ends = ctx, append(r.ends, end)
	}
	for _, worker := range r.engine.Workers() {
		r.tasks = append(r.tasks, w.spawn(r, stages[worker.Stage], worker))
	}
	w.kafka.group.join(r)
	w.note(r.name, "start")
}

// comeBack starts the replica again after a while, unless somebody has before.
func (r *replica) comeBack(d time.Duration) { r.w.meanwhile(max(d, time.Millisecond), r.start) }

// kill is kill -9: workers end where they are, and the database rolls their transactions back.
func (r *replica) kill() {
	if !r.dead {
		r.w.report.Kills++
		r.stop("kill")
	}
}

func (r *replica) stop(how string) {
	w := r.w
	r.dead = true
	w.note(r.name, how)
	for _, t := range r.tasks {
		w.end(t)
	}
	r.tasks = nil
	for _, end := range r.ends {
		end()
	}
	r.sever()
	w.kafka.group.died(r)
}

// sever ends the replica's sessions with the database, which rolls their transactions back.
func (r *replica) sever() {
	for _, tx := range slices.Clone(r.open) {
		tx.sever()
	}
}

// away reports whether a client gets no answer from the replica: it is dead, or stands still.
func (r *replica) away() bool { return r.dead || r.frozen > r.w.clock }

// idleInTransaction is idle_in_transaction_session_timeout: when the database ends the session of who stands still.
const idleInTransaction = 5 * time.Second

// freeze is SIGSTOP and, after d, SIGCONT: the world goes on meanwhile. The database ends its transactions and the group throws it
// out, but it knows of nothing when it goes on (S17).
func (r *replica) freeze(d time.Duration) {
	w := r.w
	w.note(r.name, "freeze")
	r.frozen = max(r.frozen, w.clock+int64(d)) // a second freeze does not end the first
	life := r.life
	w.meanwhile(idleInTransaction, func() {
		if r.life == life && r.away() {
			r.sever()
		}
	})
	w.kafka.group.cutOff(w.kafka.group.of[r], d)
}

// thaw ends a freeze now.
func (r *replica) thaw() {
	if r.frozen > r.w.clock {
		r.frozen = 0
		for _, t := range r.tasks {
			r.w.wake(t)
		}
	}
}
