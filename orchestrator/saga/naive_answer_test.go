package saga_test

import (
	"github.com/skaldhq/skald/orchestrator/saga"
)

// executeAnswered takes a `succeeded` or `rejected` of the current edition of a forward command.
func (n *naive) executeAnswered(i int, r saga.Replied) {
	s := &n.steps[i]
	// "The first `succeeded` or `rejected` of the current edition settles the command" (rule 2). "a repeated outcome never
	// changes anything" (rule 5): once both were given, either is a repetition.
	if s.f.answer == r.Outcome || s.f.contradicted {
		return
	}
	first := s.f.answer == ""
	yes := r.Outcome == saga.ReplySucceeded
	if first {
		s.f.answer = r.Outcome
	} else {
		s.f.contradicted = true
	}
	// Rule 12: "Effects set by an operator say so; a first answer that contradicts one [...] changes neither status, effect nor
	// output, [...] and, on an ended saga too, raises `reply.conflict` and marks it `disputed`; an agreeing `succeeded` is
	// recorded only, its `returns` unchecked." READING: that a step which declares `effect: none` succeeded is an operator's word as well.
	if s.byOperator && (s.effect == saga.EffectCertain || s.status == saga.Succeeded) && first {
		if !yes {
			n.dispute(i)
		}
		return
	}
	if !first { // rule 2: "a later one with another outcome is `reply.conflict`: recorded, attention"
		n.raise(saga.AttentionConflict, i)
	}
	switch {
	case n.ended():
		n.answeredAfterEnd(i, r)
	case s.b.created || s.status == saga.UndoFailed || s.status == saga.Undone || s.status == saga.Waived:
		n.answeredAfterCompensation(i, r, first)
	default:
		n.answeredForward(i, r, first)
	}
}

// dispute marks an operator's word as contradicted, in the certificate too.
func (n *naive) dispute(i int) {
	n.raise(saga.AttentionConflict, i)
	n.steps[i].disputed = true
	if n.ended() {
		n.amend()
	}
}

// answeredAfterEnd: rule 9, "On an ended saga: [...]".
func (n *naive) answeredAfterEnd(i int, r saga.Replied) {
	if r.Outcome == saga.ReplySucceeded {
		n.certainLate(i, r)
		return
	}
	if n.steps[i].effect == saga.EffectPossible { // "`rejected` on `possible` makes it `none`"
		n.setEffect(i, saga.EffectNone, false)
		n.amend()
	}
}

// answeredAfterCompensation: rule 9, first sentence.
func (n *naive) answeredAfterCompensation(i int, r saga.Replied, first bool) {
	s := &n.steps[i]
	if r.Outcome == saga.ReplySucceeded {
		n.certainLate(i, r)
		return
	}
	if first && s.status == saga.UndoFailed && !s.b.created { // "(`rejected` on an `undo_failed` whose compensation was never created: effect `none`)"
		n.setEffect(i, saga.EffectNone, false)
	}
}

func (n *naive) answeredForward(i int, r saga.Replied, first bool) {
	s := &n.steps[i]
	yes := r.Outcome == saga.ReplySucceeded
	switch s.status {
	case saga.InFlight, saga.BackingOff:
		n.settled(i, r)
	case saga.Unknown: // clarification (a): it takes the answered status
		if !first {
			return
		}
		if yes {
			n.keepOutput(i, r)
			n.setEffect(i, saga.EffectCertain, false)
			n.move(i, saga.Succeeded)
		} else {
			n.rejectedLowers(i)
			n.move(i, saga.Rejected)
		}
	case saga.Stuck: // rule 5: "A step `stuck` for any reason but `bad_output` whose participant then answers `succeeded` is `succeeded`"
		if s.why != saga.AttentionBadOutput && (yes || first) {
			n.settled(i, r)
		}
	case saga.Rejected:
		if !yes { // rejected by an operator: "effect still `possible` (residue, unless the participant says `rejected`)"
			n.rejectedLowers(i)
			return
		}
		n.keepOutput(i, r)
		n.setEffect(i, saga.EffectCertain, false)
		switch { // rule 9
		case s.EffectNone:
		case s.Compensation != nil:
			s.anomaly = true
		default:
			n.raise(saga.AttentionLateEffect, i)
		}
	case saga.Skipped:
		if yes && !s.EffectNone {
			n.keepOutput(i, r) // READING: the compensation needs it
			n.setEffect(i, saga.EffectCertain, false)
			n.raise(saga.AttentionLateEffect, i)
		}
	case saga.Held: // READING: refused as not_found, held, and then answered `succeeded`: as for a step that is stuck
		if yes {
			n.settled(i, r)
		}
	default: // succeeded: nothing changes
	}
}

// settled: rules 3 and 5.
func (n *naive) settled(i int, r saga.Replied) {
	s := &n.steps[i]
	if r.Outcome == saga.ReplySucceeded {
		n.setEffect(i, saga.EffectCertain, false)
		// READING: an output that breaks `returns` is kept, for the compensation's payload; one over the limit is not.
		n.keepOutput(i, r)
		bad := r.Oversized || (s.Returns != nil && s.Returns.Validate(r.Value) != nil)
		if bad && !n.aborting {
			n.stick(i, saga.AttentionBadOutput)
			return
		}
		n.move(i, saga.Succeeded)
		return
	}
	n.rejectedLowers(i)
	if s.Kind == saga.Retriable {
		// READING: only of a step that has a probe; for others `not_found` is a business code like any other.
		if s.Probe != "" && r.Code == saga.CodeNotFound {
			if s.f.sends >= s.Retry.MaxAttempts { // READING: "on the same budget"; used up, it goes on "at capped back-off" (rule 4)
				s.f.probing = false
				n.backOff(i, saga.Execute, 0)
				return
			}
			if n.held(i) {
				n.move(i, saga.Held)
			} else {
				n.create(i, nil)
			}
			return
		}
		n.stick(i, saga.AttentionRejected)
		return
	}
	n.move(i, saga.Rejected)
	n.abort(saga.AbortStepRejected)
}

func (n *naive) keepOutput(i int, r saga.Replied) {
	if !r.Oversized && r.Value != nil {
		n.steps[i].output = r.Value
	}
}

// compensateAnswered: rules 2, 7, 9, 12.
func (n *naive) compensateAnswered(i int, r saga.Replied) {
	s := &n.steps[i]
	if s.b.answer == r.Outcome || s.b.contradicted {
		return
	}
	first := s.b.answer == ""
	yes := r.Outcome == saga.ReplySucceeded
	if first {
		s.b.answer = r.Outcome
	} else {
		s.b.contradicted = true
	}
	// READING of rule 12: a participant's first `rejected` contradicts an operator's `undone`; nothing contradicts `waived`,
	// which claims nothing.
	if first && s.byOperator && (s.status == saga.Undone || s.status == saga.Waived) {
		if !yes && s.status == saga.Undone {
			n.dispute(i)
		}
		return
	}
	if !first {
		n.raise(saga.AttentionConflict, i)
	}
	before := s.effect
	switch s.status {
	case saga.Undoing, saga.UndoBackingOff, saga.UndoFailed:
		if !yes {
			if s.status == saga.UndoFailed {
				return
			}
			n.undoFailed(i, saga.AttentionUndoFailed)
			break
		}
		// clarification (e): "although the step had succeeded" is the participant's word, not an operator's
		if r.Code == saga.CodeNothingToUndo && (s.f.answer == saga.ReplySucceeded || s.f.contradicted) {
			n.raise(saga.AttentionBarrier, i)
		}
		s.undoneByNothing = r.Code == saga.CodeNothingToUndo
		n.setEffect(i, saga.EffectUndone, false)
		n.move(i, saga.Undone)
	default:
		return
	}
	if n.ended() && s.effect != before { // rule 12: "compensate replies that come later amend it"
		n.amend()
	}
}
