package saga_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// printDecision says all of a decision, for people: the facts, the commands, and the state that they lead to.
func printDecision(def *saga.Definition, d saga.Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", d.Outcome, d.Why)
	if d.Pending {
		b.WriteString(" (pending)")
	}
	b.WriteByte('\n')
	for _, f := range d.Facts {
		fmt.Fprintf(&b, "  %s\n", printFact(f))
	}
	for _, c := range d.Commands {
		fmt.Fprintf(&b, "  -> %s.%s to %s: %s %s, expires %s, %s", c.Participant, c.Name, c.Step, c.Verb, number(c.Edition, c.Attempt), since(c.ExpiresAt), c.Payload)
		if c.Version != 1 {
			fmt.Fprintf(&b, ", version %d", c.Version)
		}
		b.WriteByte('\n')
	}
	b.WriteString(printState(def, d))
	return b.String()
}

func number(edition, attempt int) string { return fmt.Sprintf("%d#%d", edition, attempt) }

// since is a time as what has passed since the saga began.
func since(t time.Time) string { return "+" + t.Sub(epoch()).String() }

func printFact(f saga.Fact) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", f.Seq, f.Type)
	text := func(format, value string) {
		if value != "" {
			fmt.Fprintf(&b, " "+format, value)
		}
	}
	text("%s", f.Step)
	if f.Verb != "" {
		fmt.Fprintf(&b, " %s", f.Verb)
		if f.Attempt > 0 {
			fmt.Fprintf(&b, " %s", number(f.Edition, f.Attempt))
		}
	}
	text("%s", string(f.Outcome))
	text("code=%s", f.Code)
	text("effect=%s", string(f.Effect))
	text("reason=%s", string(f.Reason))
	if f.Abort != nil {
		text("reason=%s", string(f.Abort.Reason))
	}
	text("output=%s", string(f.Output))
	text("by=%s", f.By)
	if !f.RetryAt.IsZero() {
		text("retry=%s", since(f.RetryAt))
	}
	for _, mark := range []struct {
		name string
		on   bool
	}{{"renewed", f.Renewed && f.Attempt > 1}, {"by-operator", f.ByOperator}, {"disputed", f.Disputed}, {"anomaly", f.Anomaly}} {
		if mark.on {
			text("%s", mark.name)
		}
	}
	if f.Shift != nil {
		fmt.Fprintf(&b, " deadline=%s grace=%s steps=%v", micros(f.Shift.Deadline), micros(f.Shift.Grace), f.Shift.Steps)
	}
	if r := f.Rebound; r != nil {
		fmt.Fprintf(&b, " version %d to %d", r.From, r.To)
		for _, l := range r.Legs {
			fmt.Fprintf(&b, " step %d %s %s %s", l.Step, l.Status, l.Verb, number(l.Leg.Edition, l.Leg.Attempt))
		}
	}
	if f.End != nil {
		fmt.Fprintf(&b, " %s", f.End.Verdict)
	}
	return b.String()
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

func printState(def *saga.Definition, d saga.Decision) string {
	var b strings.Builder
	in := d.Next
	fmt.Fprintf(&b, "%s", in.Status)
	if in.Abort != nil {
		fmt.Fprintf(&b, " (%s %s)", in.Abort.Reason, in.Abort.Step)
	}
	if in.Pause != nil {
		b.WriteString(", paused")
	}
	if in.CancelBy != nil {
		b.WriteString(", cancel waits")
	}
	if !in.Deadline.IsZero() && !in.Status.Terminal() {
		fmt.Fprintf(&b, ", deadline %s passed=%v", since(in.Deadline), in.DeadlinePassed)
	}
	if !d.WakeAt.IsZero() {
		fmt.Fprintf(&b, ", wakes %s", since(d.WakeAt))
	}
	if in.Output != nil {
		fmt.Fprintf(&b, ", output %s", in.Output)
	}
	b.WriteByte('\n')
	for i, s := range in.Steps {
		fmt.Fprintf(&b, "  %s: %s, effect %s", def.Steps[i].Name, s.Status, s.Effect)
		if s.Forward.Created {
			fmt.Fprintf(&b, ", execute %s", number(s.Forward.Edition, s.Forward.Attempt))
		}
		if s.Backward.Created {
			fmt.Fprintf(&b, ", compensate %s", number(s.Backward.Edition, s.Backward.Attempt))
		}
		if s.Output != nil {
			fmt.Fprintf(&b, ", output %s", s.Output)
		}
		if s.ByOperator {
			b.WriteString(", by operator")
		}
		if s.Disputed {
			b.WriteString(", disputed")
		}
		b.WriteByte('\n')
	}
	for _, a := range in.Attention {
		fmt.Fprintf(&b, "  attention %s %s\n", a.Reason, a.Step)
	}
	if c := in.Certificate; c != nil {
		fmt.Fprintf(&b, "  certificate: %s", c.Verdict)
		if c.Amended {
			b.WriteString(", amended")
		}
		for _, r := range c.Residue {
			fmt.Fprintf(&b, ", left %s=%s", r.Step, r.Effect)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
