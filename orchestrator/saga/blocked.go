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
	Command     string          `json:"command,omitempty"` // of reply, backoff and unpublished: its name
	Edition     int             `json:"edition,omitempty"`
	Attempt     int             `json:"attempt,omitempty"`
	Reason      AttentionReason `json:"reason,omitempty"`
	Message     string          `json:"message,omitempty"`
	Since       time.Time       `json:"since"`          // of a reply: when the attempt was decided on
	Until       time.Time       `json:"until,omitzero"` // zero: no time ends it
	// Of a reply. AckedAt is zero while the broker has not acknowledged the record, or nobody knows; Partition and Offset are of
	// no meaning then. Heartbeat is when the timeout last began anew: the participant said that it is at it, or had not reached it.
	AckedAt   time.Time `json:"acked_at,omitzero"`
	Partition int32     `json:"partition,omitempty"`
	Offset    int64     `json:"offset,omitempty"`
	Heartbeat time.Time `json:"heartbeat,omitzero"`
	Queued    bool      `json:"queued,omitempty"` // the participant's group has not reached the record
	// Of a hold: what is held, and by whom; empty: not known.
	What string `json:"what,omitempty"`
	By   string `json:"by,omitempty"`
	// Out: the hold keeps a command from being sent again. Limit: it is a limit that the step waits for.
	Out   bool `json:"out,omitempty"`
	Limit bool `json:"limit,omitempty"`
}

// Blocked lists what a saga waits for, by the order of its steps; nil when it has ended. env is that of now: At, Holds, Limits, Sent.
func Blocked(def *Definition, in Instance, env Env) []BlockedOn {
	if in.Status.Terminal() {
		return nil
	}
	if in.Broken != "" {
		return []BlockedOn{{Cause: CauseAttention, Reason: AttentionInvariant, Message: in.Broken, Since: in.UpdatedAt}}
	}
	m := &machine{def: def, in: &in, next: in, env: env} // it changes nothing
	if m.stoodStill() != nil {
		m = newMachine(def, in, Event{Env: env})
	}
	var out []BlockedOn
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
		b.Cause, b.Since, b.Message, b.What, b.By = CauseHold, h.From, h.Reason, h.What, h.By
		b.Limit = s.Status == Held && !s.LimitedAt.IsZero()
		b.Out = s.Status == BackingOff || s.Status == UndoBackingOff
		return b, true
	}
	switch s.Status {
	case InFlight, Undoing:
		leg, verb := &s.Forward, Execute
		if s.Status == Undoing {
			leg, verb = &s.Backward, Compensate
		}
		b.Cause, b.Since, b.Until, b.Heartbeat = CauseReply, leg.SentAt, m.expiry(i, leg, verb), leg.Heartbeat
		b.asked(def, leg, verb)
		known := m.sent(i, verb)
		b.AckedAt, b.Partition, b.Offset, b.Queued = known.AckedAt, known.Partition, known.Offset, known.Queued
		if known.Unpublished {
			b.Cause, b.Until = CauseUnpublished, time.Time{}
		}
	case BackingOff, UndoBackingOff:
		leg, verb := &s.Forward, Execute
		if s.Status == UndoBackingOff {
			leg, verb = &s.Backward, Compensate
		}
		b.Cause, b.Since, b.Until = CauseBackoff, leg.SentAt, leg.RetryAt
		b.asked(def, leg, verb)
	case Stuck:
		b.Cause, b.Reason, b.Since = CauseAttention, s.Why, m.since(s.Why, def.Name)
	case UndoFailed:
		b.Cause, b.Reason, b.Since = CauseAttention, AttentionUndoFailed, m.since(AttentionUndoFailed, def.Name)
	case Held:
		b.Cause, b.Since = CauseHold, m.next.UpdatedAt // its hold has ended; the next look starts it
		if !s.LimitedAt.IsZero() {
			b.Since, b.Limit = s.LimitedAt, true
			if l := m.limitOn(i); l != nil {
				b.What, b.Message = "limit on "+l.What, l.Figure
			}
		}
	case Pending, Succeeded, Rejected, Unknown, Skipped, Undone, Waived:
		return b, false
	}
	if s.Error != nil && b.Cause != CauseReply && b.Cause != CauseUnpublished {
		b.Message = s.Error.Message
	}
	return b, true
}

// asked says which command it is about: the newest attempt that was sent.
func (b *BlockedOn) asked(def *Step, leg *Leg, verb Verb) {
	b.Verb, b.Command, b.Edition, b.Attempt = verb, def.Command, leg.Edition, leg.Attempt
	switch {
	case verb == Compensate:
		b.Command = def.Compensation.Command
	case leg.Probing:
		b.Verb, b.Command = Probe, def.Probe
	}
}

func (m *machine) since(reason AttentionReason, step string) time.Time {
	if j := m.next.attentionIndex(reason, step); j >= 0 {
		return m.next.Attention[j].Since
	}
	return m.next.UpdatedAt
}
