package saga

import (
	"encoding/json"
	"fmt"
)

// act judges an operator's wish (design rule 12). A refusal says what would be possible instead.
func (m *machine) act(a Acted) error {
	refused := m.tryAct(a)
	if refused == nil {
		return nil
	}
	try := newTrial(m.def, m.in, m.env)
	for _, other := range Actions() {
		if other == a.Action || other.NeedsStep() && a.Step == "" {
			continue
		}
		if try.allows(Acted{Action: other, Step: a.Step}) {
			refused.Possible = append(refused.Possible, other)
		}
	}
	return refused
}

func refuse(code, format string, args ...any) *RefusedError {
	return &RefusedError{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (m *machine) tryAct(a Acted) *RefusedError {
	in := &m.next
	if a.Action == ActionAcknowledge {
		return m.acknowledge(a)
	}
	if in.Status.Terminal() {
		return refuse(CodeEnded, "the saga has ended (%s); run it again as a new saga", in.Status)
	}
	if in.Broken != "" && a.Action != ActionAbandon {
		return refuse(CodeBroken, "an invariant broke (%s); only abandon is left", in.Broken)
	}
	i := -1
	if a.Action.NeedsStep() {
		if i = m.def.StepIndex(a.Step); i < 0 {
			return refuse(CodeNoSuchStep, "%s has no step %q", m.def.Name, a.Step)
		}
	}
	switch a.Action {
	case ActionCancel:
		return m.cancel(a)
	case ActionPause:
		if in.Pause != nil {
			return refuse(CodeAlreadyPaused, "the saga is paused already, since %s", in.Pause.Since.UTC().Format("2006-01-02 15:04:05Z07:00"))
		}
		m.emit(Fact{Type: SagaPaused, By: a.By, Wish: a.Reason, Why: "The saga is paused."})
	case ActionResume:
		if in.Pause == nil {
			return refuse(CodeNotPaused, "the saga is not paused")
		}
		m.emit(Fact{Type: SagaResumed, By: a.By, Wish: a.Reason, Why: "The saga goes on."})
	case ActionRetry:
		return m.retry(i, a)
	case ActionComplete:
		return m.complete(i, a)
	case ActionReject:
		return m.reject(i, a)
	case ActionSkip:
		return m.skip(i, a)
	case ActionWaive:
		if st := in.Steps[i].Status; st != UndoFailed {
			return refuse(CodeWrongStatus, "%s is %s; only a step whose compensation failed can be waived", a.Step, st)
		}
		m.emit(Fact{Type: StepWaived, Step: a.Step, Effect: EffectWaived, ByOperator: true, By: a.By, Wish: a.Reason, Why: a.Step + " is waived: what it left is accepted."})
	case ActionAbandon:
		m.end(Fact{Type: SagaAbandoned, By: a.By, Wish: a.Reason, Why: "The saga is abandoned; what is left is accepted."})
	case ActionRebind:
		return m.rebind(a)
	case ActionAcknowledge:
	}
	return nil
}

// cancel is design rule 8.
func (m *machine) cancel(a Acted) *RefusedError {
	switch {
	case m.next.Aborting:
		m.ignored, m.why = true, "The saga is being undone already."
	case m.passed():
		return refuse(CodePastPivot, "the point of no return is passed: %s cannot be undone any more", m.next.Saga)
	case m.pivotOut():
		m.pending = true
		if m.next.CancelBy != nil {
			m.ignored, m.why = true, "A cancel waits for the pivot already."
			return nil
		}
		m.emit(Fact{Type: CancelRequested, By: a.By, Wish: a.Reason, Why: "The cancel waits for the pivot's answer."})
	default:
		m.abort(Abort{Reason: AbortCancelled, By: a.By, Message: a.Reason})
	}
	return nil
}

func (m *machine) retry(i int, a Acted) *RefusedError {
	def, s := &m.def.Steps[i], &m.next.Steps[i]
	if m.holdingStep(i) != nil {
		return refuse(CodePaused, "%s is held; resume first", a.Step)
	}
	switch s.Status {
	case BackingOff:
		if m.next.Aborting {
			return refuse(CodeAborting, "the saga is being undone: no forward command is sent any more")
		}
		if s.Forward.Answer == ReplyRejected {
			m.createForward(i, corrected(a, &s.Forward), s.Forward.Edition+1, true)
			return nil
		}
		if a.Payload != nil {
			return refuse(CodeEffectPossible, "%s may have taken effect with the payload that was sent; it cannot be changed", a.Step)
		}
		m.resendForward(i, s.Forward.Probing, true)
	case Stuck:
		return m.retryStuck(i, a)
	case UndoBackingOff:
		if a.Payload != nil {
			return refuse(CodeEffectPossible, "the compensation of %s was sent and not answered; its payload cannot be changed", a.Step)
		}
		m.resendBackward(i, true)
	case UndoFailed:
		leg := &s.Backward
		switch {
		case !leg.Created:
			m.createUndo(i, a.Payload, 0)
		case leg.Answer == ReplyRejected:
			m.createUndo(i, corrected(a, leg), leg.Edition+1)
		case a.Payload != nil:
			return refuse(CodeEffectPossible, "the compensation of %s was not rejected; its payload cannot be changed", a.Step)
		default:
			m.resendBackward(i, true)
		}
	case Pending, Held, InFlight, Succeeded, Rejected, Unknown, Skipped, Undoing, Undone, Waived:
		return refuse(CodeWrongStatus, "%s is %s; only a step that backs off, is stuck or failed to be undone can be retried", def.Name, s.Status)
	}
	return nil
}

// corrected is the payload that the operator gives, or else the one that was sent.
func corrected(a Acted, leg *Leg) json.RawMessage {
	if a.Payload != nil {
		return a.Payload
	}
	return leg.Payload
}

func (m *machine) retryStuck(i int, a Acted) *RefusedError {
	s := &m.next.Steps[i]
	leg := &s.Forward
	switch {
	case m.next.Aborting:
		return refuse(CodeAborting, "the saga is being undone: no forward command is sent any more")
	case s.BadOutput:
		return refuse(CodeBadOutput, "%s has succeeded; give its output with complete", a.Step)
	case s.Effect != EffectNone:
		return refuse(CodeEffectPossible, "%s may have taken effect; complete or reject it", a.Step)
	case !leg.Created:
		m.createFirst(i, a.Payload)
	case leg.Answer == ReplyRejected:
		m.createForward(i, corrected(a, leg), leg.Edition+1, true)
	case a.Payload != nil:
		return refuse(CodeEffectPossible, "%s was not rejected; its payload cannot be changed", a.Step)
	default:
		m.resendForward(i, false, true)
	}
	return nil
}

func (m *machine) complete(i int, a Acted) *RefusedError {
	def, s := &m.def.Steps[i], &m.next.Steps[i]
	certain := EffectCertain
	if def.EffectNone {
		certain = EffectNone
	}
	switch s.Status {
	case Stuck:
		if m.next.Aborting && s.Effect == EffectNone {
			return refuse(CodeAborting, "%s had no effect and the saga is being undone", a.Step)
		}
		fallthrough
	case InFlight, BackingOff:
		if !m.next.Aborting && !m.trial {
			if bad := m.operatorOutput(def, a.Output); bad != "" {
				return refuse(CodeBadOutput, "%s", bad)
			}
		}
		m.emit(Fact{
			Type: StepSucceeded, Step: a.Step, Verb: Execute, Effect: certain, Output: a.Output, ByOperator: true, By: a.By, Wish: a.Reason,
			Why: a.Step + " is completed by an operator.",
		})
	case UndoFailed:
		m.emit(Fact{
			Type: UndoSucceeded, Step: a.Step, Verb: Compensate, Effect: EffectUndone, ByOperator: true, By: a.By, Wish: a.Reason,
			Why: a.Step + " is undone, an operator says.",
		})
	case Unknown:
		if s.Effect == certain {
			return refuse(CodeNothingToDo, "the effect of %s is %s already", a.Step, s.Effect)
		}
		m.emit(Fact{
			Type: EffectChanged, Step: a.Step, Verb: Execute, Effect: certain, Output: a.Output, ByOperator: true, By: a.By, Wish: a.Reason,
			Why: a.Step + " took effect, an operator says; it is undone.",
		})
	case Pending, Held, Succeeded, Rejected, Skipped, Undoing, UndoBackingOff, Undone, Waived:
		return refuse(CodeWrongStatus, "%s is %s; only a step that is in flight, backs off, is stuck or failed to be undone can be completed", a.Step, s.Status)
	}
	return nil
}

// operatorOutput says what is wrong with an output that an operator gives; empty: nothing.
func (m *machine) operatorOutput(def *Step, output json.RawMessage) string {
	return m.badOutput(def, Replied{Value: output})
}

func (m *machine) reject(i int, a Acted) *RefusedError {
	def, s := &m.def.Steps[i], &m.next.Steps[i]
	if def.Kind == Retriable {
		return refuse(CodeRetriable, "%s comes after the point of no return and cannot be rejected", a.Step)
	}
	switch s.Status {
	case InFlight, BackingOff:
	case Stuck:
		if s.Effect != EffectPossible {
			return refuse(CodeWrongStatus, "%s is stuck with effect %s; only a possible effect can be rejected", a.Step, s.Effect)
		}
	case Pending, Held, Succeeded, Rejected, Unknown, Skipped, Undoing, UndoBackingOff, Undone, UndoFailed, Waived:
		return refuse(CodeWrongStatus, "%s is %s; only a step that is in flight, backs off or is stuck can be rejected", a.Step, s.Status)
	}
	f := Fact{Type: StepRejected, Step: a.Step, Verb: Execute, By: a.By, Wish: a.Reason, Code: "operator", Message: a.Reason, Why: a.Step + " is rejected by an operator."}
	if def.Compensation != nil {
		f.Type, f.Why = StepUnknown, a.Step+" is given up by an operator and undone."
	}
	m.emit(f)
	m.abort(Abort{Reason: AbortStepRejected, Step: a.Step, Code: "operator", Message: a.Reason, By: a.By})
	return nil
}

func (m *machine) skip(i int, a Acted) *RefusedError {
	s := &m.next.Steps[i]
	switch {
	case m.next.Aborting:
		return refuse(CodeAborting, "the saga is being undone: nothing is left to skip")
	case s.Status != Held && s.Status != Stuck:
		return refuse(CodeWrongStatus, "%s is %s; only a held or stuck step can be skipped", a.Step, s.Status)
	case s.Effect != EffectNone:
		return refuse(CodeEffectPossible, "%s may have taken effect (%s) and cannot be skipped", a.Step, s.Effect)
	case !m.predecessorsSettled(i):
		return refuse(CodeWrongStatus, "%s waits for its predecessors", a.Step)
	}
	if len(a.Output) > 0 && string(a.Output) != "null" {
		if bad := m.operatorOutput(&m.def.Steps[i], a.Output); bad != "" {
			return refuse(CodeBadOutput, "%s", bad)
		}
	}
	m.emit(Fact{Type: StepSkipped, Step: a.Step, Output: a.Output, ByOperator: true, By: a.By, Wish: a.Reason, Why: a.Step + " is skipped by an operator."})
	return nil
}

func (m *machine) acknowledge(a Acted) *RefusedError {
	cleared := false
	for _, at := range m.in.Attention {
		if (a.Step == "" || a.Step == at.Step) && (at.Reason == AttentionLateEffect || at.Reason == AttentionConflict || at.Reason == AttentionBarrier) {
			m.emit(Fact{Type: AttentionCleared, Reason: at.Reason, Step: at.Step, By: a.By, Wish: a.Reason, Why: "Attention acknowledged: " + string(at.Reason) + "."})
			cleared = true
		}
	}
	if !cleared {
		return refuse(CodeNothingToDo, "there is nothing to acknowledge: no late_effect, reply.conflict or barrier")
	}
	return nil
}
