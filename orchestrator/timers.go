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
	began  time.Time
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
	return &timers{clock: clock, signal: signal, intake: intake, began: clock.Now(), due: map[saga.ID]timer{}, slots: map[int64][]saga.ID{}}
}

// ticks counts from when the replica began, so that a clock that is set does not move what is due.
func (t *timers) ticks(at time.Time) int64 { return int64(at.Sub(t.began) / tick) }

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
	now := t.ticks(t.clock.Now())
	for ; t.next <= now; t.next++ {
		if t.next = t.firstLocked(now + 1); t.next > now {
			break
		}
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

// firstLocked is the first tick that something is due at, at most last.
func (t *timers) firstLocked(last int64) int64 {
	const few = 64 // slots that are looked at sooner than all the ticks
	if len(t.slots) <= few {
		for at := range t.slots {
			last = min(last, at)
		}
		return last
	}
	first := t.next
	for first < last && len(t.slots[first]) == 0 {
		first++
	}
	return first
}

// wait is how long nothing is due.
func (t *timers) wait() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.ticks(t.clock.Now())
	t.until = t.firstLocked(t.next + int64(PreciseWithin/tick) + 2)
	return time.Duration(max(t.until-now, 0)) * tick
}
