package saga

import "time"

// Cause says why a saga waits.
type Cause string

// The causes, in the order in which they are shown.
const (
	CauseAttention   Cause = "attention"   // a stuck or undo_failed step: a person
	CauseHold        Cause = "hold"        // a pause, a hold, a limit
	CauseUnpublished Cause = "unpublished" // the command is still in the outbox
	CauseReply       Cause = "reply"       // a participant
	CauseBackoff     Cause = "backoff"     // time
)

// BlockedOn is one thing that a saga waits for. A saga that is not terminal always waits for something.
type BlockedOn struct {
	Cause       Cause           `json:"cause"`
	Step        string          `json:"step,omitempty"`
	Participant string          `json:"participant,omitempty"`
	Verb        Verb            `json:"verb,omitempty"`
	Attempt     int             `json:"attempt,omitempty"`
	Reason      AttentionReason `json:"reason,omitempty"`
	Message     string          `json:"message,omitempty"`
	Since       time.Time       `json:"since"`
	Until       time.Time       `json:"until,omitzero"` // zero: no time ends it
}

// Blocked lists what a saga waits for, by the order of its steps; nil when it has ended. env is that of now: At, Holds, Sent.
func Blocked(def *Definition, in Instance, env Env) []BlockedOn {
	if in.Status.Terminal() {
		return nil
	}
	m := newMachine(def, in, Event{Env: env})
	var out []BlockedOn
	if in.Broken != "" {
		return []BlockedOn{{Cause: CauseAttention, Reason: AttentionInvariant, Message: in.Broken, Since: in.UpdatedAt}}
	}
	for i := range in.Steps {
		if b, ok := m.blockedStep(i); ok {
			out = append(out, b)
		}
	}
	return out
}

func (m *machine) blockedStep(i int) (BlockedOn, bool) {
	s, def := &m.next.Steps[i], &m.def.Steps[i]
	b := BlockedOn{Step: def.Name, Participant: def.Participant}
	if h := m.holdingStep(i); h != nil && m.waitsForHold(i) && s.Status != InFlight && s.Status != Undoing {
		b.Cause, b.Since, b.Message = CauseHold, h.From, h.Reason
		return b, true
	}
	switch s.Status {
	case InFlight, Undoing:
		leg, verb := &s.Forward, Execute
		if s.Status == Undoing {
			leg, verb = &s.Backward, Compensate
		}
		b.Cause, b.Verb, b.Attempt, b.Since, b.Until = CauseReply, verb, leg.Attempt, leg.SentAt, m.expiry(i, leg, verb)
		if leg.Probing {
			b.Verb = Probe
		}
		if m.sent(i, verb).Unpublished {
			b.Cause, b.Until = CauseUnpublished, time.Time{}
		}
	case BackingOff, UndoBackingOff:
		leg, verb := &s.Forward, Execute
		if s.Status == UndoBackingOff {
			leg, verb = &s.Backward, Compensate
		}
		b.Cause, b.Verb, b.Attempt, b.Since, b.Until = CauseBackoff, verb, leg.Attempt, leg.SentAt, leg.RetryAt
	case Stuck:
		b.Cause, b.Reason, b.Since = CauseAttention, s.Why, m.since(s.Why, def.Name)
	case UndoFailed:
		b.Cause, b.Reason, b.Since = CauseAttention, AttentionUndoFailed, m.since(AttentionUndoFailed, def.Name)
	case Held:
		b.Cause, b.Since = CauseHold, m.next.UpdatedAt // its hold has ended; the next look starts it
	case Pending, Succeeded, Rejected, Unknown, Skipped, Undone, Waived:
		return b, false
	}
	if s.Error != nil && b.Cause != CauseReply && b.Cause != CauseUnpublished {
		b.Message = s.Error.Message
	}
	return b, true
}

func (m *machine) since(reason AttentionReason, step string) time.Time {
	if j := m.next.attentionIndex(reason, step); j >= 0 {
		return m.next.Attention[j].Since
	}
	return m.next.UpdatedAt
}
