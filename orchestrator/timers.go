package orchestrator

import (
	"context"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// tick is how precise timers are.
const tick = 10 * time.Millisecond

// timers are the precise timers of the sagas that this replica committed last, those due within PreciseWithin: about 64 bytes
// each. They measure with the replica's clock how much of the database's time is left; an early one is harmless, a lost one is
// found by the sweep.
type timers struct {
	clock  Clock
	signal Signal // a timer was set that is due before the present wait ends
	intake *queue[*item]

	mu    sync.Mutex // guards what follows
	due   map[saga.ID]timer
	slots map[int64][]saga.ID // by tick; an id whose timer has moved on is skipped
	next  int64               // the first tick not looked at yet
	until int64               // the tick that run waits for
}

// timer is packed, for there may be a hundred thousand: a tick is told from others within PreciseWithin by its lower half, and no
// saga gets near 2^32 revisions.
type timer struct {
	tick     uint32
	revision uint32
}

func newTimers(clock Clock, signal Signal, intake *queue[*item]) *timers {
	t := &timers{clock: clock, signal: signal, intake: intake, due: map[saga.ID]timer{}, slots: map[int64][]saga.ID{}}
	t.next = t.ticks(clock.Now())
	return t
}

func (t *timers) ticks(at time.Time) int64 { return at.UnixNano() / int64(tick) }

// set replaces the timer of a saga: it fires after d, unless the saga has another revision by then.
func (t *timers) set(id saga.ID, revision int64, d time.Duration, alive bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !alive || d > PreciseWithin {
		delete(t.due, id)
		return
	}
	at := max(t.ticks(t.clock.Now().Add(d))+1, t.next)
	if old, ok := t.due[id]; ok && old.tick == uint32(at) {
		t.due[id] = timer{uint32(at), uint32(revision)}
		return
	}
	t.due[id] = timer{uint32(at), uint32(revision)}
	t.slots[at] = append(t.slots[at], id)
	if at < t.until {
		t.until = at
		t.signal.Notify()
	}
}

// fire takes what is due by now.
func (t *timers) fire() []*item {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*item
	for now := t.ticks(t.clock.Now()); t.next <= now; t.next++ {
		for _, id := range t.slots[t.next] {
			if tm, ok := t.due[id]; ok && tm.tick == uint32(t.next) {
				delete(t.due, id)
				out = append(out, &item{id: id, event: saga.Event{Body: saga.Woken{}}, revision: int64(tm.revision)})
			}
		}
		delete(t.slots, t.next)
	}
	return out
}

func (t *timers) run(ctx context.Context) {
	for ctx.Err() == nil {
		if due := t.fire(); len(due) > 0 {
			if err := t.intake.Put(ctx, laneReplies, due...); err != nil {
				return
			}
		}
		t.signal.Wait(ctx, t.wait())
	}
}

// wait is how long nothing is due.
func (t *timers) wait() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.ticks(t.clock.Now())
	last := t.next + int64(PreciseWithin/tick) + 2
	t.until = t.next
	for t.until < last && len(t.slots[t.until]) == 0 {
		t.until++
	}
	return time.Duration(max(t.until-now, 0)) * tick
}
