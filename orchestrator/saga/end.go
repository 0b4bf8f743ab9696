package saga

import (
	"fmt"
	"strings"
)

// finish ends the saga when it is over, and says when nothing can move without a person (design rules 11 and 14).
func (m *machine) finish() {
	in := &m.next
	if !in.Aborting && m.all(func(i int) bool { st := in.Steps[i].Status; return st == Succeeded || st == Skipped }) {
		m.completed()
		return
	}
	if in.Aborting && m.all(func(i int) bool { return in.settledBackwards(m.def, i) }) {
		m.end(Fact{Type: SagaCompensated, Why: "Everything that may have taken effect is settled."})
		return
	}
	stuck := m.needsPerson()
	if stuck && in.Status != Suspended {
		m.emit(Fact{Type: SagaSuspended, Why: "Nothing can move without a person."})
	}
	if !stuck && in.Status == Suspended {
		m.emit(Fact{Type: SagaUnsuspended, Why: "The saga moves again."})
	}
}

func (m *machine) all(ok func(i int) bool) bool {
	for i := range m.next.Steps {
		if !ok(i) {
			return false
		}
	}
	return true
}

func (m *machine) completed() {
	f := Fact{Type: SagaCompleted, Why: "The saga is completed."}
	var failed error
	if m.def.Output != nil {
		f.Output, failed = m.def.Output.Eval(m.scope(0, false))
	}
	m.end(f)
	if failed != nil {
		m.raise(AttentionExpression, "", failed.Error())
	}
}

// end closes the saga with its certificate.
func (m *machine) end(f Fact) {
	f.End = m.certificate(f.Type)
	m.emit(f)
	m.clearAttention()
}

// needsPerson is design rule 11: something is stuck or could not be undone, and nothing else can move. Held and in-flight work
// counts as able to move.
func (m *machine) needsPerson() bool {
	person := false
	for i := range m.next.Steps {
		switch m.next.Steps[i].Status {
		case Stuck, UndoFailed:
			person = true
		case InFlight, BackingOff, Undoing, UndoBackingOff:
			return false
		case Held:
			if !m.next.Aborting { // an abort creates no forward command: what it met held stays so
				return false
			}
		case Pending, Succeeded, Rejected, Unknown, Skipped, Undone, Waived:
		}
		if m.next.Aborting && m.undoReady(i) { // only a hold keeps it from being created
			return false
		}
	}
	return person
}

// certificate says what is certain per step, and the verdict (design rule 14).
func (m *machine) certificate(how FactType) *Certificate {
	c := &Certificate{Residue: []StepEffect{}}
	for i := range m.next.Steps {
		s := &m.next.Steps[i]
		e := StepEffect{Step: m.def.Steps[i].Name, Effect: s.Effect, ByOperator: s.ByOperator, Disputed: s.Disputed}
		c.Effects = append(c.Effects, e)
		left := s.Effect != EffectNone && s.Effect != EffectUndone
		if how == SagaCompleted {
			left = s.Status == Skipped && s.Effect == EffectCertain
		}
		if left {
			c.Residue = append(c.Residue, e)
		}
	}
	switch {
	case how == SagaCompleted:
		c.Verdict = Committed
	case len(c.Residue) == 0:
		c.Verdict = CleanlyAborted
	default:
		c.Verdict = Residue
	}
	return c
}

// amend computes the certificate of an ended saga again after a late answer (design rule 9).
func (m *machine) amend() {
	how := map[Status]FactType{Completed: SagaCompleted, Compensated: SagaCompensated, Abandoned: SagaAbandoned}[m.next.Status]
	if m.next.Certificate == nil || m.in.Certificate == nil {
		return
	}
	c := m.certificate(how)
	c.Amended = m.next.Certificate.Amended
	if fmt.Sprint(*c) == fmt.Sprint(*m.next.Certificate) {
		return
	}
	c.Amended = true
	m.emit(Fact{Type: CertificateAmended, End: c, Why: "The certificate is amended: " + string(c.Verdict) + "."})
}

// lateOnEnded judges an execute's first or contradicting answer on an ended saga (design rule 9).
func (m *machine) lateOnEnded(i int, r Replied) {
	s := &m.next.Steps[i]
	open := s.Effect == EffectNone || s.Effect == EffectPossible || s.undoneNothing()
	switch {
	case r.Outcome == ReplySucceeded && open && !m.def.Steps[i].EffectNone:
		m.lift(i, r, false)
		m.raise(AttentionLateEffect, r.Step, "it took effect after the saga had ended")
	case r.Outcome == ReplyRejected && s.Effect == EffectPossible:
		m.note(EffectChanged, r, EffectNone, r.Step+" had no effect, its participant says.")
	default:
		m.note(ReplyRecorded, r, "", "Recorded: an answer after the end.")
	}
}

// clearAttention takes back what is no longer so; late_effect, reply.conflict and barrier wait for an operator.
func (m *machine) clearAttention() {
	for _, a := range append([]Attention(nil), m.next.Attention...) {
		if !m.stillSo(a) {
			m.emit(Fact{Type: AttentionCleared, Reason: a.Reason, Step: a.Step})
		}
	}
}

func (m *machine) stillSo(a Attention) bool {
	ended := m.next.Status.Terminal()
	s := &StepState{}
	i := m.def.StepIndex(a.Step)
	if i >= 0 {
		s = &m.next.Steps[i]
	}
	switch a.Reason {
	case AttentionLateEffect, AttentionConflict, AttentionBarrier, AttentionHistory, AttentionInvariant:
		return true
	case AttentionExhausted:
		return !ended && m.exhausted(i, s)
	case AttentionSlow:
		return !ended && (s.Status == InFlight && !s.Forward.SentAt.After(a.Since) || s.Status == Undoing && !s.Backward.SentAt.After(a.Since))
	case AttentionDeadline:
		return !ended
	case AttentionExpression:
		return a.Step == "" || !ended && (s.Status == Stuck && s.Why == AttentionExpression || s.Status == UndoFailed && s.Error != nil && s.Error.Code == "expression")
	case AttentionBadOutput, AttentionRejected:
		return !ended && s.Status == Stuck && s.Why == a.Reason
	case AttentionUnpublishable:
		return !ended && (s.Status == Stuck && s.Why == a.Reason || s.Status == UndoFailed && s.Error != nil && s.Error.Code == "unpublishable")
	case AttentionUndoFailed:
		return !ended && s.Status == UndoFailed
	case AttentionHeld:
		return !ended && m.anyHeld()
	}
	return true
}

func (m *machine) exhausted(i int, s *StepState) bool {
	switch s.Status {
	case InFlight:
		return s.Forward.Sends > m.def.Steps[i].Retry.MaxAttempts
	case BackingOff:
		return s.Forward.Sends >= m.def.Steps[i].Retry.MaxAttempts
	case Undoing:
		return s.Backward.Sends > m.def.Steps[i].Compensation.Retry.MaxAttempts
	case UndoBackingOff:
		return s.Backward.Sends >= m.def.Steps[i].Compensation.Retry.MaxAttempts
	case Pending, Held, Succeeded, Rejected, Unknown, Skipped, Stuck, Undone, UndoFailed, Waived:
	}
	return false
}

func (m *machine) anyHeld() bool {
	for i := range m.next.Steps {
		if m.holdingStep(i) != nil && m.waitsForHold(i) {
			return true
		}
	}
	return !m.limitedSince().IsZero()
}

// publishRefused judges that the broker refused a command for good (design section 9).
func (m *machine) publishRefused(b PublishRefused) error {
	i := m.def.StepIndex(b.Step)
	if i < 0 {
		return &NotAskedError{fmt.Sprintf("%s has no step %q", m.def.Name, b.Step)}
	}
	s := &m.next.Steps[i]
	leg := &s.Forward
	if b.Verb == Compensate {
		leg = &s.Backward
	}
	newest := leg.Created && b.Edition == leg.Edition && b.Attempt == leg.Attempt
	f := Fact{
		Type: PublishFailed, Step: b.Step, Verb: b.Verb, Edition: b.Edition, Attempt: b.Attempt, Code: "unpublishable", Message: b.Message,
		Why: "The broker refused the command of " + b.Step + " for good.",
	}
	if b.MaybeSent || !newest || m.next.Broken != "" {
		f.Type = ReplyIgnored
	}
	open := newest && !m.next.Status.Terminal() && m.next.Broken == ""
	m.emit(f)
	switch {
	case open && b.Verb != Compensate && (s.Status == InFlight || s.Status == BackingOff):
		f := Fact{Type: StepStuck, Step: b.Step, Reason: AttentionUnpublishable, Code: "unpublishable", Message: b.Message, Why: b.Step + " is stuck: its command cannot be published."}
		if s.Forward.Refused == s.Forward.Attempt && s.Effect == EffectPossible {
			f.Effect = EffectNone
		}
		m.emit(f)
		m.raise(AttentionUnpublishable, b.Step, b.Message)
	case open && b.Verb == Compensate && (s.Status == Undoing || s.Status == UndoBackingOff):
		m.undoFailed(Fact{Step: b.Step, Code: "unpublishable", Message: b.Message}, "its compensation cannot be published")
		m.raise(AttentionUnpublishable, b.Step, b.Message)
	}
	return nil
}

// check says which invariant is broken; empty: none. The database repeats the few that must never break.
func (in *Instance) check(def *Definition) string {
	var broken []string
	add := func(ok bool, of, what string) { // put together only where it is broken: this is run after every decision
		if !ok {
			broken = append(broken, of+what)
		}
	}
	add(len(in.Steps) == len(def.Steps), "", "the steps are not those of the definition")
	add(in.Status.Terminal() == (in.Certificate != nil), "", "a saga has a certificate exactly when it ended")
	add(in.Aborting == (in.Abort != nil), "", "an abort has a reason exactly when it began")
	if len(broken) > 0 {
		return strings.Join(broken, "; ")
	}
	passed := in.passed(def)
	for i := range in.Steps {
		s := &in.Steps[i]
		name := def.Steps[i].Name
		add(!s.Forward.Created || in.predecessorsAsked(def, i), name, " started before its predecessors were settled (S10)")
		add(!s.Backward.Created || in.Aborting, name, " is undone without an abort (S11)")
		add(!(passed && s.Backward.Created), name, " is undone past the pivot (S15)")
		add(!(in.Status == Completed) || s.Status == Succeeded || s.Status == Skipped, name, " is not settled in a completed saga")
	}
	return strings.Join(broken, "; ")
}

// predecessorsAsked reports whether every predecessor of a started step was itself settled at some time.
func (in *Instance) predecessorsAsked(def *Definition, i int) bool {
	for _, p := range def.Steps[i].After {
		switch in.Steps[p].Status {
		case Pending, Held, InFlight, BackingOff:
			return false
		case Succeeded, Rejected, Unknown, Skipped, Stuck, Undoing, UndoBackingOff, Undone, UndoFailed, Waived:
		}
	}
	return true
}
