package sim

import (
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// holdPlan is a hold as it was for a while: a breaker that opens again has another plan from then on.
type holdPlan struct {
	orchestrator.Hold
	since, until time.Time // until zero: it is in force
}

// held notes a hold, and answers its place.
func (o *oracle) held(h orchestrator.Hold) int {
	if h.From.IsZero() {
		h.From = o.dbNow()
	}
	since := o.dbNow()
	if h.From.After(since) { // of a breaker that opens again, after the clock was set back: it is in force from when it says
		since = h.From
	}
	o.holds = append(o.holds, holdPlan{Hold: h, since: since})
	return len(o.holds) - 1
}

// released notes that a hold was ended, letting sagas go over a time.
func (o *oracle) released(i int, h orchestrator.Hold) { o.holds[i].Hold = h }

// reopened notes that a breaker opened again, and answers its new place.
func (o *oracle) reopened(i int, h orchestrator.Hold) int {
	o.holds[i].until = o.dbNow()
	return o.held(h)
}

func (o *oracle) dbNow() time.Time { return o.w.database.now().UTC().Truncate(time.Microsecond) }

// holding says what stops step i of a saga at a time; empty: nothing. A breaker's old plan is over once it has opened again, but where
// the clock was set back its time may come again, and was before: then `doubt` says whether it counts.
func (o *oracle) holding(t *track, at time.Time, i int, doubt bool) string {
	if t.paused {
		return "pause"
	}
	for j := range o.holds {
		h := &o.holds[j]
		over := !h.until.IsZero() && !h.until.After(at)
		if !h.until.IsZero() && o.w.database.wentBack() {
			over = !doubt
		}
		if h.since.After(at) || over {
			continue
		}
		if end := h.EndsFor(t.id); !end.IsZero() && !end.After(at) {
			continue
		}
		mine := h.Tenant == t.tenant
		switch h.Scope {
		case orchestrator.HoldAll:
			return "all"
		case orchestrator.HoldTenant:
			if mine {
				return "tenant"
			}
		case orchestrator.HoldSagaType:
			if mine && h.Name == t.def.Name && (h.Version == 0 || h.Version == t.def.Version) {
				return "saga_type"
			}
		case orchestrator.HoldParticipant:
			if mine && h.Name == t.def.Steps[i].Participant {
				return "participant"
			}
		}
	}
	return ""
}

// wentBack reports whether the database's clock was set back, so that what it said before may lie ahead.
func (d *database) wentBack() bool {
	states := d.w.nemesis.states
	return states[FaultClockBack].hits+states[FaultFailover].hits > 0
}
