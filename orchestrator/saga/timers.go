package saga

import (
	"math"
	"time"
)

// wake looks at what is due: the deadline, timeouts, back-offs, and holds that last.
func (m *machine) wake() {
	in := &m.next
	if in.Status.Terminal() || in.Broken != "" {
		return
	}
	m.oldHolds()
	if m.holding() != nil {
		return
	}
	if m.deadlineDue() {
		m.emit(Fact{Type: DeadlinePassed, Why: "The deadline passed."})
		if in.Aborting {
			m.raise(AttentionDeadline, "", "the deadline passed while compensating")
		}
		m.pivotAnswered()
	}
	for i := range in.Steps {
		if m.holdingStep(i) != nil {
			continue
		}
		switch s := &in.Steps[i]; s.Status {
		case InFlight:
			m.expire(i, &s.Forward, Execute)
		case Undoing:
			m.expire(i, &s.Backward, Compensate)
		case BackingOff:
			if !m.env.At.Before(s.Forward.RetryAt) {
				m.resendForward(i, s.Forward.Probing, false)
			}
		case UndoBackingOff:
			if !m.env.At.Before(s.Backward.RetryAt) {
				m.resendBackward(i, false)
			}
		case Pending, Held, Succeeded, Rejected, Unknown, Skipped, Stuck, Undone, UndoFailed, Waived:
		}
	}
}

func (m *machine) deadlineDue() bool {
	in := &m.next
	if in.Deadline.IsZero() || in.DeadlinePassed || m.env.At.Before(in.Deadline) {
		return false
	}
	return m.deadlineRuns() && !m.waitsForParticipant()
}

// deadlineRuns reports whether nothing stops the deadline but a hold: before the pivot it stands still while the saga is
// suspended (design rule 11), and always while a step waits for a limit (design rule 10).
func (m *machine) deadlineRuns() bool {
	return (m.next.Status != Suspended || m.passed()) && m.limitedSince().IsZero()
}

// oldHolds raises attention for a hold that lasts (design rule 10).
func (m *machine) oldHolds() {
	for i := range m.next.Steps {
		h := m.holdingStep(i)
		if h == nil || m.env.At.Before(h.From.Add(HeldAfter)) || !m.waitsForHold(i) {
			continue
		}
		m.raise(AttentionHeld, "", "held since "+h.From.UTC().Format(time.RFC3339))
		return
	}
	if since := m.limitedSince(); !since.IsZero() && !m.env.At.Before(since.Add(HeldAfter)) {
		m.raise(AttentionHeld, "", "waits for a limit since "+since.UTC().Format(time.RFC3339))
	}
}

// waitsForHold reports whether step i would move but for a hold.
func (m *machine) waitsForHold(i int) bool {
	switch m.next.Steps[i].Status {
	case BackingOff, UndoBackingOff, InFlight, Undoing:
		return true
	case Held:
		return !m.next.Aborting
	case Pending, Succeeded, Rejected, Unknown, Skipped, Stuck, Undone, UndoFailed, Waived:
		return m.next.Aborting && m.undoReady(i)
	}
	return false
}

// sent is what the outbox knows of the newest attempt of step i.
func (m *machine) sent(i int, verb Verb) Sent {
	for _, s := range m.env.Sent {
		if s.Step == i && s.Verb == verb {
			return s
		}
	}
	return Sent{}
}

// expiry is when the newest attempt times out: later when it was published late or its participant said that it is at it.
// While a forward attempt ends an abort's grace, that bounds it (design rule 6).
func (m *machine) expiry(i int, leg *Leg, verb Verb) time.Time {
	timeout := m.def.Steps[i].Timeout
	if verb == Compensate {
		timeout = m.def.Steps[i].Compensation.Timeout
	}
	at := leg.ExpiresAt
	if acked := m.sent(i, verb).AckedAt; acked.After(leg.SentAt) {
		at = at.Add(acked.Sub(leg.SentAt))
	}
	if beat := leg.Heartbeat.Add(timeout); !leg.Heartbeat.IsZero() && beat.After(at) {
		at = beat
	}
	if g := m.next.Steps[i].GraceUntil; !g.IsZero() && verb == Execute && g.Before(at) {
		at = g
	}
	return at
}

// expire deals with an attempt that timed out. One whose command is still in the outbox, or that its participant has not
// reached yet, does not: its timeout starts again.
func (m *machine) expire(i int, leg *Leg, verb Verb) {
	if m.env.At.Before(m.expiry(i, leg, verb)) {
		return
	}
	def := &m.def.Steps[i]
	if m.next.Aborting && verb == Execute {
		m.unknown(i, "", "", "was not answered within the grace of the abort")
		return
	}
	switch known := m.sent(i, verb); {
	case known.Unpublished:
		return
	case known.Queued:
		m.queued(i, leg, verb)
		return
	}
	if verb == Compensate {
		if leg.Sends < def.Compensation.Retry.MaxAttempts {
			m.resendBackward(i, false)
		} else {
			m.undoAttemptFailed(i, "timeout", "the attempt timed out", 0)
		}
		return
	}
	if leg.Sends >= def.Retry.MaxAttempts || leg.Probing {
		m.attemptFailed(i, "timeout", "the attempt timed out", 0, def.Probe != "")
		return
	}
	m.resendForward(i, def.Probe != "", false)
}

// queued starts the timeout of an attempt anew whose participant's group has not reached it: it is neither sent again nor counted. A
// person hears of it as of one that is at it for long (design rule 3).
func (m *machine) queued(i int, leg *Leg, verb Verb) {
	leg.Heartbeat = m.env.At
	m.quiet = true
	timeout := m.def.Steps[i].Timeout
	if verb == Compensate {
		timeout = m.def.Steps[i].Compensation.Timeout
	}
	if m.env.At.Sub(leg.SentAt) > 10*timeout {
		m.raise(AttentionSlow, m.def.Steps[i].Name, "its participant has not reached it since "+leg.SentAt.UTC().Format(time.RFC3339))
	}
}

// attemptFailed backs off, or gives a compensatable step up as unknown when its attempts are used up (design rules 3, 4, 6).
func (m *machine) attemptFailed(i int, code, message string, retryAfter time.Duration, probeNext bool) {
	def, leg := &m.def.Steps[i], &m.next.Steps[i].Forward
	if m.next.Aborting {
		m.unknown(i, code, message, "failed and is not sent again")
		return
	}
	if leg.Sends >= def.Retry.MaxAttempts && !(def.Kind == Compensatable && m.spared(i)) {
		if def.Kind == Compensatable {
			m.unknown(i, code, message, "used up its attempts")
			m.abort(Abort{Reason: AbortStepUnknown, Step: def.Name, Code: code, Message: message})
			return
		}
		m.raise(AttentionExhausted, def.Name, message)
	}
	next := Execute
	if probeNext {
		next = Probe
	}
	m.backOff(Fact{Type: StepBackedOff, Step: def.Name, Verb: next, Code: code, Message: message}, def.Retry, leg.Sends, retryAfter)
}

func (m *machine) undoAttemptFailed(i int, code, message string, retryAfter time.Duration) {
	def, leg := &m.def.Steps[i], &m.next.Steps[i].Backward
	if leg.Sends >= def.Compensation.Retry.MaxAttempts {
		m.raise(AttentionExhausted, def.Name, message)
	}
	m.backOff(Fact{Type: UndoBackedOff, Step: def.Name, Verb: Compensate, Code: code, Message: message}, def.Compensation.Retry, leg.Sends, retryAfter)
}

// backOff emits f with the time of the next send. Past max_attempts one in a hundred is recorded (design rule 15), and each that
// makes a stuck step move.
func (m *machine) backOff(f Fact, r Retry, sends int, retryAfter time.Duration) {
	f.Reply = m.failedOf(f.Step)
	f.RetryAt = m.env.At.Add(r.delay(sends, m.env.Jitter, retryAfter))
	f.Why = f.Step + " failed and is tried again."
	i := m.def.StepIndex(f.Step)
	if sends > r.MaxAttempts && sends%100 != 0 && m.next.Steps[i].Status != Stuck && !m.told(i, f.Type) {
		m.why = f.Why
		m.quietly(f)
		return
	}
	m.emit(f)
}

// told reports whether every send and back-off of a step is recorded, past max_attempts too: those of a compensatable step whose
// participant is held (see spared). They are few, and an abort gives a grace to a step by whether it is in flight.
func (m *machine) told(i int, t FactType) bool {
	return m.def.Steps[i].Kind == Compensatable && (t == StepSent || t == StepBackedOff)
}

// delay is the back-off after that many sends, jitter drawn from [0, 1). A longer wish of the participant is honoured, up to
// the larger of Max and an hour.
func (r Retry) delay(sends int, jitter float64, wish time.Duration) time.Duration {
	d := float64(r.Initial) * math.Pow(r.Multiplier, float64(min(max(sends, 1)-1, 1000)))
	d = min(d, float64(r.Max))
	d *= 1 + r.Jitter*(2*jitter-1)
	return max(time.Duration(d), min(wish, max(r.Max, time.Hour)))
}

// resendForward sends the same command once more, or a probe for it, or its next edition where it was answered not_found.
func (m *machine) resendForward(i int, probe, renewed bool) {
	def, leg := &m.def.Steps[i], &m.next.Steps[i].Forward
	if leg.Answer == ReplyRejected { // not_found, on a budget that is used up (design rule 13)
		m.createForward(i, leg.Payload, leg.Edition+1, renewed)
		return
	}
	f := Fact{
		Type: StepSent, Step: def.Name, Verb: Execute, Edition: leg.Edition, Attempt: leg.Attempt + 1, Renewed: renewed,
		ExpiresAt: m.env.At.Add(def.Timeout), Why: def.Name + " is sent again.",
	}
	if m.next.Steps[i].Effect == EffectNone && !def.EffectNone {
		f.Effect = EffectPossible
	}
	name := def.Command
	if probe {
		f.Verb, name, f.Why = Probe, def.Probe, def.Name+" is probed."
	}
	m.resend(i, f, name, leg, def.Retry)
}

func (m *machine) resendBackward(i int, renewed bool) {
	def, leg := &m.def.Steps[i], &m.next.Steps[i].Backward
	m.resend(i, Fact{
		Type: UndoSent, Step: def.Name, Verb: Compensate, Edition: leg.Edition, Attempt: leg.Attempt + 1, Renewed: renewed,
		ExpiresAt: m.env.At.Add(def.Compensation.Timeout), Why: "The compensation of " + def.Name + " is sent again.",
	}, def.Compensation.Command, leg, def.Compensation.Retry)
}

func (m *machine) resend(i int, f Fact, name string, leg *Leg, r Retry) {
	n := leg.Sends + 1
	if !f.Renewed && n > r.MaxAttempts && n%100 != 0 && !m.told(i, f.Type) {
		m.why = f.Why
		m.sendQuietly(i, f, name)
		return
	}
	m.send(i, f, name)
}

// wakeAt is when the saga must be looked at again: never zero while it lives (L2).
func (m *machine) wakeAt() time.Time {
	in := &m.next
	if in.Status.Terminal() {
		return time.Time{}
	}
	at := m.env.At.Add(time.Hour)
	earliest := func(t time.Time) {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	if in.Broken != "" {
		return at
	}
	for i := range in.Steps {
		if h := m.holdingStep(i); h != nil {
			if m.waitsForHold(i) {
				if !in.HasAttention(AttentionHeld, "") {
					earliest(h.From.Add(HeldAfter))
				}
				if in.Pause == nil {
					earliest(m.env.At.Add(lookAgain(m.env.At.Sub(h.From))))
					earliest(h.To)
				}
			}
			continue
		}
		earliest(m.stepWake(i))
	}
	if since := m.limitedSince(); !since.IsZero() {
		if !in.HasAttention(AttentionHeld, "") {
			earliest(since.Add(HeldAfter))
		}
		earliest(m.env.At.Add(lookAgain(m.env.At.Sub(since))))
	}
	if m.holding() == nil && !in.DeadlinePassed && m.deadlineRuns() && !m.waitsForParticipant() {
		earliest(in.Deadline)
	}
	return at
}

// lookAgain is how soon a saga that waits for a hold looks by itself whether it has ended, should nobody tell it: after a quarter of the time
// that it has lasted, within 10 s to 5 min. A pause ends with a resume, which does tell, and an end that is planned is known.
func lookAgain(held time.Duration) time.Duration {
	return min(max(held/4, 10*time.Second), 5*time.Minute)
}

func (m *machine) stepWake(i int) time.Time {
	s := &m.next.Steps[i]
	switch s.Status {
	case InFlight:
		if m.sent(i, Execute).Unpublished && !m.next.Aborting && !m.env.At.Before(s.Forward.ExpiresAt) {
			return m.env.At.Add(m.def.Steps[i].Timeout)
		}
		return m.expiry(i, &s.Forward, Execute)
	case Undoing:
		if m.sent(i, Compensate).Unpublished && !m.env.At.Before(s.Backward.ExpiresAt) {
			return m.env.At.Add(m.def.Steps[i].Compensation.Timeout)
		}
		return m.expiry(i, &s.Backward, Compensate)
	case BackingOff:
		return s.Forward.RetryAt
	case UndoBackingOff:
		return s.Backward.RetryAt
	case Pending, Held, Succeeded, Rejected, Unknown, Skipped, Stuck, Undone, UndoFailed, Waived:
	}
	return time.Time{}
}
