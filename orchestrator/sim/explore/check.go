package explore

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// judge checks one decision against what must always hold (design section 7); empty: all does.
func (x *explorer) judge(in *saga.Instance, d *saga.Decision, ev saga.Event) string {
	for _, check := range []func(*saga.Instance, *saga.Decision, saga.Event) string{x.history, x.sent, x.turned, x.wakes} {
		if wrong := check(in, d, ev); wrong != "" {
			return wrong
		}
	}
	return ""
}

// history is S4, and S8: a reply settles once.
func (x *explorer) history(in *saga.Instance, d *saga.Decision, _ saga.Event) string {
	folded, err := saga.FoldOn(x.codec.def, *in, d.Facts)
	if err != nil {
		return "S4: " + err.Error()
	}
	if diff := saga.Equivalent(x.codec.def, folded, d.Next); diff != "" {
		return "S4: folding the facts does not give the stored instance:\n" + diff
	}
	if d.Next.Broken != "" {
		return "an invariant broke: " + d.Next.Broken
	}
	seen := map[string]bool{}
	for _, f := range d.Facts {
		switch f.Type {
		case saga.StepSucceeded, saga.StepRejected, saga.UndoSucceeded, saga.UndoRefused:
		default:
			continue
		}
		if f.Reply == nil {
			continue
		}
		leg := x.legOf(in, f.Step, f.Verb)
		key := f.Step + string(f.Verb)
		if seen[key] || leg.Created && leg.Edition == f.Edition && leg.Answer == f.Outcome {
			return fmt.Sprintf("S8: %s of %s settles %s a second time", f.Outcome, f.Verb, f.Step)
		}
		seen[key] = true
	}
	return ""
}

func (x *explorer) legOf(in *saga.Instance, step string, verb saga.Verb) *saga.Leg {
	s := &in.Steps[x.codec.def.StepIndex(step)]
	if verb == saga.Compensate {
		return &s.Backward
	}
	return &s.Forward
}

// sent checks the commands: S5, S10, S11, S12, S15, S16, and design rules 6 and 10.
func (x *explorer) sent(in *saga.Instance, d *saga.Decision, ev saga.Event) string {
	for _, c := range d.Commands {
		i := x.codec.def.StepIndex(c.Step)
		before, after := x.legOf(in, c.Step, c.Verb), x.legOf(&d.Next, c.Step, c.Verb)
		switch {
		case in.Status.Terminal():
			return "S16: " + c.Step + " is sent although the saga has ended"
		case !after.Created || !bytes.Equal(after.Payload, c.Payload):
			return "S3: the command of " + c.Step + " is not what is stored"
		case before.Created && before.Edition == c.Edition && !bytes.Equal(before.Payload, c.Payload):
			return "S5: the payload of " + c.Step + " changed within an edition"
		case before.Created && before.Edition == c.Edition && c.Attempt != before.Attempt+1, (!before.Created || before.Edition != c.Edition) && c.Attempt != 1:
			return "the number of an attempt of " + c.Step + " does not follow"
		case d.Next.Pause != nil || x.heldStep(ev, i):
			return "rule 10: " + c.Step + " is sent under a hold"
		}
		wrong := x.forward(in, d, i, c)
		if c.Verb == saga.Compensate {
			wrong = x.backward(in, d, i, c)
		}
		if wrong != "" {
			return wrong
		}
	}
	return ""
}

func (x *explorer) heldStep(ev saga.Event, i int) bool {
	return slices.ContainsFunc(ev.Holds, func(h saga.Hold) bool {
		return h.Participant == "" || h.Participant == x.codec.def.Steps[i].Participant
	})
}

func (x *explorer) forward(in *saga.Instance, d *saga.Decision, i int, c saga.Command) string {
	// One look may send an attempt that was due, and then find that another step has used up its attempts.
	if in.Aborting || d.Next.Aborting && c.Attempt == 1 {
		return "rule 6: " + c.Step + " is sent forward in an abort"
	}
	for _, p := range x.codec.def.Steps[i].After {
		if st := d.Next.Steps[p].Status; st != saga.Succeeded && st != saga.Skipped && !d.Next.Aborting {
			return fmt.Sprintf("S10: %s is sent while %s is %s", c.Step, x.codec.def.Steps[p].Name, st)
		}
	}
	return ""
}

func (x *explorer) backward(in *saga.Instance, d *saga.Decision, i int, c saga.Command) string {
	before, after := &in.Steps[i], &d.Next.Steps[i]
	pivot := x.codec.def.PivotIndex()
	switch {
	case !d.Next.Aborting:
		return "S11: " + c.Step + " is undone without an abort"
	case pivot >= 0 && pivotPassed(x.codec.def, in):
		return "S15: " + c.Step + " is undone past the pivot"
	case !after.Forward.Created && !after.ByOperator:
		return "S11: " + c.Step + " is undone and was never sent"
	case c.Attempt > 1 || after.Anomaly || before.Status == saga.UndoFailed || before.Backward.Created: // the last are an operator's retry and rule 9
		return ""
	case before.Effect == saga.EffectNone && after.Effect == saga.EffectNone:
		return "S11: " + c.Step + " had no effect and is undone"
	}
	for _, j := range x.codec.def.Descendants(i) {
		below, name := &d.Next.Steps[j], x.codec.def.Steps[j].Name
		switch below.Status {
		case saga.InFlight, saga.BackingOff, saga.Undoing, saga.UndoBackingOff, saga.UndoFailed:
			return fmt.Sprintf("S12: %s is undone while %s is %s", c.Step, name, below.Status)
		default:
			left := below.Effect == saga.EffectPossible || below.Effect == saga.EffectCertain || below.Effect == saga.EffectUndoFailed
			if left && x.codec.def.Steps[j].Compensation != nil {
				return fmt.Sprintf("S12: %s is undone before %s (%s)", c.Step, name, below.Effect)
			}
		}
	}
	return ""
}

func pivotPassed(def *saga.Definition, in *saga.Instance) bool {
	p := in.Steps[def.PivotIndex()]
	return !in.Aborting && (p.Status == saga.Succeeded || p.Status == saga.Skipped || p.Status == saga.Stuck && p.BadOutput)
}

// turned checks what never turns round: S14, S15, S16; and that a certificate says what the steps do.
func (x *explorer) turned(in *saga.Instance, d *saga.Decision, _ saga.Event) string {
	next := &d.Next
	switch {
	case in.Aborting && !next.Aborting:
		return "S14: an abort turned round"
	case in.Status.Terminal() && in.Status != next.Status:
		return fmt.Sprintf("S16: it was %s and is %s", in.Status, next.Status)
	case next.Status.Terminal() != (next.Certificate != nil):
		return "S16: a saga has a certificate exactly when it ended"
	case next.Aborting && !in.Aborting && x.codec.def.PivotIndex() >= 0 && pivotPassed(x.codec.def, in):
		return "S15: an abort began past the pivot"
	}
	for i := range next.Steps {
		s, name := &next.Steps[i], x.codec.def.Steps[i].Name
		if s.Backward.Created && !slices.Contains([]saga.StepStatus{saga.Undoing, saga.UndoBackingOff, saga.Undone, saga.UndoFailed, saga.Waived}, s.Status) {
			return fmt.Sprintf("S14: %s was on the way back and is %s", name, s.Status)
		}
		if next.Status == saga.Completed && s.Status != saga.Succeeded && s.Status != saga.Skipped {
			return fmt.Sprintf("%s is %s in a completed saga", name, s.Status)
		}
		if (s.Status == saga.Stuck || s.Status == saga.UndoFailed) && !next.Status.Terminal() &&
			!slices.ContainsFunc(next.Attention, func(a saga.Attention) bool { return a.Step == name }) && !(s.Status == saga.Stuck && next.Aborting) {
			return fmt.Sprintf("%s is %s, and nobody is told", name, s.Status)
		}
	}
	if next.Certificate != nil {
		c := x.codec.certificate(next)
		c.Amended = next.Certificate.Amended
		if fmt.Sprint(*c) != fmt.Sprint(*next.Certificate) {
			return fmt.Sprintf("the certificate says %v where the steps say %v", *next.Certificate, *c)
		}
	}
	return ""
}

// wakes is L2: what is not terminal is looked at again, no later than its first timer.
func (x *explorer) wakes(_ *saga.Instance, d *saga.Decision, ev saga.Event) string {
	next := &d.Next
	if next.Status.Terminal() != d.WakeAt.IsZero() {
		return fmt.Sprintf("L2: it is %s and wakes at %v", next.Status, d.WakeAt)
	}
	if d.WakeAt.IsZero() || next.Pause != nil {
		return ""
	}
	for i := range next.Steps {
		if x.heldStep(ev, i) {
			continue
		}
		s := &next.Steps[i]
		due := s.Forward.ExpiresAt
		switch s.Status {
		case saga.InFlight:
			if h := s.Forward.Heartbeat; !h.IsZero() && h.Add(x.codec.def.Steps[i].Timeout).After(due) {
				due = h.Add(x.codec.def.Steps[i].Timeout)
			}
			if !s.GraceUntil.IsZero() && s.GraceUntil.Before(due) {
				due = s.GraceUntil
			}
		case saga.Undoing:
			due = s.Backward.ExpiresAt
			if h := s.Backward.Heartbeat; !h.IsZero() && h.Add(x.codec.def.Steps[i].Compensation.Timeout).After(due) {
				due = h.Add(x.codec.def.Steps[i].Compensation.Timeout)
			}
		case saga.BackingOff:
			due = s.Forward.RetryAt
		case saga.UndoBackingOff:
			due = s.Backward.RetryAt
		default:
			continue
		}
		if due.After(ev.At) && d.WakeAt.After(due) {
			return fmt.Sprintf("L2: it wakes at %v, and %s is due at %v", d.WakeAt, x.codec.def.Steps[i].Name, due)
		}
	}
	return ""
}

// compare holds what the instance says of effects against what truly happened (S11, S13); empty: it agrees. What somebody lied
// about, and what an operator said, is theirs to answer for.
func (x *explorer) compare(s *state) string {
	in := &x.instances[s.instance]
	for i := range x.codec.def.Steps {
		v, name := &in.steps[i], x.codec.def.Steps[i].Name
		done, undone := bits.OnesCount8(s.done[i]), bits.OnesCount8(s.undone[i])
		if done > 1 {
			return name + " took effect twice"
		}
		if undone > done {
			return name + " was undone more often than it took effect"
		}
		if s.doubt&(1<<i) != 0 {
			continue
		}
		if v.conflict && !v.disputed {
			return name + " contradicts itself, and nobody lied"
		}
		if v.barrier {
			return name + " found nothing to undo where it had done something, and nobody lied"
		}
		if x.codec.def.Steps[i].EffectNone {
			continue
		}
		standing := done > undone
		if wrong := x.agrees(s, in, v, i, done > 0, standing); wrong != "" {
			return name + " " + wrong
		}
	}
	return ""
}

func (x *explorer) agrees(s *state, in *instance, v *stepView, i int, done, standing bool) string {
	switch v.effect {
	case saga.EffectNone:
		if standing {
			return "is said to have had no effect, and it stands"
		}
	case saga.EffectCertain:
		if v.byOperator {
			return ""
		}
		if !done {
			return "is said to be certain, and never took effect"
		}
		if in.terminal && !standing && !(v.created[1] && x.pending(s, i)) {
			return "is certified as certain, and does not stand"
		}
	case saga.EffectUndone:
		if standing && !v.byOperator {
			return "is said to be undone, and stands"
		}
	case saga.EffectPossible:
		if in.status == saga.Completed {
			return "is possible in a completed saga"
		}
		if in.status == saga.Compensated && x.codec.def.Steps[i].Compensation != nil {
			return "may stand in a compensated saga (S11, S13)"
		}
	case saga.EffectUndoFailed, saga.EffectWaived:
		if in.status == saga.Completed {
			return "was undone in a completed saga"
		}
	}
	return ""
}

// pending reports whether a command or an answer of the step's way back is still on its way.
func (x *explorer) pending(s *state, i int) bool {
	for k := range s.n {
		if m := &s.messages[k]; int(m.step) == i && m.leg() == 1 {
			return true
		}
	}
	return false
}

// rests checks a state in which nothing but a fault or a person can move anything; empty: it is at rest.
func (x *explorer) rests(s *state) string {
	in := &x.instances[s.instance]
	switch {
	case in.terminal || in.asks:
		return ""
	case s.n > 0:
		return "L1: messages are left that nobody reads"
	}
	return fmt.Sprintf("L2: it is %s, nothing will move it, and nobody is asked: %s", in.status, x.describe(s))
}

// describe is a state in one line.
func (x *explorer) describe(s *state) string {
	in := &x.instances[s.instance]
	parts := []string{string(in.status)}
	if in.paused {
		parts = append(parts, "paused")
	}
	for i := range x.codec.def.Steps {
		v := &in.steps[i]
		parts = append(parts, fmt.Sprintf("%s %s/%s", x.codec.def.Steps[i].Name, v.status, v.effect))
	}
	for i := range s.n {
		parts = append(parts, x.name(s.messages[i]))
	}
	return strings.Join(parts, ", ")
}
