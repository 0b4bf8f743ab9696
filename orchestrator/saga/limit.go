package saga

import "time"

// CodeLimit is the code of a `step.held` that tells of a limit (design rule 10).
const CodeLimit = "limit"

// Begun reports whether a command of the saga was ever created: a limit on sagas that have begun concerns it no more.
func (in *Instance) Begun() bool {
	for i := range in.Steps {
		if in.Steps[i].Forward.Created {
			return true
		}
	}
	return false
}

// Out reports whether a command of step i is out: created and not settled yet, so that it is or will be with the participant. Limits
// bound how many are.
func (in *Instance) Out(i int) bool {
	switch in.Steps[i].Status {
	case InFlight, BackingOff, Undoing, UndoBackingOff:
		return true
	case Pending, Held, Succeeded, Rejected, Unknown, Skipped, Stuck, Undone, UndoFailed, Waived:
	}
	return false
}

// Limited reports whether a step waits for a limit, and may go on when there is room.
func (in *Instance) Limited() bool {
	for i := range in.Steps {
		if s := &in.Steps[i]; s.Status == Held && !s.LimitedAt.IsZero() && !in.Aborting {
			return true
		}
	}
	return false
}

// limiting is the limit that leaves no room for the first command of step i; nil: none. What this decision has created so far
// counts. A further edition, a retry and a compensation are for what is out, or was, and wait for no limit.
func (m *machine) limiting(i int) *Limit {
	for j := range m.env.Limits {
		l := &m.env.Limits[j]
		switch {
		case l.Participant != "" && l.Participant != m.def.Steps[i].Participant:
		case l.Begins && m.next.Begun():
		case l.Room-m.taken(l) <= 0:
			return l
		}
	}
	return nil
}

// limitOn is the limit that step i waits for, as far as is known: one without room, else any that concerns it; nil: none.
func (m *machine) limitOn(i int) *Limit {
	if l := m.limiting(i); l != nil {
		return l
	}
	for j := range m.env.Limits {
		if l := &m.env.Limits[j]; (l.Participant == "" || l.Participant == m.def.Steps[i].Participant) && !(l.Begins && m.next.Begun()) {
			return l
		}
	}
	return nil
}

// taken is how much of a limit's room this decision has used.
func (m *machine) taken(l *Limit) (n int) {
	if l.Begins { // one at most: having begun, the saga is concerned no more
		return 0
	}
	for k := range m.commands {
		c := &m.commands[k]
		if c.Verb == Execute && c.Attempt == 1 && (l.Participant == "" || l.Participant == c.Participant) {
			n++
		}
	}
	return n
}

// limitedSince is since when a step waits for a limit; zero: none does.
func (m *machine) limitedSince() (since time.Time) {
	if m.next.Aborting {
		return since
	}
	for i := range m.next.Steps {
		if s := &m.next.Steps[i]; s.Status == Held && !s.LimitedAt.IsZero() && (since.IsZero() || s.LimitedAt.Before(since)) {
			since = s.LimitedAt
		}
	}
	return since
}

// String is what is bounded, and how far it is.
func (l *Limit) String() string { return l.What + ", " + l.Figure }
