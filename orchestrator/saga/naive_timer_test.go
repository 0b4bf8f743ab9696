package saga_test

import (
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// heldAt reports whether a hold stops the scope: rule 10. An empty participant asks about the saga as a whole.
func (n *naive) heldAt(participant string) bool {
	if n.paused {
		return true
	}
	return slices.ContainsFunc(n.holds, func(h saga.Hold) bool {
		return (h.Participant == "" || h.Participant == participant) && !n.now.Before(h.From) && (h.To.IsZero() || n.now.Before(h.To))
	})
}

func (n *naive) held(i int) bool { return n.heldAt(n.steps[i].Participant) }

// stood is how long the timers of a scope stood still since the event before: the union of all that held it.
func (n *naive) stood(all bool, participants ...string) time.Duration {
	if all || n.paused {
		return n.now.Sub(n.clock)
	}
	type span struct{ from, to time.Time }
	var spans []span
	for _, h := range n.holds {
		if h.Participant != "" && !slices.Contains(participants, h.Participant) {
			continue
		}
		from, to := h.From, h.To
		if to.IsZero() || to.After(n.now) {
			to = n.now
		}
		if from.Before(n.clock) {
			from = n.clock
		}
		if from.Before(to) {
			spans = append(spans, span{from, to})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	var sum time.Duration
	end := n.clock
	for _, s := range spans {
		if s.from.Before(end) {
			s.from = end
		}
		if s.from.Before(s.to) {
			sum += s.to.Sub(s.from)
			end = s.to
		}
	}
	return sum
}

// waits reports whether the step would go on but for a hold. Rule 10: "the deadline stands still while one of them waits for it".
func (n *naive) waits(i int) bool {
	switch n.steps[i].status {
	case saga.InFlight, saga.BackingOff, saga.Undoing, saga.UndoBackingOff:
		return true
	case saga.Held:
		return !n.aborting
	default:
		return n.aborting && n.mustUndo(i)
	}
}

// deadlineHeld reports whether a hold on a participant has a step wait.
func (n *naive) deadlineHeld() bool {
	for i := range n.steps {
		if n.waits(i) && n.held(i) {
			return true
		}
	}
	return false
}

// anyFull: rule 10, "The deadline stands still while a step waits for a limit".
func (n *naive) anyFull() bool {
	return !n.aborting && slices.ContainsFunc(n.steps, func(s naiveStep) bool { return s.status == saga.Held && s.full })
}

// spared: rule 10, "no attempt that was out under a hold on its participant is a step's last".
func (n *naive) spared(i int) bool {
	return slices.ContainsFunc(n.holds, func(h saga.Hold) bool {
		return h.Participant == n.steps[i].Participant && !n.now.Before(h.From) &&
			(h.To.IsZero() || n.steps[i].f.sentAt.Before(h.To) || n.steps[i].f.sentAt.Before(h.TriedUntil))
	})
}

// shift moves every timer by the time that its scope stood still. READING: an in-flight step's grace while aborting is its
// own timer, so a hold on its participant stops it too (rule 10: "A hold on a participant stops only its own steps' commands
// and timers").
func (n *naive) shift() {
	if n.now.Before(n.clock) {
		n.now = n.clock
	}
	if !n.ended() {
		if !n.deadline.IsZero() && !n.deadlineDone { // rule 11: "Before the pivot the deadline stands still while suspended"
			var waits []string
			for i := range n.steps {
				if n.waits(i) {
					waits = append(waits, n.steps[i].Participant)
				}
			}
			n.deadline = n.deadline.Add(n.stood(n.status == saga.Suspended && !n.passed() || n.anyFull(), waits...))
		}
		for i := range n.steps {
			s := &n.steps[i]
			d := n.stood(false, s.Participant)
			for _, t := range []*time.Time{&s.f.expires, &s.f.retry, &s.b.expires, &s.b.retry, &s.grace} {
				if !t.IsZero() {
					*t = t.Add(d)
				}
			}
		}
	}
	n.clock = n.now
	n.published()
}

// naiveTimer is one thing that is due.
type naiveTimer struct {
	at   time.Time
	step int // -1: the deadline
}

// timers lists what runs, the earliest first.
func (n *naive) timers() []naiveTimer {
	var due []naiveTimer
	if n.ended() {
		return nil
	}
	if !n.deadline.IsZero() && !n.deadlineDone && !n.heldAt("") && !n.deadlineHeld() && (n.status != saga.Suspended || n.passed()) && !n.anyFull() {
		due = append(due, naiveTimer{n.deadline, -1})
	}
	for i := range n.steps {
		s := &n.steps[i]
		if n.held(i) {
			continue
		}
		switch s.status {
		case saga.InFlight:
			switch {
			case n.aborting: // "the rest of its attempt, at most 10 s [...], an unpublished command does not stop it"
				due = append(due, naiveTimer{earlier(s.f.expires, s.grace), i})
			case !n.unpublished(i, saga.Execute):
				due = append(due, naiveTimer{s.f.expires, i})
			}
		case saga.BackingOff:
			due = append(due, naiveTimer{s.f.retry, i})
		case saga.Undoing:
			if !n.unpublished(i, saga.Compensate) {
				due = append(due, naiveTimer{s.b.expires, i})
			}
		case saga.UndoBackingOff:
			due = append(due, naiveTimer{s.b.retry, i})
		default:
		}
	}
	slices.SortStableFunc(due, func(a, b naiveTimer) int { return a.at.Compare(b.at) })
	return due
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// published: "the timeout starts again with the publish" (design section 9), where it is later than that.
func (n *naive) published() {
	for _, sent := range n.sent {
		s := &n.steps[sent.Step]
		leg, timeout := &s.f, s.Timeout
		if sent.Verb == saga.Compensate {
			leg, timeout = &s.b, s.Compensation.Timeout
		}
		if sent.AckedAt.IsZero() || leg.acked {
			continue
		}
		leg.acked = true
		if t := sent.AckedAt.Add(timeout); t.After(leg.expires) {
			leg.expires = t
		}
	}
}

// unpublished: "An attempt does not time out while its command is still in the outbox".
func (n *naive) unpublished(i int, verb saga.Verb) bool {
	return slices.ContainsFunc(n.sent, func(s saga.Sent) bool { return s.Step == i && s.Verb == verb && s.Unpublished })
}

// wake fires what is due, the earliest first.
func (n *naive) wake() {
	for {
		n.settle()
		due := n.timers()
		if len(due) == 0 || due[0].at.After(n.now) {
			return
		}
		if due[0].step < 0 {
			n.deadlinePassed()
			continue
		}
		n.fire(due[0].step)
	}
}

// deadlinePassed: rule 8.
func (n *naive) deadlinePassed() {
	n.deadlineDone = true
	switch {
	case n.aborting, n.passed():
		n.raise(saga.AttentionDeadline, -1)
	case n.pivotOut():
		n.deadlineWaiting = true
	default:
		n.abort(saga.AbortDeadline)
	}
}

func (n *naive) fire(i int) {
	s := &n.steps[i]
	switch s.status {
	case saga.InFlight:
		n.timedOut(i)
	case saga.BackingOff:
		if s.f.answer == saga.ReplyRejected { // not_found: "is followed by the next edition" (rule 13)
			n.create(i, nil)
			return
		}
		n.send(i, saga.Execute, s.f.probing)
	case saga.UndoBackingOff:
		n.send(i, saga.Compensate, false)
	case saga.Undoing: // clarification (j)
		if s.b.sends < s.Compensation.Retry.MaxAttempts {
			n.send(i, saga.Compensate, false)
			return
		}
		n.backOff(i, saga.Compensate, 0)
	default:
	}
}

// timedOut: "**An attempt that times out** is sent again at once while fewer than `max_attempts` were sent" (rule 3); rules 4, 6
// and 13.
func (n *naive) timedOut(i int) {
	s := &n.steps[i]
	switch {
	case n.aborting:
		n.move(i, saga.Unknown)
	case s.f.sends >= s.Retry.MaxAttempts && s.Kind == saga.Compensatable && !n.spared(i):
		n.exhausted(i)
	case s.f.sends >= s.Retry.MaxAttempts:
		s.f.probing = s.Probe != ""
		n.backOff(i, saga.Execute, 0)
	case s.Probe == "":
		n.send(i, saga.Execute, false)
	case s.f.probing: // rule 13: a probe "counts as a send and repeats on the back-off"
		n.backOff(i, saga.Execute, 0)
	default: // rule 13: "sends a probe after a timeout instead of the command"
		n.send(i, saga.Execute, true)
	}
}
