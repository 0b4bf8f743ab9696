package sim

import (
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// held notes a hold, and answers its place.
func (o *oracle) held(h orchestrator.Hold) int {
	h.From = o.dbNow()
	o.holds = append(o.holds, h)
	return len(o.holds) - 1
}

func (o *oracle) released(i int) { o.holds[i].To = o.dbNow() }

func (o *oracle) dbNow() time.Time { return o.w.database.now().UTC().Truncate(time.Microsecond) }

// holding says what stops step i of a saga at a time; empty: nothing.
func (o *oracle) holding(t *track, at time.Time, i int) string {
	if t.paused {
		return "pause"
	}
	for j := range o.holds {
		h := &o.holds[j]
		if h.From.After(at) || !h.To.IsZero() && !h.To.After(at) {
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
