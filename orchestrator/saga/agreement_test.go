package saga_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// rapidChooser draws from rapid, so that a failure shrinks.
type rapidChooser struct{ *rapid.T }

func (r rapidChooser) pick(n int, what string) int { return rapid.IntRange(0, n-1).Draw(r.T, what) }

// TestDecide_AgreesWithTheNaiveModel runs Decide beside the naive model over random definitions and events. They see the same
// events and must agree, after each, on everything that a person or a participant can see. Timers fire one at a time, at the
// moment that they are due, since what goes first of two that are due together is not a rule.
func TestDecide_AgreesWithTheNaiveModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := rapidChooser{t}
		def := randomDefinition(c)
		require.Empty(t, def.Link())
		logDefinition(t, def)
		p := pair{T: t, world: newWorld(c, def), model: newNaive(def)}
		p.feed(p.started())
		for range c.pick(40, "events") {
			p.passTime()
			body := p.next()
			if _, woken := body.(saga.Woken); !woken {
				p.feed(saga.Woken{})
			}
			p.feed(body)
		}
	})
}

// pair is Decide and the model, side by side.
type pair struct {
	*rapid.T
	*world
	model *naive
}

// passTime lets time go by, and wakes the saga at each moment on the way at which something is due.
func (p *pair) passTime() {
	until := p.at.Add(p.pass())
	for range 200 {
		due := p.model.timers()
		if len(due) == 0 || due[0].at.After(until) {
			break
		}
		p.at = due[0].at.Add(time.Microsecond - 1).Truncate(time.Microsecond) // the database's time is in microseconds
		p.feed(saga.Woken{})
	}
	p.at = until
}

func (p *pair) feed(body saga.Body) {
	ev := p.event(body)
	p.Logf("%s", described(ev))
	d, err := saga.Decide(p.def, p.in, ev)
	answer := p.model.step(ev)

	got := naiveTaken
	var refused *saga.RefusedError
	var notAsked *saga.NotAskedError
	switch {
	case errors.As(err, &refused):
		got = naiveRefused
	case errors.As(err, &notAsked):
		got = naiveNotAsked
	default:
		require.NoError(p, err)
	}
	names := []string{"taken", "refused", "not asked"}
	require.Equal(p, names[answer], names[got], "model against Decide; Decide says: %v", err)
	if err != nil {
		p.model.settle()
		return
	}
	p.took(d)
	for range 3 { // a saga that must be looked at again at once
		if d.Next.Status.Terminal() || d.WakeAt.After(ev.At) {
			break
		}
		again := p.event(saga.Woken{})
		p.Logf("again %s", described(again))
		more, err := saga.Decide(p.def, p.in, again)
		require.NoError(p, err)
		commands := p.model.commands
		p.model.step(again)
		p.model.commands = append(commands, p.model.commands...)
		p.took(more)
		more.Commands = append(d.Commands, more.Commands...)
		d = more
	}
	// Timers that stood still are moved when something is stored; until then Next's are those of its ClockAt. And what is known
	// of the outbox is no part of Next.
	timed := d.Next.ClockAt.Equal(ev.At) && !slices.ContainsFunc(ev.Sent, func(s saga.Sent) bool { return s.Unpublished || !s.AckedAt.IsZero() })
	seen := view(p.def, d, timed)
	require.Equal(p, p.model.view(timed), seen, "model (expected) against Decide (actual)")
	if len(d.Commands) > 0 || len(d.Facts) > 0 {
		p.Logf("    -> %s", strings.ReplaceAll(seen, "\n", "\n       "))
	}
	if !d.Next.Status.Terminal() {
		require.True(p, d.WakeAt.After(ev.At), "wakes at %s, which is not later than now", d.WakeAt)
		if due := p.model.timers(); len(due) > 0 {
			require.False(p, d.WakeAt.After(due[0].at), "wakes at %s; step %d is due at %s", d.WakeAt, due[0].step, due[0].at)
		}
	}
}

// view says what can be seen of the model; timed: with when its timers are due.
func (n *naive) view(timed bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s aborting=%v paused=%v cancel=%v output=%s\n", n.status, n.aborting, n.paused, n.cancelWaiting, n.output)
	var attention []string
	for a := range n.attention {
		attention = append(attention, string(a.reason)+"("+a.step+")")
	}
	slices.Sort(attention)
	fmt.Fprintf(&b, "attention %v\n", attention)
	if n.ended() {
		var residue []string
		if n.verdict == saga.Residue {
			residue = n.residue()
		}
		fmt.Fprintf(&b, "verdict %s amended=%v residue=%v\n", n.verdict, n.amended, residue)
	}
	for i := range n.steps {
		s := &n.steps[i]
		fmt.Fprintf(&b, "%s %s %s op=%v disputed=%v", s.Name, s.status, s.effect, s.byOperator, s.disputed)
		writeLeg(&b, "f", s.f.created, s.f.edition, s.f.attempt, s.f.sends)
		writeLeg(&b, "b", s.b.created, s.b.edition, s.b.attempt, s.b.sends)
		if timed && !n.ended() {
			due := map[saga.StepStatus]time.Time{saga.InFlight: s.f.expires, saga.BackingOff: s.f.retry, saga.Undoing: s.b.expires, saga.UndoBackingOff: s.b.retry}[s.status]
			if s.status != saga.InFlight || !n.aborting {
				writeDue(&b, due)
			}
		}
		b.WriteByte('\n')
	}
	writeCommands(&b, n.commands)
	return b.String()
}

// view says the same of a decision.
func view(def *saga.Definition, d saga.Decision, timed bool) string {
	var b strings.Builder
	in := d.Next
	fmt.Fprintf(&b, "%s aborting=%v paused=%v cancel=%v output=%s\n", in.Status, in.Aborting, in.Pause != nil, in.CancelBy != nil, in.Output)
	var attention []string
	for _, a := range in.Attention {
		if a.Reason != saga.AttentionHeld {
			attention = append(attention, string(a.Reason)+"("+a.Step+")")
		}
	}
	slices.Sort(attention)
	fmt.Fprintf(&b, "attention %v\n", attention)
	if c := in.Certificate; c != nil {
		var residue []string
		for _, r := range c.Residue {
			if c.Verdict == saga.Residue { // beside `committed` it lists what a skipped step left after all
				residue = append(residue, r.Step+"="+string(r.Effect))
			}
		}
		fmt.Fprintf(&b, "verdict %s amended=%v residue=%v\n", c.Verdict, c.Amended, residue)
	}
	for i, s := range in.Steps {
		fmt.Fprintf(&b, "%s %s %s op=%v disputed=%v", def.Steps[i].Name, s.Status, s.Effect, s.ByOperator, s.Disputed)
		writeLeg(&b, "f", s.Forward.Created, s.Forward.Edition, s.Forward.Attempt, s.Forward.Sends)
		writeLeg(&b, "b", s.Backward.Created, s.Backward.Edition, s.Backward.Attempt, s.Backward.Sends)
		if timed && !in.Status.Terminal() {
			writeDue(&b, dueOf(def, in, i))
		}
		b.WriteByte('\n')
	}
	var commands []naiveCommand
	for _, c := range d.Commands {
		commands = append(commands, naiveCommand{c.Step, c.Verb, c.Edition, c.Attempt, string(c.Payload)})
	}
	writeCommands(&b, commands)
	return b.String()
}

// dueOf is when the timer of a step is due: a heartbeat is a field of its own, and starts the timeout again.
func dueOf(def *saga.Definition, in saga.Instance, i int) time.Time {
	s := in.Steps[i]
	switch s.Status {
	case saga.InFlight:
		if in.Aborting { // how the grace is kept is nobody's business; when it ends shows in what happens then
			return time.Time{}
		}
		return expiryOf(s.Forward, def.Steps[i].Timeout)
	case saga.BackingOff:
		return s.Forward.RetryAt
	case saga.Undoing:
		return expiryOf(s.Backward, def.Steps[i].Compensation.Timeout)
	case saga.UndoBackingOff:
		return s.Backward.RetryAt
	default:
		return time.Time{}
	}
}

func expiryOf(leg saga.Leg, timeout time.Duration) time.Time {
	if t := leg.Heartbeat.Add(timeout); !leg.Heartbeat.IsZero() && t.After(leg.ExpiresAt) {
		return t
	}
	return leg.ExpiresAt
}

func writeLeg(b *strings.Builder, name string, created bool, edition, attempt, sends int) {
	if created {
		fmt.Fprintf(b, " %s(edition=%d attempt=%d sends=%d)", name, edition, attempt, sends)
	}
}

func writeDue(b *strings.Builder, due time.Time) {
	if !due.IsZero() { // to the microsecond, which is the database's
		fmt.Fprintf(b, " due=%s", due.Sub(epoch()).Truncate(time.Microsecond))
	}
}

func writeCommands(b *strings.Builder, commands []naiveCommand) {
	slices.SortFunc(commands, func(x, y naiveCommand) int {
		return cmp.Or(cmp.Compare(x.Step, y.Step), cmp.Compare(x.Verb, y.Verb))
	})
	for _, c := range commands {
		fmt.Fprintf(b, "send %s %s edition=%d attempt=%d %s\n", c.Step, c.Verb, c.Edition, c.Attempt, c.Payload)
	}
}

// described is an event on one line. It is written only where it is read.
type described saga.Event

func (ev described) String() string {
	body, err := json.Marshal(ev.Body)
	if err != nil {
		return err.Error()
	}
	s := fmt.Sprintf("+%s %s %s", ev.At.Sub(epoch()), strings.TrimPrefix(fmt.Sprintf("%T", ev.Body), "saga."), body)
	for _, h := range ev.Holds {
		s += fmt.Sprintf(" hold(%q %s..%s)", h.Participant, h.From.Sub(epoch()), h.To.Sub(epoch()))
	}
	for _, l := range ev.Limits {
		s += fmt.Sprintf(" limit(%q begins=%v room=%d)", l.Participant, l.Begins, l.Room)
	}
	for _, x := range ev.Sent {
		if x.Unpublished || !x.AckedAt.IsZero() {
			s += fmt.Sprintf(" sent(%d %s unpublished=%v acked=%s)", x.Step, x.Verb, x.Unpublished, x.AckedAt.Sub(epoch()))
		}
	}
	return s
}

func logDefinition(t *rapid.T, def *saga.Definition) {
	t.Logf("deadline %s, output %v", def.Deadline, def.Output != nil)
	for _, s := range def.Steps {
		t.Logf("step %s %s at %s after %v: effect_none=%v timeout=%s max=%d probe=%v returns=%v when=%s payload=%s undo=%v", s.Name, s.Kind, s.Participant, s.After,
			s.EffectNone, s.Timeout, s.Retry.MaxAttempts, s.Probe != "", s.Returns != nil, exprName(s.When), exprName(s.Payload), undoName(s.Compensation))
	}
}

func exprName(e saga.Expr) string {
	if e == nil {
		return "-"
	}
	v, err := e.Eval(saga.Scope{StepOutput: func(string) json.RawMessage { return json.RawMessage("null") }})
	if err != nil {
		return "fails"
	}
	return string(v)
}

func undoName(c *saga.Compensation) string {
	if c == nil {
		return "none"
	}
	return fmt.Sprintf("(max=%d payload=%s)", c.Retry.MaxAttempts, exprName(c.Payload))
}
