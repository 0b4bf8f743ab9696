package sim

import "github.com/skaldhq/skald/orchestrator/saga"

// rebound holds S20: a saga leaves the version that it began on by a saga.rebound alone, for one with the same graph.
func (o *oracle) rebound(t *track, f *saga.Fact) {
	to := o.w.people.plan(t.tenant, t.def.Name, f.Rebound.To)
	switch {
	case f.Rebound.From != t.def.Version:
		o.breach("S20", t, f, "it is said to have been on version %d, and was on %d", f.Rebound.From, t.def.Version)
	case to == nil:
		o.breach("S20", t, f, "its tenant has no version %d", f.Rebound.To)
		return
	case len(to.def.Steps) != len(t.def.Steps):
		o.breach("S20", t, f, "version %d has other steps", f.Rebound.To)
		return
	}
	t.plan, t.def = to, to.def
}

// commandOf is the command of an attempt: a probe asks about an execute.
func commandOf(k commandKey) commandKey {
	if k.verb == saga.Probe {
		k.verb = saga.Execute
	}
	return k
}
