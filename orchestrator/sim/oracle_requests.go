package sim

import (
	"errors"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

type stepKey struct {
	saga saga.ID
	step string
}

type businessKey struct{ tenant, saga, key string }

type revisionKey struct {
	saga     saga.ID
	revision int64
}

// keyHolders are the sagas that had a business key, in turn.
type keyHolders struct{ list []*track }

// keyTaken holds that one live saga at a time has a business key, and that its next owner was let to have it.
func (o *oracle) keyTaken(t *track, r *request) {
	key := businessKey{t.tenant, t.def.Name, t.in.Key}
	k := o.keys[key]
	if k == nil {
		k = &keyHolders{}
		o.keys[key] = k
	}
	if n := len(k.list); n > 0 {
		old := k.list[n-1]
		switch {
		case !old.in.Status.Terminal():
			o.w.violate("S2", "two live sagas have key %q: %s and %s", key.key, old.id, t.id)
		case r.Reuse == orchestrator.ReuseNever, r.Reuse != orchestrator.ReuseAllow && old.in.Status == saga.Completed:
			o.w.violate("S2", "%s took key %q from %s, which is %s, under reuse %q", t.id, key.key, old.id, old.in.Status, r.Reuse)
		}
	}
	k.list = append(k.list, t)
}

// keyShared looks at a start that is answered with the saga that has its key.
func (o *oracle) keyShared(r *request, t *track) {
	if t.in.Key == "" || t.def.Name != r.Saga || string(t.in.Input) != string(r.Input) {
		o.w.violate("S2", "a start of %s is answered with %s, which has another input or no key", r.Saga, t.id)
	}
}

// keyRefused looks at a start that is refused because another saga has its key.
func (o *oracle) keyRefused(r *request, by *orchestrator.KeyInUseError) {
	t := o.tracks[by.ID]
	switch {
	case t == nil:
		o.w.violate("S1", "key %q is said to be in use by %s, which does not exist", by.Key, by.ID)
	case t.tenant != r.Tenant:
		o.w.violate("S23", "key %q of %s is said to be in use by %s of %s", by.Key, r.Tenant, by.ID, t.tenant)
	case t.in.Key != by.Key || t.def.Name != r.Saga || string(t.in.Input) == string(r.Input):
		o.w.violate("S2", "key %q is said to be in use by %s, which has key %q and the input %s", by.Key, by.ID, t.in.Key, t.in.Input)
	}
}

// asked notes what an operator asks for.
func (o *oracle) asked(d *deed) {
	o.deeds[d.RequestID] = d
	if d.Act.Payload != nil {
		o.corrected[stepKey{d.ID, d.Act.Step}] = true
	}
}

// acted judges what an operator is told (S17, S19, S23, and that nothing is done without its audit row).
func (o *oracle) acted(d *deed, a orchestrator.Acted, err error) {
	t := o.tracks[d.ID]
	var overloaded *orchestrator.OverloadedError
	var refused *saga.RefusedError
	switch {
	case errors.Is(err, orchestrator.ErrStopping), errors.As(err, &overloaded):
		return
	case errors.Is(err, orchestrator.ErrNotFound):
		if d.Tenant == t.tenant {
			o.w.violate("S1", "%s is not found by its tenant", d.ID)
		}
	case d.Tenant != t.tenant:
		o.w.violate("S23", "somebody of %s acts on %s of %s: %v", d.Tenant, d.ID, t.tenant, err)
	case err == nil:
		o.done(t, d, a)
	case errors.Is(err, orchestrator.ErrRevision):
		if d.IfRevision == 0 || d.IfRevision == t.stored && !d.answered {
			o.w.violate("S17", "%s of %s is refused for its revision %d, which is right", d.Act.Action, d.ID, d.IfRevision)
		}
	case errors.As(err, &refused):
		o.refused(t, d, refused)
	default:
		o.w.violate("world", "%s of %s is answered with: %v", d.Act.Action, d.ID, err)
	}
	if d.answered && d.accepted != (err == nil) {
		o.w.violate("S2", "%s of %s under one Idempotency-Key is answered in two ways: %v", d.Act.Action, d.ID, err)
	}
	d.answered, d.accepted = true, err == nil
}

func (o *oracle) done(t *track, d *deed, a orchestrator.Acted) {
	if !o.audited[d.RequestID] {
		o.w.violate("S3", "%s of %s is answered and has no audit row", d.Act.Action, d.ID)
	}
	if a.Revision > t.stored {
		o.w.violate("S1", "%s of %s is answered with revision %d before it is committed", d.Act.Action, d.ID, a.Revision)
	}
	if d.IfRevision > 0 && a.Changed {
		if a.Revision != d.IfRevision+1 {
			o.w.violate("S17", "%s of %s was asked for revision %d and made revision %d", d.Act.Action, d.ID, d.IfRevision, a.Revision)
		}
		key := revisionKey{d.ID, d.IfRevision}
		if other := o.revised[key]; other != "" && other != d.RequestID {
			o.w.violate("S17", "%s and %s both changed revision %d of %s", other, d.RequestID, d.IfRevision, d.ID)
		}
		o.revised[key] = d.RequestID
	}
	if d.Act.Action == saga.ActionCancel {
		t.cancelled = true
	}
}

func (o *oracle) refused(t *track, d *deed, err *saga.RefusedError) {
	switch err.Code {
	case saga.CodePastPivot:
		if t.pastPivot = true; !t.passed {
			o.w.violate("S19", "a cancel of %s is refused for the pivot, which is not passed", d.ID)
		}
	case saga.CodeEnded:
		if !t.in.Status.Terminal() {
			o.w.violate("S16", "%s of %s is refused because it has ended, and it is %s", d.Act.Action, d.ID, t.in.Status)
		}
	}
}

// cancelled holds S19: what a client was told of a cancel is what became of the saga.
func (o *oracle) cancelled(t *track) {
	if t.pastPivot && t.aborting {
		o.w.violate("S19", "%s is undone although a cancel was refused for its pivot\n%s", t.id, o.tell(t, nil))
	}
	if !t.cancelled || t.in.Status != saga.Completed {
		return
	}
	for i := range t.facts {
		if t.facts[i].Type == saga.CancelRefused {
			return
		}
	}
	o.w.violate("S19", "%s completed: its cancel was accepted and never refused\n%s", t.id, o.tell(t, nil))
}
