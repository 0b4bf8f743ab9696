package sim

import (
	"context"
	"iter"
	"runtime/debug"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// task is a worker as a coroutine.
type task struct {
	name  string
	stage orchestrator.Stage
	owner *replica
	next  func() (call, bool)
	stop  func()
	yield func(call) bool
	turn  uint32 // grows each time it goes on, so that an older appointment is void
	call  call   // what it waits for
}

// call is what a worker yields at a port: when it goes on.
type call struct {
	until time.Time
	ready func() bool     // nil: only until counts
	ctx   context.Context // the wait ends with it; nil: it does not
}

// after has do called at a time from now. The world does not rest before.
func (w *world) after(d time.Duration, do func()) { w.arrange(d, do, true) }

// meanwhile is after for what the world need not wait for to be at rest, such as its weather.
func (w *world) meanwhile(d time.Duration, do func()) { w.arrange(d, do, false) }

func (w *world) arrange(d time.Duration, do func(), counts bool) {
	if counts {
		w.pending++
	}
	w.agenda.push(appointment{at: w.clock + max(int64(d), 0), tie: w.sched.Uint64(), do: do, counts: counts})
}

// appoint has a task go on at a time.
func (w *world) appoint(t *task, at time.Time) {
	w.agenda.push(appointment{at: max(at.Sub(epoch).Nanoseconds(), w.clock), tie: w.sched.Uint64(), task: t, turn: t.turn})
}

// wake has a task go on now that waits.
func (w *world) wake(t *task) { w.appoint(t, w.now) }

// until runs tasks and events up to a time, or until done, which is asked once a second.
func (w *world) until(limit time.Time, done func() bool) {
	end, look := limit.Sub(epoch).Nanoseconds(), int64(0)
	for w.failed == nil {
		if done != nil && w.clock >= look {
			if done() {
				return
			}
			look = w.clock + int64(time.Second)
		}
		if !w.step(end) {
			w.tell(end)
			return
		}
	}
}

// tell sets the time.
func (w *world) tell(clock int64) {
	w.clock, w.now = clock, epoch.Add(time.Duration(clock))
}

// step runs what comes next; false when nothing does before limit.
func (w *world) step(limit int64) bool {
	for len(w.agenda) > 0 && w.agenda[0].at < limit {
		a := w.agenda.pop()
		if a.task != nil && a.turn != a.task.turn { // it went on for another reason
			continue
		}
		if a.at > w.clock {
			w.tell(a.at)
		}
		switch {
		case a.do != nil:
			if a.counts {
				w.pending--
			}
			a.do()
			w.watch()
		case a.task.owner.frozen > w.clock:
			w.appoint(a.task, epoch.Add(time.Duration(a.task.owner.frozen)))
		default:
			w.resume(a.task)
		}
		return true
	}
	return false
}

// watch wakes the tasks whose condition has come true. What other tasks do is not looked at: a worker that waits for somebody is
// woken by its signal, or polls.
func (w *world) watch() {
	for _, t := range w.watched {
		if t.call.ready != nil && t.call.ready() {
			t.call.ready = nil
			w.wake(t)
		}
	}
}

func (w *world) resume(t *task) {
	if t.call.ready != nil {
		w.unwatch(t)
	}
	t.turn++
	t.call = call{}
	w.current = t
	c, alive := t.next()
	w.current = nil
	if !alive {
		t.turn++
		t.owner.returned(t)
		return
	}
	t.call = c
	w.appoint(t, c.until)
	if c.ready != nil {
		w.watched = append(w.watched, t)
	}
}

func (w *world) unwatch(t *task) {
	w.watched = slices.DeleteFunc(w.watched, func(other *task) bool { return other == t })
}

// spawn makes a worker a coroutine. A kill is a panic out of a port call, that nothing but this recovers from.
func (w *world) spawn(r *replica, ctx context.Context, worker orchestrator.Worker) *task {
	t := &task{name: worker.Name, stage: worker.Stage, owner: r}
	t.next, t.stop = iter.Pull(func(yield func(call) bool) {
		t.yield = yield
		defer func() {
			if p := recover(); p != nil {
				if _, killed := p.(orchestrator.Kill); !killed {
					w.violate("L5", "worker %s of %s panicked: %v\n%s", t.name, r.name, p, debug.Stack())
				}
			}
		}()
		worker.Run(ctx)
	})
	w.wake(t)
	return t
}

// end stops a task where it is, for good.
func (w *world) end(t *task) {
	w.unwatch(t)
	t.turn++
	w.current = t // what its defers call belongs to it
	t.stop()
	w.current = nil
}

// wait gives the turn back until the call says.
func (w *world) wait(t *task, c call) {
	if t.owner.dead || !t.yield(c) {
		panic(orchestrator.Kill{})
	}
}

// port is what every port call goes through: a place where the world may delay the worker or kill its replica. Calls from
// outside a worker (clients) pass.
func (w *world) port(r *replica, name string) {
	t := w.current
	if t == nil {
		return
	}
	w.calls++
	w.report.Ports[name]++
	w.note(r.name, t.name, name)
	if w.opt.KillAt > 0 && w.calls == w.opt.KillAt || w.hits(killAt(name)) {
		w.report.Points[name]++
		w.die(r)
	}
	w.wait(t, call{until: w.now.Add(w.latency())})
}

// killAt is the kind of a kill at a port: so many calls are polls that the others need a chance of their own.
func killAt(port string) Fault {
	switch port {
	case "commit.rekey", "commit.quarantine", "commit.audit", "commit.handled", "store.load", "store.lock", "store.maintain", "store.definition", "store.committed?", "store.asked",
		"operation.taken", "operation.gather", "operation.gathered", "operation.left", "operation.note", "operation.noted", "store.sagas":
		return FaultKillRare
	}
	return FaultKill
}

// die kills the replica of the running task at this very place; it comes back within seconds.
func (w *world) die(r *replica) {
	w.meanwhile(0, r.kill)
	r.comeBack(w.roll(8 * time.Second))
	w.wait(w.current, call{until: w.now.Add(time.Hour)}) // killed here, before anything else of the replica runs on
}

// latency is how long a port call takes: mostly short, with a tail.
func (w *world) latency() time.Duration {
	draw := w.sched.Uint64()
	d := time.Duration(draw%3000) * time.Microsecond
	if draw>>32%50 == 0 {
		d *= 100
	}
	return d
}

// roll draws a duration up to limit.
func (w *world) roll(limit time.Duration) time.Duration {
	return time.Duration(w.sched.Int64N(int64(limit)))
}
