package sim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"iter"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/memory"
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
	Log    *slog.Logger
}

// Report is what a run came to.
type Report struct {
	Seed      uint64
	PortCalls int
	Kills     int
	Faults    map[Fault]int
	Outcomes  map[string]int
	Commits   int
	Virtual   time.Duration
	Trace     [32]byte
}

// world is one run.
type world struct {
	opt     Options
	now     time.Time
	sched   *rand.Rand // who runs next, and how long calls take
	draw    *rand.Rand // what the engine draws
	script  *rand.Rand // what clients, operators and participants do
	nemesis *nemesis   // which faults happen
	tasks   []*task
	events  []event
	current *task
	calls   int
	trace   hash.Hash
	report  Report
	failed  *Violation

	store    *memory.Store
	kafka    *kafka
	replicas []*replica
	people   *people
	oracle   *oracle
	actors   *actors
}

// event is something that the world does at a time.
type event struct {
	at  time.Time
	seq int
	do  func()
}

// task is a worker as a coroutine.
type task struct {
	name  string
	owner *replica
	next  func() (call, bool)
	stop  func()
	yield func(call) bool
	until time.Time
	ready func() bool // nil: only until counts
}

// call is what a worker yields at a port: when it goes on.
type call struct {
	until time.Time
	ready func() bool
}

// hits reports whether a fault happens now, and counts it.
func (w *world) hits(f Fault) bool {
	if !w.nemesis.hits(f) {
		return false
	}
	w.report.Faults[f]++
	w.note("fault", string(f))
	return true
}

func newWorld(opt Options) *world {
	stream := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(opt.Seed, n)) }
	w := &world{
		opt: opt, now: epoch, sched: stream(1), draw: stream(3), script: stream(4),
		nemesis: newNemesis(opt.Seed, opt.Calm || opt.KillAt > 0),
		trace:   sha256.New(), report: Report{Seed: opt.Seed, Faults: map[Fault]int{}, Outcomes: map[string]int{}},
	}
	w.store = memory.New(memory.Config{Now: func() time.Time { return w.now }})
	w.oracle = newOracle(w)
	w.kafka = newKafka(w)
	w.actors = newActors(w)
	w.people = newPeople(w)
	return w
}

// Run makes the world of the options and runs it to its end. The error says which promise was broken and how to run it again.
func Run(opt Options) (Report, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	w := newWorld(opt)
	w.run()
	w.report.PortCalls, w.report.Virtual = w.calls, w.now.Sub(epoch)
	copy(w.report.Trace[:], w.trace.Sum(nil))
	if w.failed != nil {
		return w.report, fmt.Errorf("seed %d\n%w\nrun it again: go test ./orchestrator/sim -run TestSeed -seed=%d -kill-at=%d -v", opt.Seed, w.failed, opt.Seed, opt.KillAt)
	}
	return w.report, nil
}

func (w *world) run() {
	replicas := w.opt.Replicas
	if replicas == 0 {
		replicas = 1 + w.script.IntN(3)
	}
	w.people.registerDefinitions()
	for i := range replicas {
		r := &replica{w: w, name: fmt.Sprintf("replica-%d", i)}
		w.replicas = append(w.replicas, r)
		r.start()
	}
	w.people.script()
	w.until(w.now.Add(time.Duration(20+w.script.IntN(100))*time.Second), nil)
	w.heal()
	limit := w.now.Add(30 * time.Minute)
	w.until(limit, w.oracle.quiet)
	if w.failed == nil {
		w.oracle.judge()
	}
	for _, r := range w.replicas {
		r.kill()
	}
}

// heal ends the first phase: no fault happens any more, and whoever is dead comes back.
func (w *world) heal() {
	w.note("phase", "heal")
	w.nemesis.calm = true
	w.actors.heal()
	w.people.heal()
	for _, r := range w.replicas {
		if r.dead {
			r.start()
		}
	}
}

// at has do called at a time from now.
func (w *world) after(d time.Duration, do func()) {
	w.events = append(w.events, event{at: w.now.Add(d), seq: len(w.events), do: do})
}

// until runs tasks and events up to a time, or until done.
func (w *world) until(limit time.Time, done func() bool) {
	for w.failed == nil {
		if done != nil && done() {
			return
		}
		if !w.step(limit) {
			w.now = limit
			return
		}
	}
}

// step runs what is due next; false when nothing is before limit.
func (w *world) step(limit time.Time) bool {
	var due []int // tasks by index, events after them
	next := limit
	earlier := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	for i, t := range w.tasks {
		switch {
		case !t.until.After(w.now) || t.ready != nil && t.ready():
			due = append(due, i)
		default:
			earlier(t.until)
		}
	}
	for i, e := range w.events {
		if !e.at.After(w.now) {
			due = append(due, len(w.tasks)+i)
		} else {
			earlier(e.at)
		}
	}
	if len(due) == 0 {
		if !next.Before(limit) {
			return false
		}
		w.now = next
		return true
	}
	pick := due[w.sched.IntN(len(due))]
	if pick >= len(w.tasks) {
		i := pick - len(w.tasks)
		e := w.events[i]
		w.events = append(w.events[:i], w.events[i+1:]...)
		e.do()
		return true
	}
	w.resume(w.tasks[pick])
	return true
}

func (w *world) resume(t *task) {
	w.current = t
	c, alive := t.next()
	w.current = nil
	if !alive {
		w.remove(t)
		return
	}
	t.until, t.ready = c.until, c.ready
}

func (w *world) remove(t *task) {
	for i, other := range w.tasks {
		if other == t {
			w.tasks = append(w.tasks[:i:i], w.tasks[i+1:]...)
			return
		}
	}
}

// spawn makes a worker a coroutine. A kill is a panic out of a port call, that nothing but this recovers from.
func (w *world) spawn(r *replica, worker orchestrator.Worker) {
	t := &task{name: worker.Name, owner: r, until: w.now}
	t.next, t.stop = iter.Pull(func(yield func(call) bool) {
		t.yield = yield
		defer func() {
			if p := recover(); p != nil {
				if _, killed := p.(orchestrator.Kill); !killed {
					panic(p)
				}
			}
		}()
		worker.Run(context.Background())
	})
	w.tasks = append(w.tasks, t)
}

// port is what every port call goes through: a place where the world may delay the worker or kill its replica. Calls from
// outside a worker (clients) pass.
func (w *world) port(r *replica, name string) {
	t := w.current
	if t == nil {
		return
	}
	w.calls++
	w.note(r.name, t.name, name)
	if w.opt.KillAt > 0 && w.calls == w.opt.KillAt || w.hits(FaultKill) {
		w.report.Kills++
		w.after(0, r.kill)
		w.after(time.Duration(1+w.sched.IntN(8000))*time.Millisecond, r.start)
		w.wait(t, call{until: w.now.Add(time.Hour)}) // killed here, before anything else of the replica runs on
	}
	w.wait(t, call{until: w.now.Add(w.latency())})
}

// latency is how long a port call takes: mostly short, with a tail.
func (w *world) latency() time.Duration {
	d := time.Duration(w.sched.IntN(3000)) * time.Microsecond
	if w.sched.IntN(50) == 0 {
		d *= 100
	}
	return d
}

func (w *world) wait(t *task, c call) {
	if t.owner.dead || !t.yield(c) {
		panic(orchestrator.Kill{})
	}
}

// note adds to the trace that tells two runs apart.
func (w *world) note(words ...string) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(w.now.UnixNano()))
	w.trace.Write(b[:])
	for _, word := range words {
		w.trace.Write([]byte(word))
		w.trace.Write([]byte{0})
	}
}

