package orchestrator

import (
	"fmt"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// allowance is what one batch may let begin: a copy of what is known, which it uses up.
type allowance struct {
	of    *bound
	limit *limited
	room  int
	rest  int // of the room, for sagas whose turn it is not; those that were here first have the other part
	delta int // starts less ends, of the batch so far
	ends  int
}

// allow begins a batch.
func (l *limiter) allow() (out []*allowance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.limits {
		for _, b := range x.bounds {
			a := &allowance{of: b, limit: x, room: b.room, rest: b.room - x.fed}
			if len(x.waiting) > 0 {
				a.rest = 0
			}
			out = append(out, a)
		}
	}
	return out
}

// committed gives and takes what a committed batch came to, and has those looked at that there is room for now.
func (l *limiter) committed(used []*allowance, fed map[*limited]int) {
	if len(used)+len(fed) == 0 {
		return
	}
	l.mu.Lock()
	for _, a := range used {
		// By now a look may have made another one of it.
		if x := l.find(l.limits, &a.limit.Limit); x != nil {
			for _, b := range x.bounds {
				if b.begins == a.of.begins {
					b.starts += a.starts()
					b.room = min(b.room-a.starts()+a.ends, b.share)
				}
			}
		}
	}
	for x, n := range fed {
		x.fed = max(0, x.fed-n)
	}
	l.mu.Unlock()
	l.feed()
}

func (a *allowance) starts() int { return a.delta + a.ends }

// count is how much of a saga a bound counts.
func (b *bound) count(l *Limit, def *saga.Definition, in *saga.Instance) (n int) {
	if in.ID.IsZero() || in.Status.Terminal() || in.Broken != "" {
		return 0
	}
	if b.begins {
		if in.Begun() {
			return 1
		}
		return 0
	}
	for i := range in.Steps {
		if in.Out(i) && (l.Scope != HoldParticipant || def.Steps[i].Participant == l.Name) {
			n++
		}
	}
	return n
}

// used counts what a decision changed.
func (a *allowance) used(tenant string, def *saga.Definition, before, after *saga.Instance) {
	if !a.limit.Concerns(tenant, def) {
		return
	}
	d := a.of.count(&a.limit.Limit, def, after) - a.of.count(&a.limit.Limit, def, before)
	if d > 0 {
		a.room, a.rest = a.room-d, a.rest-d // what ends is given back once it is committed
	} else {
		a.ends -= d
	}
	a.delta += d
}

// forSaga is what Decide is told of a saga whose turn it is, or is not.
func (a *allowance) forSaga(turn bool) saga.Limit {
	l := a.of.describe(&a.limit.Limit)
	if l.Room = a.rest; turn {
		l.Room = a.room
	}
	return l
}

func (b *bound) describe(l *Limit) saga.Limit {
	out := saga.Limit{Begins: b.begins, What: "commands of " + l.Target(), Figure: fmt.Sprintf("%d of %d", b.out, b.max)}
	if b.begins {
		out.What = "sagas of " + l.Target()
	}
	out.Participant = l.Participant()
	return out
}
