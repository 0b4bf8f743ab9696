package orchestrator

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

const (
	// limitsEvery is how often limits are looked at, and limitsShare how much longer than a look took the next one waits, up to
	// limitsAtMost.
	limitsEvery  = time.Second
	limitsShare  = 20
	limitsAtMost = 10 * time.Second
	// limitsFor is how old a look may be for a batch to be formed by it.
	limitsFor = 15 * time.Second
	// limitsPage is how many of those that wait are known to a replica at a time.
	limitsPage = 1000
)

// limiter knows how much may begin under limits. What is out is counted in the store, about every second; in between each replica
// goes by its own share of the room that was left, which what it sees end gives back, up to its share of the whole bound. So fewer than
// twice the bound are ever let out, however many replicas there are and whatever dies: let `possible` be what is out, and what all
// replicas together may still let out. A start and an end change it not, or make it less; a look sets one replica's part to its share of
// what is left, so that it leaves possible at no more than bound + (replicas-1)/replicas of it, with shares rounded up.
type limiter struct {
	port    Limits // nil: there are no limits
	clock   Clock
	intake  *queue[*item]
	log     *slog.Logger
	replica string

	mu     sync.Mutex // guards what follows
	looked time.Time  // zero: never
	vain   time.Time  // when a batch last waited for a look that failed
	over   bool       // it draws to an end: nobody is fed any more
	limits []*limited
}

// limited is one limit as this replica knows it.
type limited struct {
	Limit
	bounds  []*bound
	held    int       // steps that waited when it was looked at
	waiting []saga.ID // sagas to be looked at when there is room, the oldest first
	after   saga.ID   // where the next page of them begins; zero: with the oldest
	fed     int       // looks that were asked for and have not come yet
	lifted  bool      // it was removed, and what waited for it is let go
	done    bool      // all that waited for it is known
}

// bound is one bound of a limit.
type bound struct {
	begins bool // it bounds sagas that have begun, else commands that are out
	max    int
	out    int // as it was counted
	share  int // the most that this replica may have room for
	room   int // how many it may let begin still
	starts int // that it ever committed
}

// run looks for as long as ctx lasts.
func (l *limiter) run(ctx context.Context) {
	for ctx.Err() == nil {
		began := l.clock.Now()
		if err := l.look(ctx); err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "looking at limits is tried again", "error", err)
		} else if err == nil {
			l.gather(ctx)
			l.feed()
		}
		l.clock.Sleep(ctx, min(max(limitsEvery, limitsShare*l.clock.Now().Sub(began)), limitsAtMost))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

// known makes sure that what is known of limits is not too old to go by. Where looks fail nothing begins under the limits that are
// known; whatever else a batch holds, compensations above all, goes on. A batch waits for such a look only now and then.
func (l *limiter) known(ctx context.Context) error {
	if l.port == nil {
		return nil
	}
	now := l.clock.Now()
	recent := func(t time.Time) bool { return !t.IsZero() && !t.After(now) && now.Sub(t) < limitsFor }
	l.mu.Lock()
	fresh, vain, never := recent(l.looked), recent(l.vain), l.looked.IsZero()
	l.mu.Unlock()
	if fresh {
		return nil
	}
	if !vain || never {
		err := l.look(ctx)
		if err == nil || never {
			return err
		}
		l.log.WarnContext(ctx, "nothing begins under a limit: looking at limits failed", "error", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !vain {
		l.vain = now
	}
	for _, x := range l.limits {
		for _, b := range x.bounds {
			b.room = min(b.room, 0)
		}
	}
	return nil
}

// look counts anew.
func (l *limiter) look(ctx context.Context) error {
	began := l.clock.Now()
	before := map[*bound]int{}
	l.mu.Lock()
	for _, x := range l.limits {
		for _, b := range x.bounds {
			before[b] = b.starts
		}
	}
	l.mu.Unlock()
	seen, err := l.port.LookAtLimits(ctx, l.replica)
	if err != nil {
		return fmt.Errorf("look at limits: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if began.Before(l.looked) { // a look that began later has come first
		return nil
	}
	l.looked = began
	old := l.limits
	l.limits = nil
	for i := range seen.Uses {
		l.limits = append(l.limits, l.took(&seen.Uses[i], max(seen.Replicas, 1), old, before))
	}
	for _, x := range old {
		if l.find(l.limits, &x.Limit) != nil || x.done && len(x.waiting) == 0 {
			continue
		}
		if !x.lifted {
			x = &limited{Limit: x.Limit, lifted: true}
		}
		l.limits = append(l.limits, x)
	}
	return nil
}

// took is a limit by what was counted. What this replica let begin since the look began may have been counted or not.
func (l *limiter) took(use *LimitUse, replicas int, old []*limited, before map[*bound]int) *limited {
	x := &limited{Limit: use.Limit, held: use.Waiting}
	was := l.find(old, &use.Limit)
	if was != nil {
		x.waiting, x.after = was.waiting, was.after
	}
	for _, b := range []*bound{{begins: true, max: use.Sagas, out: use.Begun}, {max: use.Commands, out: use.Out}} {
		if b.max == 0 {
			continue
		}
		b.share = (b.max + replicas - 1) / replicas
		if b.room = b.max - b.out; b.room > 0 { // below 0 what ends leaves no room yet
			b.room = (b.room + replicas - 1) / replicas
		}
		if was != nil {
			for _, o := range was.bounds {
				if o.begins == b.begins {
					b.starts = o.starts
					b.room -= o.starts - before[o]
				}
			}
		}
		x.bounds = append(x.bounds, b)
	}
	return x
}

func (*limiter) find(in []*limited, l *Limit) *limited {
	for _, x := range in {
		if x.Tenant == l.Tenant && x.Scope == l.Scope && x.Name == l.Name {
			return x
		}
	}
	return nil
}

// gather learns who waits, also where there is no room yet: whoever is known goes on at once when there is.
func (l *limiter) gather(ctx context.Context) {
	l.mu.Lock()
	limits := append([]*limited(nil), l.limits...)
	l.mu.Unlock()
	for _, x := range limits {
		l.mu.Lock()
		ask, after := len(x.waiting) == 0 && (x.held > 0 || x.lifted && !x.done), x.after
		l.mu.Unlock()
		if !ask {
			continue
		}
		ids, err := l.port.Limited(ctx, x.Tenant, x.Scope, x.Name, after, limitsPage)
		if err != nil {
			if ctx.Err() == nil {
				l.log.WarnContext(ctx, "looking for what waits for a limit is tried again", "error", err)
			}
			return
		}
		l.mu.Lock()
		x.waiting, x.after, x.fed, x.done = ids, saga.ID{}, 0, len(ids) < limitsPage
		if !x.done {
			x.after = ids[len(ids)-1]
		}
		l.mu.Unlock()
	}
}

// room is how many of those that wait may be looked at.
func (x *limited) room() int {
	if x.lifted {
		return limitsPage
	}
	room := 0
	for _, b := range x.bounds {
		room = max(room, b.room)
	}
	return room
}

// feed has as many of those that wait be looked at as there is room for, the oldest first.
func (l *limiter) feed() {
	if l.port == nil {
		return
	}
	var items []*item
	l.mu.Lock()
	for _, x := range l.limits {
		if l.over {
			break
		}
		n := min(max(0, x.room()-x.fed), len(x.waiting))
		for _, id := range x.waiting[:n] {
			items = append(items, &item{id: id, event: saga.Event{Body: saga.Woken{}}, fed: x})
		}
		x.waiting = x.waiting[n:]
		x.fed += n
	}
	l.mu.Unlock()
	for _, it := range items {
		if !l.intake.Offer(laneReplies, it) {
			return // full: there is enough to do, and the next look finds the others again
		}
	}
}

// around is what limits say to people and rehearsals about a saga of a definition.
func (l *limiter) around(tenant string, def *saga.Definition) (out []saga.Limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.limits {
		for _, b := range x.bounds {
			if x.Concerns(tenant, def) {
				s := b.describe(&x.Limit)
				s.Room = b.room
				out = append(out, s)
			}
		}
	}
	return out
}
