package sim

import (
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// limitPlan is a limit as it was for a while, by the world's time.
type limitPlan struct {
	orchestrator.Limit
	set, lifted time.Time // lifted zero: it is in force
	replaced    bool      // by another one of its name
}

// limitKnown is when every replica that judges anything knows of a change: none goes by what is older than 15 s, but it may be slow to
// begin its transaction, or have its clock set back meanwhile.
const limitKnown = time.Minute

// limitExempt is how long what waits for no limit may make room for others once it has ended.
const limitExempt = 45 * time.Second

// bounded notes a limit, and answers its place.
func (o *oracle) bounded(l orchestrator.Limit) int {
	for i := range o.limits {
		if x := &o.limits[i]; x.lifted.IsZero() && x.Tenant == l.Tenant && x.Scope == l.Scope && x.Name == l.Name {
			x.lifted, x.replaced = o.w.now, true
		}
	}
	o.limits = append(o.limits, limitPlan{Limit: l, set: o.w.now})
	return len(o.limits) - 1
}

// limited holds rule 10: a step waits for a limit that there is, or was until lately.
func (o *oracle) limited(t *track, f *saga.Fact, i int) {
	for j := range o.limits {
		l := &o.limits[j]
		mine := l.Tenant == t.tenant && (l.Scope == orchestrator.HoldParticipant && l.Name == t.def.Steps[i].Participant || l.Scope == orchestrator.HoldSagaType && l.Name == t.def.Name)
		if mine && (l.lifted.IsZero() || o.w.now.Sub(l.lifted) < limitKnown) {
			return
		}
	}
	o.breach("rule 10", t, f, "it waits for a limit, and there is none")
}

// withinLimits holds the bound that the engine promises: fewer than twice a limit's with shares rounded up, of what came since all knew
// of it. What waits for no limit makes room for others when it ends.
func (o *oracle) withinLimits() {
	now := o.w.now
	o.exempt = slices.DeleteFunc(o.exempt, func(at time.Time) bool { return now.Sub(at) > limitExempt })
	for j := range o.limits {
		l := &o.limits[j]
		known := l.set.Add(limitKnown)
		if !l.lifted.IsZero() || now.Before(known) {
			continue
		}
		commands, begun := 0, 0
		for _, t := range o.ordered {
			if t.tenant != l.Tenant || t.in.Status.Terminal() || t.in.Broken != "" || l.Scope == orchestrator.HoldSagaType && t.def.Name != l.Name {
				continue
			}
			first := time.Time{}
			for i := range t.steps {
				s := &t.steps[i]
				if s.began.IsZero() {
					continue
				}
				if first.IsZero() || s.began.Before(first) {
					first = s.began
				}
				mine := l.Scope == orchestrator.HoldSagaType || t.def.Steps[i].Participant == l.Name
				if st := t.in.Steps[i].Status; mine && !s.began.Before(known) && (st == saga.InFlight || st == saga.BackingOff) {
					commands++
				}
			}
			if !first.IsZero() && !first.Before(known) {
				begun++
			}
		}
		if l.Commands > 0 && commands > o.atMost(l.Commands) {
			o.w.violate("rule 10", "%d commands are out under a limit of %d on %s", commands, l.Commands, l.Target())
		}
		if l.Sagas > 0 && begun > o.atMost(l.Sagas) {
			o.w.violate("rule 10", "%d sagas have begun under a limit of %d on %s", begun, l.Sagas, l.Target())
		}
	}
}

// atMost is what a bound comes to: while one replica has just seen how much is out, the others may still have all of their shares. One
// of them may not be known to them yet.
func (o *oracle) atMost(bound int) int {
	others := len(o.w.replicas) - 1
	if others > 0 {
		bound += others * ((bound + others - 1) / others)
	}
	return bound + len(o.exempt)
}
