package saga

import (
	"fmt"
	"slices"
	"time"
)

// Fold replays a history: it answers the instance that the facts lead to (S4). ClockAt, WakeAt, heartbeats and the counters of
// attempts past max_attempts are not part of it; see Equivalent. It fails on a hole in the sequence.
func Fold(def *Definition, facts []Fact) (Instance, error) { return FoldOn(def, Instance{}, facts) }

// FoldOn folds the facts that come next onto what Fold answered for the ones before them, which it leaves as it is.
func FoldOn(def *Definition, before Instance, facts []Fact) (Instance, error) {
	in := before.clone()
	for _, f := range facts {
		if f.Seq != in.Seq+1 {
			return in, fmt.Errorf("fold history of %s: fact %d has sequence number %d", in.ID, in.Seq+1, f.Seq)
		}
		if f.Type != TimersShifted {
			apply(def, &in, f)
		} else {
			in.shiftTimers(f.Shift)
		}
		in.Seq = f.Seq
		in.UpdatedAt = f.At
		if f.Sequence > 0 {
			in.EventSeq = f.Sequence
		}
	}
	return in, nil
}

// apply folds one fact into in. It is the only place where an instance changes.
func apply(def *Definition, in *Instance, f Fact) {
	switch f.Type {
	case SagaStarted:
		applyStart(def, in, f)
	case SagaPaused:
		in.Pause = &Pause{Since: f.At, By: f.By, Reason: f.Wish}
	case SagaResumed:
		in.Pause = nil
	case SagaRebound:
		in.applyRebound(f.Rebound)
	case SagaSuspended:
		in.Status = Suspended
	case SagaUnsuspended:
		in.Status = in.moving()
	case SagaCompleted, SagaCompensated, SagaAbandoned:
		applyEnd(in, f)
	case SagaBroken:
		in.Broken = f.Message
		if !in.Status.Terminal() {
			in.Status = Suspended
		}
	case AbortStarted:
		abort := *f.Abort
		in.Aborting, in.Abort, in.CancelBy, in.Status = true, &abort, nil, Compensating
		for i := range in.Steps {
			if in.Steps[i].Status == InFlight {
				in.Steps[i].GraceUntil = abort.GraceUntil
			}
		}
	case CancelRequested:
		in.CancelBy = &Cancel{By: f.By, Reason: f.Wish}
	case CancelRefused:
		in.CancelBy = nil
	case DeadlinePassed:
		in.DeadlinePassed = true
	case TimersShifted:
		in.shiftTimers(f.Shift)
	case AttentionRaised:
		in.Attention = append(in.Attention, Attention{Reason: f.Reason, Step: f.Step, Since: f.At})
	case AttentionCleared:
		if i := in.attentionIndex(f.Reason, f.Step); i >= 0 {
			in.Attention = slices.Delete(in.Attention, i, i+1)
		}
	case CertificateAmended:
		in.Certificate = f.End
	case StepHeld, StepStarted, StepSent, StepBackedOff, StepSucceeded, StepRejected, StepUnknown, StepSkipped, StepStuck,
		UndoStarted, UndoSent, UndoBackedOff, UndoSucceeded, UndoRefused, StepWaived,
		EffectChanged, ReplyConflict, ReplyRecorded, ReplyIgnored, PublishFailed:
		applyStep(in, &in.Steps[def.StepIndex(f.Step)], f)
	}
}

func applyStart(def *Definition, in *Instance, f Fact) {
	s := f.Start
	*in = Instance{
		ID: s.ID, Tenant: s.Tenant, Saga: s.Saga, Version: s.Version, Key: s.Key, Labels: s.Labels, Link: s.Link,
		Input: s.Input, Deadline: s.Deadline, Status: Running, CreatedAt: f.At, UpdatedAt: f.At,
		Seq: in.Seq, EventSeq: in.EventSeq, Revision: in.Revision,
	}
	in.Steps = make([]StepState, len(def.Steps))
	for i := range in.Steps {
		in.Steps[i] = StepState{Status: Pending, Effect: EffectNone}
	}
}

func applyEnd(in *Instance, f Fact) {
	switch f.Type {
	case SagaCompleted:
		in.Status = Completed
	case SagaCompensated:
		in.Status = Compensated
	default:
		in.Status = Abandoned
	}
	in.EndedAt, in.Output, in.Certificate, in.Pause, in.CancelBy = f.At, f.Output, f.End, nil, nil
}

// applyStep folds a fact about one step.
func applyStep(in *Instance, s *StepState, f Fact) {
	if f.Effect != "" {
		s.Effect = f.Effect
	}
	leg := &s.Forward
	if f.Verb == Compensate {
		leg = &s.Backward
	}
	switch f.Type {
	case StepHeld:
		s.Status = Held
		if f.Code == CodeLimit {
			s.LimitedAt = f.At
		}
	case StepStarted, UndoStarted:
		leg.begin(f)
		s.Why, s.Error, s.LimitedAt = "", nil, time.Time{}
		if f.Type == StepStarted {
			s.Status, s.EndedAt = InFlight, time.Time{}
		} else {
			s.Status = Undoing
		}
		if s.StartedAt.IsZero() {
			s.StartedAt = f.At
		}
	case StepSent, UndoSent:
		leg.sent(f)
		s.Why = ""
		s.Status = InFlight
		if f.Type == UndoSent {
			s.Status = Undoing
		}
	case StepBackedOff, UndoBackedOff:
		leg.stop()
		leg.RetryAt, leg.Probing = f.RetryAt, f.Verb == Probe
		s.Error = &Failure{Code: f.Code, Message: f.Message}
		s.Status = BackingOff
		if f.Type == UndoBackedOff {
			s.Status = UndoBackingOff
		}
	case StepSucceeded:
		s.settle(Succeeded, f)
		s.Output, s.Error, s.ByOperator = f.Output, nil, f.ByOperator
	case StepRejected:
		s.settle(Rejected, f)
		s.Error = &Failure{Code: f.Code, Message: f.Message}
	case StepUnknown:
		s.settle(Unknown, f)
		if f.Code != "" || f.Message != "" {
			s.Error = &Failure{Code: f.Code, Message: f.Message}
		}
	case StepSkipped:
		s.settle(Skipped, f)
		s.Output = f.Output
	case StepStuck:
		s.settle(Stuck, f)
		s.Why, s.BadOutput, s.EndedAt = f.Reason, f.Reason == AttentionBadOutput, time.Time{}
		if f.Output != nil {
			s.Output = f.Output
		}
		s.Error = &Failure{Code: f.Code, Message: f.Message}
	case UndoSucceeded:
		s.settle(Undone, f)
		s.ByOperator = f.ByOperator
	case UndoRefused:
		s.settle(UndoFailed, f)
		s.ByOperator = false
		s.Error = &Failure{Code: f.Code, Message: f.Message}
	case StepWaived:
		s.settle(Waived, f)
		s.ByOperator = true
	case EffectChanged, ReplyRecorded, ReplyConflict:
		leg.answer(f)
		s.Disputed = s.Disputed || f.Disputed
		s.Anomaly = s.Anomaly || f.Anomaly
		s.ByOperator = s.ByOperator || f.ByOperator
		if f.Type == EffectChanged && f.Output != nil {
			s.Output = f.Output
		}
		if f.Type == ReplyConflict {
			in.Ignored++
		}
	case ReplyIgnored:
		in.Ignored++
	case PublishFailed:
		leg.Refused++
	default: // the facts about the saga as a whole, which apply folds
	}
}

// settle ends what is open of the step.
func (s *StepState) settle(status StepStatus, f Fact) {
	s.Status, s.EndedAt, s.Why, s.BadOutput, s.LimitedAt = status, f.At, "", false, time.Time{}
	s.Forward.stop()
	s.Backward.stop()
	if f.Verb == Compensate {
		s.Backward.answer(f)
	} else {
		s.Forward.answer(f)
	}
}

// begin is the first attempt of an edition.
func (l *Leg) begin(f Fact) {
	sends := l.Sends
	if f.Renewed {
		sends = 0
	}
	*l = Leg{Created: true, Payload: f.Payload, Edition: f.Edition, Sends: sends, Attempts: l.Attempts}
	l.sent(f)
}

func (l *Leg) sent(f Fact) {
	if f.Renewed {
		l.Sends = 0
	}
	l.Sends++
	l.Attempts++
	l.Attempt, l.Batch, l.Index, l.Probing = f.Attempt, f.Batch, f.Index, f.Verb == Probe
	l.SentAt, l.ExpiresAt, l.Heartbeat, l.RetryAt = f.At, f.ExpiresAt, time.Time{}, time.Time{}
}

// stop ends the timers of the newest attempt.
func (l *Leg) stop() {
	l.ExpiresAt, l.Heartbeat, l.RetryAt = time.Time{}, time.Time{}, time.Time{}
}

// answer notes an answer to the present edition.
func (l *Leg) answer(f Fact) {
	if f.Outcome != ReplySucceeded && f.Outcome != ReplyRejected || f.Edition != l.Edition || f.Reply == nil {
		return
	}
	if l.Answer != "" && l.Answer != f.Outcome {
		l.Contradicted = true
	}
	if l.Contradicted && f.Type == ReplyConflict {
		return // how it was settled stays known: nothing changes by a contradiction
	}
	l.Answer, l.AnswerCode = f.Outcome, f.Code
}

func (in *Instance) moving() Status {
	if in.Aborting {
		return Compensating
	}
	return Running
}

func (in *Instance) attentionIndex(reason AttentionReason, step string) int {
	return slices.IndexFunc(in.Attention, func(a Attention) bool { return a.Reason == reason && a.Step == step })
}
