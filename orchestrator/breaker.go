package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Breaker says when the engine holds a participant by itself. Each replica counts what it commits; the hold is one for all.
type Breaker struct {
	Window   time.Duration // how far back answers and timeouts count; 0: there is no breaker
	Answers  int           // how many of them must there be at least
	Sagas    int           // in how many sagas must some have failed
	Share    float64       // how many of all must have failed, 0 to 1
	Pause    time.Duration // how long a breaker holds before it tries; doubled each time that trying fails
	PauseMax time.Duration
	Try      time.Duration // how long it takes until all sagas are let through again
}

// EngineActor is who acts in the audit where nobody asked for it.
const EngineActor = "engine"

// What is enough to judge by while a breaker tries.
const (
	tryFailures  = 3
	trySuccesses = 5
	// closeOver is how long sagas are let go over once a participant is well again: not all on it at once.
	closeOver = 5 * time.Second
)

// BreakerChange is what became of a breaker.
type BreakerChange string

// The changes of a breaker.
const (
	BreakerOpened   BreakerChange = "opened"
	BreakerReopened BreakerChange = "reopened" // trying failed; it holds for twice as long
	BreakerClosed   BreakerChange = "closed"
)

// breakers counts how participants answer, and opens, re-opens and closes their breakers. What is open is in the store alone: any
// replica may judge, whoever opened it, and one that nobody judges ends by itself.
type breakers struct {
	cfg      Breaker
	holds    Holds
	clock    Clock
	observer Observer
	log      *slog.Logger

	mu      sync.Mutex // guards what follows
	windows map[participantKey]*window
}

// window is what this replica has seen of one participant.
type window struct {
	tally tally
	tries count // since the breaker tries
	trial trial
}

// trial names one time that a breaker tries.
type trial struct {
	from  time.Time
	trips int
}

// saw counts what a committed transaction says.
func (b *breakers) saw(seen []sighting) {
	if b.cfg.Window <= 0 || len(seen) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	for _, s := range seen {
		w := b.windows[s.participantKey]
		if w == nil {
			w = &window{tally: tally{part: max(b.cfg.Window/tallyParts, 1)}}
			b.windows[s.participantKey] = w
		}
		w.tally.add(now, s, b.cfg.Sagas)
		w.tries.add(s, b.cfg.Sagas)
	}
}

// verdict is what is to be done about a participant.
type verdict struct {
	participantKey
	change BreakerChange
	reason string
	trips  int
}

// look judges every participant, given the holds at a time, and has the store do what follows.
func (b *breakers) look(ctx context.Context, at time.Time, holds []Hold) {
	if b.cfg.Window <= 0 {
		return
	}
	for _, v := range b.judge(at, holds) {
		if err := b.carryOut(ctx, v); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "a breaker is tried again", "participant", v.participant, "tenant", v.tenant, "change", string(v.change), "error", err)
		}
	}
}

func (b *breakers) judge(at time.Time, holds []Hold) (out []verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	keys := slices.SortedFunc(maps.Keys(b.windows), func(x, y participantKey) int {
		return strings.Compare(x.tenant+"\x00"+x.participant, y.tenant+"\x00"+y.participant)
	})
	for _, key := range keys {
		w := b.windows[key]
		all := w.tally.sum(now, b.cfg.Sagas)
		open := openBreaker(holds, key)
		switch {
		case open == nil && all.good+all.bad == 0:
			delete(b.windows, key)
		case open == nil && b.mayNot(at, holds, key):
			w.tally = tally{part: w.tally.part}
		case open == nil:
			if all.good+all.bad >= b.cfg.Answers && len(all.sagas) >= b.cfg.Sagas && all.fails(b.cfg.Share) {
				reason := fmt.Sprintf("%d of %d answers within %s were failures or timeouts", all.bad, all.good+all.bad, b.cfg.Window)
				out = append(out, verdict{key, BreakerOpened, reason, b.tripsBefore(at, holds, key) + 1})
				w.tally = tally{part: w.tally.part}
			}
		default:
			w.tally = tally{part: w.tally.part} // what is seen under a hold, or while trying, is no reason to open it anew
			if v, some := b.tried(at, w, key, open); some {
				out = append(out, v)
			}
		}
	}
	for i := range holds {
		if h := &holds[i]; h.Kind == HoldBreaker && h.To.IsZero() && h.State(at) == HoldEnded {
			out = append(out, verdict{participantKey{h.Tenant, h.Name}, BreakerClosed, "all are let through, and too little fails to hold them again", h.Trips})
		}
	}
	return out
}

// tried judges an open breaker by the sagas that it let through.
func (b *breakers) tried(at time.Time, w *window, key participantKey, open *Hold) (verdict, bool) {
	if this := (trial{open.From, open.Trips}); open.State(at) != HoldTrying || w.trial != this {
		w.tries = count{} // what was seen before it tries is about the time before
		if open.State(at) == HoldTrying {
			w.trial = this
		}
		return verdict{}, false
	}
	n, of := w.tries, w.tries.good+w.tries.bad
	switch {
	case n.bad >= tryFailures && n.fails(b.cfg.Share):
		return verdict{key, BreakerReopened, fmt.Sprintf("%d of %d tries failed or timed out", n.bad, of), open.Trips + 1}, true
	case n.good >= trySuccesses && !n.fails(b.cfg.Share):
		return verdict{key, BreakerClosed, fmt.Sprintf("%d of %d tries were answered", n.good, of), open.Trips}, true
	}
	return verdict{}, false
}

// openBreaker is the participant's breaker that nobody has closed and that still holds somebody; nil: none.
func openBreaker(holds []Hold, key participantKey) *Hold {
	i := slices.IndexFunc(holds, func(h Hold) bool { return h.isBreakerOf(key) && h.To.IsZero() })
	if i < 0 {
		return nil
	}
	return &holds[i]
}

func (h *Hold) isBreakerOf(key participantKey) bool {
	return h.Kind == HoldBreaker && h.Tenant == key.tenant && h.Name == key.participant
}

// mayNot reports whether operators have the say: one of them holds the participant, or ended its breaker lately.
func (b *breakers) mayNot(at time.Time, holds []Hold, key participantKey) bool {
	return slices.ContainsFunc(holds, func(h Hold) bool {
		switch {
		case h.isBreakerOf(key):
			return !h.To.IsZero() && h.EndedBy != EngineActor && at.Sub(h.To) < b.cfg.PauseMax
		case h.State(at) == HoldEnded:
			return false
		case h.Scope == HoldParticipant:
			return h.Tenant == key.tenant && h.Name == key.participant
		}
		return h.Scope == HoldAll || h.Scope == HoldTenant && h.Tenant == key.tenant
	})
}

// tripsBefore is how often the participant's breaker had opened when it was closed too early to believe that all is well.
func (b *breakers) tripsBefore(at time.Time, holds []Hold, key participantKey) (trips int) {
	for i := range holds {
		if h := &holds[i]; h.isBreakerOf(key) && h.EndedBy == EngineActor && at.Sub(h.To) < b.pause(h.Trips)+b.cfg.Try {
			trips = max(trips, h.Trips)
		}
	}
	return trips
}

// pause is how long a breaker that opens for the nth time holds before it tries.
func (b *breakers) pause(trips int) time.Duration {
	d := b.cfg.Pause
	for ; trips > 1 && d < b.cfg.PauseMax; trips-- {
		d *= 2
	}
	return min(d, max(b.cfg.PauseMax, b.cfg.Pause))
}

// carryOut has the store do it, unless another replica was faster or an operator has ended the hold.
func (b *breakers) carryOut(ctx context.Context, v verdict) error {
	rows, err := b.holds.Holds(ctx, v.tenant)
	if err != nil {
		return fmt.Errorf("list holds: %w", err)
	}
	row := HoldRow{Hold: Hold{Tenant: v.tenant, Scope: HoldParticipant, Name: v.participant, Kind: HoldBreaker, By: EngineActor, Trips: v.trips}}
	i := slices.IndexFunc(rows, func(r HoldRow) bool { return r.isBreakerOf(v.participantKey) && r.To.IsZero() })
	if (i < 0) != (v.change == BreakerOpened) {
		return nil
	}
	if i >= 0 {
		if row = rows[i]; v.change == BreakerReopened && row.Trips+1 != v.trips || v.change == BreakerClosed && row.Trips != v.trips {
			return nil
		}
	}
	row.Reason, row.TryFor = v.reason, b.cfg.Try
	pause := b.pause(v.trips)
	audit := Audit{Tenant: v.tenant, Actor: EngineActor, Action: "breaker." + string(v.change), Target: row.Target(), Reason: v.reason}
	done := true
	if v.change == BreakerClosed {
		err = b.holds.EndHold(ctx, v.tenant, row.ID, min(closeOver, b.cfg.Try), audit)
	} else {
		audit.Detail = json.RawMessage(fmt.Sprintf(`{"trips":%d,"pause_seconds":%g}`, v.trips, pause.Seconds()))
		done, err = b.holds.Trip(ctx, row, pause, audit)
	}
	switch {
	case errors.Is(err, ErrNotFound): // somebody else has closed it
		return nil
	case err != nil:
		return fmt.Errorf("breaker of %s: %w", v.participant, err)
	case !done:
		return nil
	}
	b.log.WarnContext(ctx, "a breaker changed", "participant", v.participant, "tenant", v.tenant, "change", string(v.change), "reason", v.reason, "trips", v.trips)
	b.observer.Breaker(v.participant, v.change)
	return nil
}
