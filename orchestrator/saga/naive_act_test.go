package saga_test

import (
	"github.com/skaldhq/skald/orchestrator/saga"
)

// act is rule 12. It reports whether the wish was granted; one that was not changed nothing.
func (n *naive) act(a saga.Acted) bool {
	i := n.index(a.Step)
	if a.Action.NeedsStep() && i < 0 {
		return false
	}
	if n.ended() && a.Action != saga.ActionAcknowledge {
		return false
	}
	switch a.Action {
	case saga.ActionCancel:
		return n.cancel()
	case saga.ActionPause:
		was := n.paused
		n.paused = true
		return !was
	case saga.ActionResume:
		was := n.paused
		n.paused = false
		return was
	case saga.ActionRetry:
		return n.retry(i, a)
	case saga.ActionComplete:
		return n.complete(i, a)
	case saga.ActionReject:
		return n.reject(i)
	case saga.ActionSkip:
		return n.skip(i, a)
	case saga.ActionWaive:
		if n.steps[i].status != saga.UndoFailed {
			return false
		}
		n.setEffect(i, saga.EffectWaived, true)
		n.move(i, saga.Waived)
		return true
	case saga.ActionAbandon:
		n.close(saga.Abandoned)
		return true
	case saga.ActionAcknowledge:
		return n.acknowledge(a.Step)
	case saga.ActionRebind:
		return n.rebind(a.To)
	}
	return false
}

// cancel: rule 8.
func (n *naive) cancel() bool {
	switch {
	case n.aborting: // "While compensating: cancel 202 without change"
	case n.passed(): // "Once passed: cancel is 409 `past_pivot`"
		return false
	case n.pivotOut(): // "While its command is out they wait (cancel: 202, `pending`)"
		n.cancelWaiting = true
	default:
		n.abort(saga.AbortCancelled)
	}
	return true
}

// retry: "`backing_off`, `undo_backing_off`, `undo_failed`, `stuck` with effect `none`; forward ones never while aborting. Sends
// now, renews the budget [...]. A new edition exactly when the last answer was `rejected`; a corrected payload only then
// (compensations too) or before a command exists, else 409 `effect_possible`. Not for `bad_output` (409)."
func (n *naive) retry(i int, a saga.Acted) bool {
	s := &n.steps[i]
	backwards := s.status == saga.UndoBackingOff || s.status == saga.UndoFailed
	forwards := s.status == saga.BackingOff || s.status == saga.Stuck && s.effect == saga.EffectNone && s.why != saga.AttentionBadOutput
	if !backwards && !forwards || forwards && n.aborting || n.held(i) {
		return false
	}
	leg := &s.f
	if backwards {
		leg = &s.b
	}
	rejected := leg.answer == saga.ReplyRejected
	if a.Payload != nil && leg.created && !rejected {
		return false
	}
	leg.sends = 0
	n.clearStep(i) // an operator's retry moves the step
	switch {
	case leg.created && !rejected && backwards:
		n.send(i, saga.Compensate, false)
	case leg.created && !rejected:
		n.send(i, saga.Execute, s.f.probing && s.status == saga.BackingOff)
	case backwards && leg.created && a.Payload == nil:
		n.undo(i, leg.payload)
	case backwards:
		n.undo(i, a.Payload)
	default: // READING of "Sends now": a `when` that failed is not asked again, the operator has answered it
		n.create(i, a.Payload)
	}
	return true
}

// complete: "`in_flight`, `backing_off`, `stuck` (with effect `none` not while aborting: 409) become `succeeded`, effect
// `certain`; `undo_failed` becomes `undone`; an `unknown` step is only lifted to `certain` and still compensated."
func (n *naive) complete(i int, a saga.Acted) bool {
	s := &n.steps[i]
	switch s.status {
	case saga.InFlight, saga.BackingOff, saga.Stuck:
		if s.status == saga.Stuck && s.effect == saga.EffectNone && n.aborting {
			return false
		}
		if !n.aborting && s.Returns != nil && s.Returns.Validate(nullFor(a.Output)) != nil { // clarification (g)
			return false
		}
		s.output = a.Output
		n.setEffect(i, saga.EffectCertain, true)
		n.move(i, saga.Succeeded)
	case saga.UndoFailed:
		n.setEffect(i, saga.EffectUndone, true)
		s.undoneByNothing = false
		n.move(i, saga.Undone)
	case saga.Unknown: // READING: where there is nothing to lift it is refused; the output serves the compensation's payload
		if s.effect != saga.EffectPossible {
			return false
		}
		if a.Output != nil {
			s.output = a.Output
		}
		n.setEffect(i, saga.EffectCertain, true)
	default:
		return false
	}
	return true
}

// reject: "`in_flight`, `backing_off`, or `stuck` with effect `possible`, of a compensatable step or the pivot. With a
// compensation it becomes `unknown` and abort begins; without, `rejected` with the effect still `possible` [...]. Retriable: 409."
// READING: abort begins in both cases.
func (n *naive) reject(i int) bool {
	s := &n.steps[i]
	open := s.status == saga.InFlight || s.status == saga.BackingOff || s.status == saga.Stuck && s.effect == saga.EffectPossible
	if !open || s.Kind == saga.Retriable {
		return false
	}
	if s.Compensation != nil {
		n.move(i, saga.Unknown)
	} else {
		n.move(i, saga.Rejected)
	}
	n.abort(saga.AbortStepRejected)
	return true
}

// skip: "a `held` or `stuck` step with effect `none`, predecessors settled, not while aborting; output null or given."
func (n *naive) skip(i int, a saga.Acted) bool {
	s := &n.steps[i]
	if s.status != saga.Held && s.status != saga.Stuck || s.effect != saga.EffectNone || n.aborting || !n.predecessorsSettled(i) {
		return false
	}
	s.output = a.Output
	n.move(i, saga.Skipped)
	return true
}

// acknowledge: "clears attention `late_effect`, `reply.conflict`, `barrier`". READING: with a step, that step's only; refused
// when there is nothing to clear.
func (n *naive) acknowledge(step string) bool {
	cleared := false
	for a := range n.attention {
		if step != "" && a.step != step {
			continue
		}
		switch a.reason {
		case saga.AttentionLateEffect, saga.AttentionConflict, saga.AttentionBarrier:
			delete(n.attention, a)
			cleared = true
		default:
		}
	}
	return cleared
}

// publishRefused: design section 9, "an `in_flight` or `backing_off` step is `stuck`, an `undoing` or `undo_backing_off` one
// `undo_failed`, in any other status it is recorded only; attention `unpublishable`; effect `none` if no attempt was ever
// acknowledged or unknown".
func (n *naive) publishRefused(p saga.PublishRefused) {
	i := n.index(p.Step)
	if i < 0 || n.ended() {
		return
	}
	s := &n.steps[i]
	leg := &s.f
	if p.Verb == saga.Compensate {
		leg = &s.b
	}
	if !leg.created || p.Edition != leg.edition || p.Attempt != leg.attempt { // READING: only the newest attempt's refusal counts
		return
	}
	leg.refused++
	leg.maybeSent = leg.maybeSent || p.MaybeSent
	switch {
	case p.Verb == saga.Compensate && (s.status == saga.Undoing || s.status == saga.UndoBackingOff):
		n.undoFailed(i, saga.AttentionUndoFailed)
		n.raise(saga.AttentionUnpublishable, i)
	case p.Verb != saga.Compensate && (s.status == saga.InFlight || s.status == saga.BackingOff):
		if leg.refused == leg.attempt && !leg.maybeSent && s.effect == saga.EffectPossible {
			n.setEffect(i, saga.EffectNone, false)
		}
		n.stick(i, saga.AttentionUnpublishable)
	}
}
