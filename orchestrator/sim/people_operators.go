package sim

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// deed is one thing that an operator asked for.
type deed struct {
	orchestrator.ActRequest
	answered bool
	accepted bool
}

// wishes are the actions, as often as operators have them.
var wishes = []saga.Action{
	saga.ActionCancel, saga.ActionCancel, saga.ActionCancel, saga.ActionPause, saga.ActionPause, saga.ActionResume,
	saga.ActionRetry, saga.ActionRetry, saga.ActionRetry, saga.ActionComplete, saga.ActionReject, saga.ActionSkip, saga.ActionSkip,
	saga.ActionWaive, saga.ActionAcknowledge, saga.ActionAbandon,
}

// operate does something to a saga, wise or not: one operator, or three at once that saw the same revision (F34).
func (p *people) operate() {
	if len(p.sagas) == 0 {
		return
	}
	ref := p.sagas[p.rng.IntN(len(p.sagas))]
	in := &p.w.oracle.tracks[ref.id].in
	switch p.rng.IntN(8) {
	case 0:
		for range 3 {
			p.ask(ref, p.wish(in), in.Revision)
		}
	case 1:
		p.ask(ref, p.wish(in), max(1, in.Revision-int64(p.rng.IntN(2))))
	case 2:
		p.ask(sagaRef{"somebody-else", ref.id}, p.wish(in), 0)
	default:
		p.ask(ref, p.wish(in), 0)
	}
}

// wish draws an action, mostly about a step that it fits.
func (p *people) wish(in *saga.Instance) saga.Acted {
	if to := 3 - in.Version; p.plan(in.Tenant, in.Saga, to) != nil && p.rng.IntN(6) == 0 {
		return saga.Acted{Action: saga.ActionRebind, Version: to, Reason: "sim", By: "operator-7"}
	}
	a := saga.Acted{Action: wishes[p.rng.IntN(len(wishes))], Reason: "sim", By: fmt.Sprintf("operator-%d", p.rng.IntN(3))}
	if a.Action == saga.ActionAbandon && p.rng.IntN(3) > 0 {
		a.Action = saga.ActionCancel
	}
	if !a.Action.NeedsStep() {
		return a
	}
	i := p.rng.IntN(len(in.Steps))
	for j := range in.Steps {
		if fits(a.Action, in.Steps[j].Status) && p.rng.IntN(4) > 0 {
			i = j
		}
	}
	p.about(in, &a, i)
	return a
}

// about completes an action about a step.
func (p *people) about(in *saga.Instance, a *saga.Acted, i int) {
	a.Step = p.plan(in.Tenant, in.Saga, in.Version).def.Steps[i].Name
	switch a.Action {
	case saga.ActionRetry:
		if p.rng.IntN(3) == 0 {
			a.Payload = json.RawMessage(`{"corrected": true}`)
		}
	case saga.ActionComplete:
		a.Output = json.RawMessage(`{"by":"operator"}`)
		if p.rng.IntN(6) == 0 {
			a.Output = json.RawMessage(`[]`)
		}
	case saga.ActionSkip:
		if p.rng.IntN(2) == 0 {
			a.Output = json.RawMessage(`{"by":"nobody"}`)
		}
	case saga.ActionReject, saga.ActionWaive, saga.ActionCancel, saga.ActionPause, saga.ActionResume, saga.ActionAbandon, saga.ActionAcknowledge, saga.ActionRebind:
	}
}

// fits reports whether a wise operator would do that to a step.
func fits(a saga.Action, s saga.StepStatus) bool {
	switch a {
	case saga.ActionRetry:
		return s == saga.BackingOff || s == saga.UndoBackingOff || s == saga.UndoFailed || s == saga.Stuck
	case saga.ActionComplete, saga.ActionReject:
		return s == saga.InFlight || s == saga.BackingOff || s == saga.Stuck || s == saga.UndoFailed
	case saga.ActionSkip:
		return s == saga.Held || s == saga.Stuck
	case saga.ActionWaive:
		return s == saga.UndoFailed
	case saga.ActionCancel, saga.ActionPause, saga.ActionResume, saga.ActionAbandon, saga.ActionAcknowledge, saga.ActionRebind:
	}
	return false
}

// ask sends an action to some replica. Some repeat theirs under its Idempotency-Key.
func (p *people) ask(ref sagaRef, act saga.Acted, revision int64) {
	p.acts++
	d := &deed{ActRequest: orchestrator.ActRequest{
		Tenant: ref.tenant, ID: ref.id, Act: act, IfRevision: revision, RequestID: fmt.Sprintf("act-%d", p.acts),
	}}
	send := func() {
		p.send(d)
		if act.Action == saga.ActionPause {
			p.resume(ref)
		}
	}
	if p.rng.IntN(3) == 0 {
		d.IdempotencyKey = d.RequestID
		p.w.after(p.within(20_000), func() {
			d.Act.By = "operator-8" // who asks is no part of the request
			send()
		})
	}
	p.w.oracle.asked(d)
	send()
}

func (p *people) send(d *deed) {
	r := p.replica()
	if r == nil {
		return
	}
	p.w.note("act", string(d.Act.Action), d.ID.String())
	err := r.engine.OfferAct(d.ActRequest, func(a orchestrator.Acted, err error) { p.w.oracle.acted(d, a, err) })
	if err != nil {
		p.w.oracle.acted(d, orchestrator.Acted{}, err)
	}
}

// resume ends a pause sooner or later, whoever is alive by then.
func (p *people) resume(ref sagaRef) {
	p.w.after(time.Second+p.within(30_000), func() {
		t := p.w.oracle.tracks[ref.id]
		if t.in.Pause == nil || t.in.Status.Terminal() || t.in.Broken != "" {
			return
		}
		p.ask(ref, saga.Acted{Action: saga.ActionResume, Reason: "sim", By: "operator-0"}, 0)
		p.resume(ref)
	})
}

// unpause sees to it, in the second phase, that no pause is forgotten.
func (p *people) unpause() {
	again := p.w.oracle.operating() // which may pause more
	for _, t := range p.w.oracle.ordered {
		if t.in.Status.Terminal() {
			continue
		}
		again = again || t.in.Status != saga.Suspended
		if t.in.Pause != nil && t.in.Broken == "" {
			p.ask(sagaRef{t.in.Tenant, t.in.ID}, saga.Acted{Action: saga.ActionResume, Reason: "sim", By: "operator-0"}, 0)
			again = true
		}
	}
	if again {
		p.w.after(10*time.Second, p.unpause)
	}
}

// resolve looks after what needs a person, until everything has ended.
func (p *people) resolve() {
	alive := false
	for _, t := range p.w.oracle.ordered {
		if t.in.Status.Terminal() {
			continue
		}
		alive = true
		if t.in.Status == saga.Suspended {
			p.rescue(t)
		}
	}
	if alive || p.w.pending > 0 { // a client may still be waiting for its saga
		p.w.after(5*time.Second+p.within(5000), p.resolve)
	}
}

// rescue does what a person would, and gives up in the end.
func (p *people) rescue(t *track) {
	t.rescues++
	ref := sagaRef{t.in.Tenant, t.in.ID}
	if t.rescues > 12 {
		p.ask(ref, saga.Acted{Action: saga.ActionAbandon, Reason: "sim", By: "operator-9"}, 0)
		return
	}
	for i := range t.in.Steps {
		s := &t.in.Steps[i]
		var may []saga.Action
		switch {
		case s.Status == saga.UndoFailed:
			may = []saga.Action{saga.ActionRetry, saga.ActionRetry, saga.ActionComplete, saga.ActionWaive}
		case s.Status != saga.Stuck:
			continue
		case s.Effect == saga.EffectNone:
			may = []saga.Action{saga.ActionRetry, saga.ActionRetry, saga.ActionSkip, saga.ActionComplete}
		default:
			may = []saga.Action{saga.ActionComplete, saga.ActionReject}
		}
		act := saga.Acted{Action: may[p.rng.IntN(len(may))], Reason: "sim", By: "operator-9"}
		p.about(&t.in, &act, i)
		p.ask(ref, act, 0)
		return
	}
}
