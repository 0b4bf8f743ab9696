package sim

import (
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// What was due may wait so long while a replica lives and nothing stands in its way (L3): a wake time is on the grid of 10 s, and
// swept every 2 s; a row of the outbox is anybody's 8 s after its commit, and swept as often.
const (
	wakesWithin = 5 * time.Second
	sentWithin  = 15 * time.Second
	goesWithin  = 6 * time.Second // once no hold stops it any more, of which every replica knows within a second
	watchEvery  = 2 * time.Second
)

// recovery watches, in the first phase, how long what is due waits.
type recovery struct {
	wakes  map[saga.ID]time.Time // of the database's clock; zero: ended
	faults int                   // how many but kills had happened at the last look
	clear  time.Time             // since then nothing but a kill has happened
	ahead  time.Duration         // of the database's clock, at the last look
}

// woken notes when a saga is to be looked at again.
func (r *recovery) woken(id saga.ID, at time.Time) {
	if r.wakes == nil {
		r.wakes = map[saga.ID]time.Time{}
	}
	r.wakes[id] = at
}

// watch looks again and again, up to the end of the first phase.
func (o *oracle) watch() {
	w, r := o.w, &o.recovery
	if w.nemesis.calm {
		return
	}
	w.meanwhile(watchEvery, o.watch)
	hindrances := 0
	for f, s := range w.nemesis.states {
		if hinders(f) {
			hindrances += s.hits
		}
	}
	if back := r.ahead - w.database.ahead; hindrances != r.faults || back != 0 {
		r.faults, r.ahead = hindrances, w.database.ahead
		if clear := w.now.Add(max(back, 0)); clear.After(r.clear) { // set back, timers are late by as much (F21)
			r.clear = clear
		}
	}
	since := r.clear
	if w.hindered.After(since) {
		since = w.hindered
	}
	if up := o.up(); up.After(since) {
		since = up
	}
	o.overdue(since)
	o.freed(since)
}

// freed looks for sagas that no hold stops any more, and that still wait for one.
func (o *oracle) freed(since time.Time) {
	w := o.w
	for _, t := range o.ordered {
		i := slices.IndexFunc(t.in.Steps, func(s saga.StepState) bool { return s.Status == saga.Held && s.LimitedAt.IsZero() })
		if i < 0 || t.in.Aborting || t.in.Broken != "" || t.in.Status.Terminal() || o.holding(t, o.dbNow(), i, true) != "" || o.holding(t, o.dbNow(), i, false) != "" {
			t.free = time.Time{}
			continue
		}
		if t.free.Before(since) { // or zero
			t.free = w.now
		}
		if late := w.now.Sub(t.free); late > goesWithin {
			w.violate("L3", "%s waits for a hold, and nothing has held it for %s\n%s", t.id, late, o.story(t.id))
			return
		}
	}
}

// up is since when some replica has lived without a break; now where none does.
func (o *oracle) up() time.Time {
	first := o.w.now
	for _, r := range o.w.replicas {
		if !r.away() && r.began.Before(first) {
			first = r.began
		}
	}
	return first
}

// overdue looks for what should have happened by now, if nothing has stood in the way since a time.
func (o *oracle) overdue(since time.Time) {
	w, r := o.w, &o.recovery
	for id, at := range r.wakes {
		if at.IsZero() {
			continue
		}
		due := at.Add(-w.database.ahead)
		if due.Before(since) {
			due = since
		}
		if late := w.now.Sub(due); late > wakesWithin {
			w.violate("L3", "%s was due at %s and is not looked at for %s\n%s", id, at, late, o.story(id))
			return
		}
	}
	for len(o.unseen) > 0 && o.unseen[0].seen {
		o.unseen = o.unseen[1:]
	}
	for _, c := range o.unseen {
		due := c.at
		if due.Before(since) {
			due = since
		}
		if late := w.now.Sub(due); !c.seen && late > sentWithin {
			w.violate("L3", "%s %s of %s was committed %s ago and is not sent\n%s", c.key.verb, c.key.step, c.key.saga, w.now.Sub(c.at), o.story(c.key.saga))
			return
		}
	}
}

// hinders reports whether a fault may slow the engine down where another replica lives.
func hinders(f Fault) bool {
	switch f {
	case FaultKill, FaultKillAll, FaultReplyTwice, FaultDiesBefore, FaultDiesAfter, FaultSilent, FaultParticipantFails, FaultDeliveryLate,
		FaultReplyLate, FaultReplyVeryLate, FaultParticipantDown, FaultKeepsOpen, FaultDiesOpen, FaultHeartbeats, FaultAnswersUnknown,
		FaultRetryAfter, FaultBadOutput, FaultProviderUnsure, FaultLieFlip, FaultLieTwice, FaultLieForged, FaultTokenForged, FaultHold,
		FaultHoldLong, FaultHoldRate, FaultHoldTries, FaultLimit, FaultOperation, FaultRedrive, FaultTokenSpoiled, FaultRecordTwice, FaultReplySpoiled, FaultReplyForged:
		return false
	default:
		return true
	}
}
