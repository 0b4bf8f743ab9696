package saga

import (
	"slices"
	"time"
)

// HeldAfter is how old a hold is when it raises attention (design rule 10).
const HeldAfter = 15 * time.Minute

// holding is the hold or pause that stops the saga as a whole now; nil: none.
func (m *machine) holding() *Hold {
	if p := m.next.Pause; p != nil {
		return &Hold{From: p.Since, Reason: p.Reason, What: "this saga", By: p.By}
	}
	return m.inForce("")
}

// holdingStep is what stops the commands and timers of step i now; nil: nothing.
func (m *machine) holdingStep(i int) *Hold {
	if h := m.holding(); h != nil {
		return h
	}
	return m.inForce(m.def.Steps[i].Participant)
}

func (m *machine) inForce(participant string) *Hold {
	for i := range m.env.Holds {
		h := &m.env.Holds[i]
		if h.Participant == participant && !h.From.After(m.env.At) && (h.To.IsZero() || h.To.After(m.env.At)) {
			return h
		}
	}
	return nil
}

// thaw moves the timers of next by the time that they stood still since ClockAt (design rules 10 and 11). Nothing is stored
// for it unless the event turns out to change something.
func (m *machine) thaw() {
	if shift := m.stoodStill(); shift != nil {
		m.shift = shift
		m.next.shiftTimers(shift)
	}
}

// stoodStill is by how much timers are to be moved; nil: not at all.
func (m *machine) stoodStill() *Shift {
	in := &m.next
	if in.ID.IsZero() || in.Status.Terminal() || !m.env.At.After(in.ClockAt) {
		return nil
	}
	whole := in.Pause != nil
	saga := m.stood(whole)
	shift := Shift{}
	if !in.Deadline.IsZero() && !in.DeadlinePassed {
		shift.Deadline = m.stood(whole || !m.deadlineRuns(), m.waiting()...).Microseconds()
	}
	if in.Aborting {
		shift.Grace = saga.Microseconds()
	}
	for i := range in.Steps {
		if !in.Steps[i].hasTimer() {
			continue
		}
		if by := m.stood(whole, m.def.Steps[i].Participant).Microseconds(); by != 0 {
			if shift.Steps == nil {
				shift.Steps = make([]int64, len(in.Steps))
			}
			shift.Steps[i] = by
		}
	}
	if shift.Deadline == 0 && shift.Grace == 0 && shift.Steps == nil {
		return nil
	}
	return &shift
}

// waiting are the participants of steps that would move but for a hold on them.
func (m *machine) waiting() (participants []string) {
	for i := range m.next.Steps {
		if m.waitsForHold(i) {
			participants = append(participants, m.def.Steps[i].Participant)
		}
	}
	return participants
}

// waitsForParticipant reports whether a step waits for a hold on its participant: the deadline stands still meanwhile, so that a
// participant's outage aborts nothing.
func (m *machine) waitsForParticipant() bool {
	return slices.ContainsFunc(m.waiting(), func(p string) bool { return m.inForce(p) != nil })
}

// spared reports whether a failing attempt of step i is not its last, although its budget is used up: while it was out its
// participant was held, or tried by its breaker. The budget is spent with participants that are there.
func (m *machine) spared(i int) bool {
	p, sent := m.def.Steps[i].Participant, m.next.Steps[i].Forward.SentAt
	return slices.ContainsFunc(m.env.Holds, func(h Hold) bool {
		return h.Participant == p && !h.From.After(m.env.At) && (h.To.IsZero() || h.To.After(sent) || h.TriedUntil.After(sent))
	})
}

// stood is how long timers stood still since ClockAt: all the time, or the union of the holds on the saga and the participants.
func (m *machine) stood(whole bool, participants ...string) time.Duration {
	from, to := m.in.ClockAt, m.env.At
	if whole {
		return to.Sub(from)
	}
	type span struct{ from, to time.Time }
	var spans []span
	for _, h := range m.env.Holds {
		if h.Participant != "" && !slices.Contains(participants, h.Participant) {
			continue
		}
		s := span{h.From, h.To}
		if s.to.IsZero() || s.to.After(to) {
			s.to = to
		}
		if s.from.Before(from) {
			s.from = from
		}
		if s.from.Before(s.to) {
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	var total time.Duration
	end := from
	for _, s := range spans {
		if s.from.After(end) {
			end = s.from
		}
		if s.to.After(end) {
			total += s.to.Sub(end)
			end = s.to
		}
	}
	return total
}

func (s *StepState) hasTimer() bool { return s.Forward.hasTimer() || s.Backward.hasTimer() }

func (l *Leg) hasTimer() bool { return !l.ExpiresAt.IsZero() || !l.RetryAt.IsZero() }

func (in *Instance) shiftTimers(s *Shift) {
	move := func(t *time.Time, us int64) {
		if !t.IsZero() {
			*t = t.Add(time.Duration(us) * time.Microsecond)
		}
	}
	move(&in.Deadline, s.Deadline)
	if in.Abort != nil {
		abort := *in.Abort
		move(&abort.GraceUntil, s.Grace)
		in.Abort = &abort
	}
	for i, us := range s.Steps {
		move(&in.Steps[i].GraceUntil, us)
		for _, leg := range []*Leg{&in.Steps[i].Forward, &in.Steps[i].Backward} {
			move(&leg.ExpiresAt, us)
			move(&leg.Heartbeat, us)
			move(&leg.RetryAt, us)
		}
	}
}
