package sim

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/memory"
	"github.com/skaldhq/skald/orchestrator/sim/crashpoint"
)

// epoch is when every world begins.
var epoch = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// Options say what kind of world a seed makes.
type Options struct {
	Seed     uint64
	Sagas    int // 0: 1 to 8, drawn
	Replicas int // 0: 1 to 3, drawn
	// KillAt kills a replica at the n-th port call of the world, and turns all other faults off; 0: faults are drawn.
	KillAt int
	Calm   bool // no faults at all
	// Outside is how many starts come as records and in SQL, beside those of clients; 0: none.
	Outside int
	Only    []Hit           // exactly these faults happen; nil: as drawn
	Notes   int             // how many of the last notes of the trace a failure shows; 0: none
	Crash   []crashpoint.At // these crashes happen, one after the other; of other faults only crashFaults. nil: as drawn
	Log     *slog.Logger

	promise func(Report) *Violation // one more, that a test of the harness makes; nil: none
}

// Report is what a run came to.
type Report struct {
	Seed      uint64
	PortCalls int
	Commits   int
	Kills     int
	Redriven  int // records of the quarantine that were applied, or changed nothing any more
	Virtual   time.Duration
	Trace     uint64 // two runs of one seed have the same

	Hits     []Hit           // the faults that happened, in order
	Faults   map[Fault]Count // of the opportunities
	Outcomes map[string]int  // sagas by how they ended
	Points   map[string]int  // kills by the port, or the named point, at which they struck
	Ports    map[string]int  // calls by port
	Drains   map[string]int  // by how they ended
	// Operations are the operations over many sagas, by action and how they ended.
	Operations map[string]int
	Crashed    int                   // of Options.Crash, how many happened
	AtPoints   map[crashpoint.At]int // where Options.Crash is given: how often a process was at a point, with a saga in a phase
	Notes      []string              // the last of the trace, where asked for
}

// world is one run.
type world struct {
	opt     Options
	clock   int64      // nanoseconds since the epoch
	now     time.Time  // the same
	sched   *rand.Rand // who runs next, and how long calls take
	draw    *rand.Rand // what the engine draws
	script  *rand.Rand // what clients, operators and participants do
	nemesis *nemesis   // which faults happen
	agenda  agenda
	pending int     // appointments that the world does not rest before
	watched []*task // that wait for a condition
	current *task
	calls   int
	trace   trace
	report  Report
	failed  *Violation

	hindered time.Time // until then something stands in the way of work
	database *database
	store    *memory.Store // the database's, for those who look at it from outside
	kafka    *kafka
	replicas []*replica
	people   *people
	outside  *outside
	oracle   *oracle
	// committed is told of every transaction that a replica has committed.
	committed func(r *replica, b orchestrator.Batch)
	actors    *actors
	crashes   *crashes // nil: no named ones
}

func newWorld(opt Options) *world {
	stream := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(opt.Seed, n)) }
	w := &world{
		opt: opt, now: epoch, sched: stream(1), draw: stream(3), script: stream(4), nemesis: newNemesis(opt), trace: newTrace(opt.Notes),
		report: Report{Seed: opt.Seed, Outcomes: map[string]int{}, Points: map[string]int{}, Ports: map[string]int{}, Drains: map[string]int{}, Operations: map[string]int{}},
	}
	w.database = newDatabase(w)
	w.store = w.database.store
	w.oracle = newOracle(w)
	w.kafka = newKafka(w)
	w.actors = newActors(w)
	w.committed = func(r *replica, b orchestrator.Batch) {
		w.oracle.committed(b)
		w.kafka.oracle.committed(r, b)
	}
	w.people = newPeople(w)
	w.outside = newOutside(w)
	w.crashes = newCrashes(w)
	return w
}

// Run makes the world of the options and runs it to its end. The error is a *Failure: it says which promise was broken and how to
// run it again.
func Run(opt Options) (Report, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	w := newWorld(opt)
	w.run()
	w.summarize()
	if opt.promise != nil && w.failed == nil {
		w.failed = opt.promise(w.report)
	}
	if w.failed != nil {
		return w.report, &Failure{Options: opt, Report: w.report, Violation: w.failed}
	}
	return w.report, nil
}

// run is phase 1, in which faults happen and invariants are checked after every commit, and phase 2, in which all comes to rest.
func (w *world) run() {
	replicas := w.opt.Replicas
	if replicas == 0 {
		replicas = 1 + w.script.IntN(3)
	}
	w.people.registerDefinitions()
	w.people.planOperations()
	w.people.planHolds()
	for i := range replicas {
		r := &replica{w: w, name: fmt.Sprintf("replica-%d", i)}
		w.replicas = append(w.replicas, r)
		r.start()
	}
	w.people.script()
	w.outside.script()
	w.weather()
	w.crashes.unrest()
	w.until(w.now.Add(time.Duration(20+w.script.IntN(100))*time.Second), w.oracle.quiet)
	w.heal()
	w.until(w.now.Add(30*time.Minute), w.oracle.rested)
	if w.failed == nil {
		w.oracle.judge()
	}
	for _, r := range w.replicas {
		if !r.dead {
			r.stop("end")
		}
	}
	w.actors.stop()
}

func (w *world) summarize() {
	r := &w.report
	r.PortCalls, r.Virtual, r.Trace = w.calls, w.now.Sub(epoch), w.trace.hash
	r.Hits, r.Notes = w.nemesis.hit, w.trace.notes()
	r.Faults = map[Fault]Count{}
	for f, s := range w.nemesis.states {
		if s.seen > 0 {
			r.Faults[f] = Count{s.hits, int(s.seen)}
		}
	}
}
