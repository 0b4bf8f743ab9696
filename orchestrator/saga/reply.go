package saga

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// reply judges a participant's answer: design rule 2 says which count.
func (m *machine) reply(r Replied) error {
	i := m.def.StepIndex(r.Step)
	if i < 0 {
		return &NotAskedError{fmt.Sprintf("%s has no step %q", m.def.Name, r.Step)}
	}
	leg, err := m.asked(i, r)
	if err != nil {
		return err
	}
	switch r.Outcome {
	case ReplySucceeded, ReplyRejected:
		if leg.Answer == r.Outcome && r.Edition == leg.Edition || leg.Contradicted && r.Edition == leg.Edition {
			m.ignore(r, whySame)
			return nil
		}
		if r.Verb == Compensate {
			m.settleBackward(i, r)
		} else {
			m.settleForward(i, r)
		}
	case ReplyFailed, ReplyInProgress, ReplyUnknown:
		m.unsettled(i, leg, r)
	}
	return nil
}

// asked finds the leg that the reply is about, and refuses answers to what was never sent (S9).
func (m *machine) asked(i int, r Replied) (*Leg, error) {
	s := &m.next.Steps[i]
	leg := &s.Forward
	switch r.Verb {
	case Execute:
	case Probe:
		if m.def.Steps[i].Probe == "" {
			return nil, &NotAskedError{fmt.Sprintf("%s was never probed", r.Step)}
		}
	case Compensate:
		leg = &s.Backward
	}
	if !leg.Created {
		return nil, &NotAskedError{fmt.Sprintf("%s was never asked to %s", r.Step, r.Verb)}
	}
	if r.Edition > leg.Edition || r.Edition < 0 {
		return nil, &NotAskedError{fmt.Sprintf("%s was never asked to %s in edition %d", r.Step, r.Verb, r.Edition)}
	}
	return leg, nil
}

// settleForward judges succeeded and rejected to an execute or a probe.
func (m *machine) settleForward(i int, r Replied) {
	s := &m.next.Steps[i]
	switch {
	case r.Edition < s.Forward.Edition:
		m.olderEdition(i, r)
	case m.next.Broken != "":
		m.note(ReplyRecorded, r, "", "Recorded only: the saga's invariant broke.")
	case s.ByOperator && (s.Effect == EffectCertain || s.Status == Succeeded) && s.Forward.Answer == "":
		m.operatorSaid(i, r, r.Outcome == ReplySucceeded)
	case s.Forward.Answer != "":
		m.conflict(r, false)
		if r.Outcome == ReplySucceeded && s.Status != Unknown { // unknown and answered: an operator's word, which stays
			m.lateSuccess(i, r)
		}
	case m.next.Status.Terminal():
		m.lateOnEnded(i, r)
	case r.Outcome == ReplySucceeded:
		m.lateSuccess(i, r)
	default:
		m.rejected(i, r)
	}
}

// lateSuccess applies a succeeded, wherever the step is by now.
func (m *machine) lateSuccess(i int, r Replied) {
	s := &m.next.Steps[i]
	if m.next.Status.Terminal() {
		m.lateOnEnded(i, r)
		return
	}
	switch s.Status {
	case InFlight, BackingOff, Unknown, Held, Pending:
		m.succeeded(i, r)
	case Stuck:
		if s.BadOutput {
			return
		}
		m.succeeded(i, r)
	case Rejected, Skipped:
		anomaly := s.Status == Rejected && m.def.Steps[i].Compensation != nil
		if m.lift(i, r, anomaly) && !anomaly {
			m.raise(AttentionLateEffect, r.Step, "it took effect although it was "+string(s.Status))
		}
	case Undoing, UndoBackingOff, Undone, UndoFailed, Waived:
		m.successWhileUndone(i, r)
	case Succeeded:
	}
}

// lift makes an effect certain, where the step declares one, and reports whether it did.
func (m *machine) lift(i int, r Replied, anomaly bool) bool {
	s := &m.next.Steps[i]
	if m.def.Steps[i].EffectNone || s.Effect == EffectCertain && !anomaly {
		m.note(ReplyRecorded, r, "", "Recorded: "+r.Step+" succeeded.")
		return false
	}
	f := m.replyFact(EffectChanged, r, r.Step+" took effect after all.")
	f.Effect, f.Anomaly, f.Output = EffectCertain, anomaly, m.kept(r)
	m.emit(f)
	return true
}

// successWhileUndone is design rule 9 for a step whose compensation exists, or that failed to be undone, is undone or waived.
func (m *machine) successWhileUndone(i int, r Replied) {
	s := &m.next.Steps[i]
	switch {
	case s.Effect == EffectPossible || s.Effect == EffectNone:
		m.lift(i, r, false)
	case s.undoneNothing():
		m.lift(i, r, false)
		m.raise(AttentionBarrier, r.Step, "it succeeded after its compensation had found nothing to undo")
	default:
		m.note(ReplyRecorded, r, "", "Recorded: "+r.Step+" had succeeded before it was undone.")
	}
}

// undoneNothing reports whether the step is undone by a participant that found nothing to undo.
func (s *StepState) undoneNothing() bool {
	return s.Effect == EffectUndone && !s.ByOperator && s.Backward.AnswerCode == CodeNothingToUndo
}

// succeeded settles a step: design rules 3 and 5.
func (m *machine) succeeded(i int, r Replied) {
	def := &m.def.Steps[i]
	f := m.replyFact(StepSucceeded, r, r.Step+" succeeded.")
	if !def.EffectNone {
		f.Effect = EffectCertain
	}
	f.Output = m.kept(r)
	if bad := m.badOutput(def, r); bad != "" && !m.next.Aborting {
		f.Type, f.Reason, f.Message = StepStuck, AttentionBadOutput, bad
		f.Why = r.Step + " is stuck: it succeeded with a bad output."
		m.emit(f)
		m.raise(AttentionBadOutput, r.Step, bad)
		return
	}
	m.emit(f)
}

// badOutput says what is wrong with a reply's output; empty: nothing.
func (m *machine) badOutput(def *Step, r Replied) string {
	if r.Oversized || len(r.Value) > MaxReplyBytes {
		return "the output is larger than 256 KiB and is not kept"
	}
	if m.next.size()+len(r.Value) > MaxInstanceBytes {
		return "the saga would be larger than 1 MiB with the output, which is not kept"
	}
	if def.Returns == nil {
		return ""
	}
	if err := def.Returns.Validate(orNull(r.Value)); err != nil {
		return "the output breaks `returns`: " + err.Error()
	}
	return ""
}

// kept is the reply's output as far as the limits let it be kept.
func (m *machine) kept(r Replied) json.RawMessage {
	if !m.next.BlankedAt.IsZero() { // its payloads are gone; a late answer must not bring one back
		return nil
	}
	if r.Oversized || len(r.Value) > MaxReplyBytes || m.next.size()+len(r.Value) > MaxInstanceBytes || len(r.Value) == 0 {
		return nil
	}
	return r.Value
}

// rejected settles a step with a first no: design rules 5, 9, 12 and 13.
func (m *machine) rejected(i int, r Replied) {
	def, s := &m.def.Steps[i], &m.next.Steps[i]
	none := Effect("")
	if s.Effect == EffectPossible {
		none = EffectNone
	}
	switch s.Status {
	case InFlight, BackingOff, Unknown, Stuck, Held, Pending:
		if def.Kind == Retriable {
			m.retriableRejected(i, r, none)
			return
		}
		f := m.replyFact(StepRejected, r, r.Step+" was rejected.")
		f.Effect = none
		m.emit(f)
		m.abort(Abort{Reason: AbortStepRejected, Step: r.Step, Code: r.Code, Message: r.Message})
	case Rejected:
		m.note(EffectChanged, r, none, r.Step+" had no effect, its participant says.")
	case UndoFailed:
		if s.Backward.Created {
			none = ""
		} else if none == "" && s.Effect == EffectUndoFailed {
			none = EffectNone
		}
		m.note(EffectChanged, r, none, "Recorded: "+r.Step+" was rejected.")
	case Skipped, Succeeded, Undoing, UndoBackingOff, Undone, Waived:
		m.note(ReplyRecorded, r, "", "Recorded: "+r.Step+" was rejected.")
	}
}

// retriableRejected: a contract violation, but for not_found, which is followed by the next edition (design rule 13).
func (m *machine) retriableRejected(i int, r Replied, effect Effect) {
	if r.Code == CodeNotFound && m.def.Steps[i].Probe != "" {
		f := m.replyFact(ReplyRecorded, r, r.Step+" never arrived; it is asked again.")
		f.Effect = effect
		m.emit(f)
		if leg := &m.next.Steps[i].Forward; leg.Sends >= m.def.Steps[i].Retry.MaxAttempts { // design rule 4: no faster than anything else
			m.raise(AttentionExhausted, r.Step, r.Message)
			m.backOff(Fact{Type: StepBackedOff, Step: r.Step, Verb: Execute, Code: r.Code, Message: r.Message}, m.def.Steps[i].Retry, leg.Sends, 0)
			return
		}
		if m.holdingStep(i) != nil {
			m.emit(Fact{Type: StepHeld, Step: r.Step, Why: r.Step + " is held before it is asked again."})
			return
		}
		leg := m.next.Steps[i].Forward
		m.createForward(i, leg.Payload, leg.Edition+1, false)
		return
	}
	f := m.replyFact(StepStuck, r, r.Step+" is stuck: it was rejected after the point of no return.")
	f.Reason, f.Effect = AttentionRejected, effect
	m.emit(f)
	m.raise(AttentionRejected, r.Step, strings.TrimSpace(r.Code+" "+r.Message))
}

// settleBackward judges succeeded and rejected to a compensate: design rule 7.
func (m *machine) settleBackward(i int, r Replied) {
	s := &m.next.Steps[i]
	switch {
	case r.Edition < s.Backward.Edition:
		m.olderEdition(i, r)
		return
	case m.next.Broken != "":
		m.note(ReplyRecorded, r, "", "Recorded only: the saga's invariant broke.")
		return
	case s.ByOperator && s.Effect == EffectUndone && s.Backward.Answer == "":
		m.operatorSaid(i, r, r.Outcome == ReplySucceeded)
		return
	case s.Backward.Answer != "":
		m.conflict(r, false)
		if r.Outcome == ReplyRejected || s.Status != UndoFailed {
			return
		}
	}
	switch s.Status {
	case Undoing, UndoBackingOff, UndoFailed:
		if r.Outcome == ReplySucceeded {
			m.undone(i, r)
		} else if s.Status != UndoFailed {
			m.undoFailed(m.replyFact(UndoRefused, r, ""), "its participant refuses")
		} else {
			m.note(ReplyRecorded, r, "", "Recorded: the compensation of "+r.Step+" was rejected.")
		}
	case Undone, Waived, Pending, Held, InFlight, BackingOff, Succeeded, Rejected, Unknown, Skipped, Stuck:
		m.note(ReplyRecorded, r, "", "Recorded: the compensation of "+r.Step+" was answered.")
	}
}

func (m *machine) undone(i int, r Replied) {
	// Not by the effect: an operator may have set it, and a retried undo_failed keeps its own.
	forward := &m.next.Steps[i].Forward
	hollow := r.Code == CodeNothingToUndo && (forward.Answer == ReplySucceeded || forward.Contradicted)
	f := m.replyFact(UndoSucceeded, r, r.Step+" is undone.")
	f.Effect = EffectUndone
	if r.Code == CodeNothingToUndo {
		f.Why = r.Step + " is undone: there was nothing to undo."
	}
	m.emit(f)
	if hollow {
		m.raise(AttentionBarrier, r.Step, "its participant found nothing to undo although it had succeeded")
	}
}

// olderEdition records an answer to a command that has been asked anew since (design rule 2).
func (m *machine) olderEdition(i int, r Replied) {
	if r.Outcome == ReplyRejected {
		m.ignore(r, "An answer to an older edition.")
		return
	}
	m.conflict(r, false)
	s := &m.next.Steps[i]
	if r.Verb != Compensate && (s.Effect == EffectNone || s.Effect == EffectPossible) && !m.def.Steps[i].EffectNone {
		m.note(EffectChanged, r, EffectCertain, r.Step+" took effect in an older edition.")
		if m.next.Status.Terminal() {
			m.raise(AttentionLateEffect, r.Step, "it took effect in an older edition, after the saga had ended")
		}
	}
}

// operatorSaid judges the first answer to what an operator had settled (design rule 12).
func (m *machine) operatorSaid(i int, r Replied, agrees bool) {
	if agrees {
		m.note(ReplyRecorded, r, "", "Recorded: the participant agrees with the operator about "+r.Step+".")
		return
	}
	m.conflict(r, true)
}

// conflict records an answer that contradicts an earlier one or an operator, and asks for attention.
func (m *machine) conflict(r Replied, disputed bool) {
	if m.next.Ignored < 100 || disputed {
		f := m.replyFact(ReplyConflict, r, "The participant contradicts what was known of "+r.Step+".")
		f.Disputed = disputed
		m.emit(f)
	} else {
		m.ignored = true
	}
	m.raise(AttentionConflict, r.Step, string(r.Outcome)+" to "+string(r.Verb)+", against what was known")
}

// note records an answer that changes no status.
func (m *machine) note(t FactType, r Replied, effect Effect, why string) {
	f := m.replyFact(t, r, why)
	f.Effect = effect
	m.emit(f)
}

// unsettled judges failed, inprogress and unknown: they act only on the newest attempt of an open step (design rule 2).
func (m *machine) unsettled(i int, leg *Leg, r Replied) {
	s := &m.next.Steps[i]
	open := s.Status == InFlight && r.Verb != Compensate && (r.Verb == Probe) == leg.Probing || s.Status == Undoing && r.Verb == Compensate
	if !open || m.next.Status.Terminal() || m.next.Broken != "" || r.Edition != leg.Edition || r.Attempt != leg.Attempt {
		m.ignore(r, "A stale answer: not to the newest attempt of an open step.")
		return
	}
	if r.Outcome == ReplyInProgress {
		m.heartbeat(i, leg, r)
		return
	}
	m.failed = &r
	if r.Verb == Compensate {
		m.undoAttemptFailed(i, r.Code, r.Message, r.RetryAfter)
		return
	}
	probeNext := r.Verb == Probe && r.Outcome == ReplyUnknown
	m.attemptFailed(i, r.Code, r.Message, r.RetryAfter, probeNext)
}

// heartbeat restarts the attempt's timeout; no fact tells of it (design rule 3).
func (m *machine) heartbeat(i int, leg *Leg, r Replied) {
	if m.next.Aborting && r.Verb != Compensate {
		m.ignored, m.why = true, "A heartbeat does not extend the grace of an abort."
		return
	}
	leg.Heartbeat = m.env.At
	m.quiet = true
	m.why = r.Step + " is still at it."
	timeout := m.def.Steps[i].Timeout
	if r.Verb == Compensate {
		timeout = m.def.Steps[i].Compensation.Timeout
	}
	if m.env.At.Sub(leg.SentAt) > 10*timeout {
		m.raise(AttentionSlow, r.Step, "at it since "+leg.SentAt.UTC().Format(time.RFC3339))
	}
}
