package orchestrator

import (
	"errors"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// NeedsNamedStep reports whether an action over many sagas must name its step. retry and waive may leave it out: they then mean
// every step of a saga that they can be about.
func NeedsNamedStep(a saga.Action) bool {
	return a.NeedsStep() && a != saga.ActionRetry && a != saga.ActionWaive
}

// eachStep does an action on every step of a saga that it can be about, one after the other. What one step refuses stops no other;
// the refusal is the answer when no step took it. decide judges one action upon those before it.
func eachStep(def *saga.Definition, in *saga.Instance, act saga.Acted, decide func(saga.Acted) (saga.Decision, error)) (saga.Decision, error) {
	var all saga.Decision
	var first *saga.RefusedError
	taken := false
	for i := range in.Steps {
		if !about(act.Action, in.Steps[i].Status) {
			continue
		}
		one := act
		one.Step = def.Steps[i].Name
		d, err := decide(one)
		var refused *saga.RefusedError
		switch {
		case errors.As(err, &refused):
			if first == nil {
				first = refused
			}
			continue
		case err != nil:
			return all, err
		}
		if taken {
			d.Facts, d.Commands = append(all.Facts, d.Facts...), append(all.Commands, d.Commands...)
			d.Outcome = min(d.Outcome, all.Outcome) // applied, where one was
		}
		all, taken = d, true
	}
	switch {
	case taken:
		return all, nil
	case first != nil:
		return all, first
	case in.Status.Terminal():
		return all, &saga.RefusedError{Code: saga.CodeEnded, Message: "the saga has ended (" + string(in.Status) + ")"}
	}
	return all, &saga.RefusedError{Code: saga.CodeNothingToDo, Message: "the saga has no step to " + string(act.Action)}
}

// about reports whether an action that names no step means a step of that status.
func about(a saga.Action, s saga.StepStatus) bool {
	if a == saga.ActionWaive {
		return s == saga.UndoFailed
	}
	return a == saga.ActionRetry && (s == saga.BackingOff || s == saga.Stuck || s == saga.UndoBackingOff || s == saga.UndoFailed)
}

// decideAct judges an operator's action within a batch.
func (f *forming) decideAct(w *working, it *item) (saga.Decision, error) {
	if !it.act.EachStep {
		return f.decide(w, it.event)
	}
	before := w.in // as it was; decide moves w on
	return eachStep(w.def, &before, it.act.Act, func(act saga.Acted) (saga.Decision, error) {
		return f.decide(w, saga.Event{ID: it.event.ID, Body: act})
	})
}

// rehearse judges an operator's action upon a saga as it was read.
func rehearse(def *saga.Definition, in saga.Instance, req *ActRequest, env saga.Env) (saga.Decision, error) {
	if !req.EachStep {
		return saga.Decide(def, in, saga.Event{ID: req.RequestID, Body: req.Act, Env: env})
	}
	before := in
	return eachStep(def, &before, req.Act, func(act saga.Acted) (saga.Decision, error) {
		d, err := saga.Decide(def, in, saga.Event{ID: req.RequestID, Body: act, Env: env})
		if err == nil {
			in = d.Next
			in.Revision = before.Revision // one transaction is one revision
			d.Next.Revision = before.Revision + 1
			env.Index += len(d.Commands)
		}
		return d, err
	})
}
