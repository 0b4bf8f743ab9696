package saga_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// TestDecide_Properties lets anything happen to random sagas, late looks and lies included, and checks after each event what
// must always hold (design section 7). In the end the world heals, and the saga must end (L1).
func TestDecide_Properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := rapidChooser{t}
		def := randomDefinition(c)
		require.Empty(t, def.Link())
		logDefinition(t, def)
		p := newProbing(t, newWorld(c, def))
		p.feed(p.started())
		for range c.pick(50, "events") {
			p.live()
		}
		p.heal()
	})
}

// FuzzDecide reads the same from the bytes of a fuzzer: Decide never panics, and what must hold does.
func FuzzDecide(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{2, 1, 0, 3, 0, 1, 9, 0, 4, 12, 250, 17, 3, 33, 1, 0, 77, 5, 5, 5, 18, 2, 90, 41})
	f.Add([]byte("a saga is carried across several services, or undone, and nothing is left behind silently"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := &byteChooser{raw: raw}
		def := randomDefinition(c)
		require.Empty(t, def.Link())
		p := newProbing(t, newWorld(c, def))
		p.feed(p.started())
		for len(c.raw) > 0 && p.events < 400 {
			p.live()
		}
		p.heal()
	})
}

// byteChooser draws from bytes; when they have run out everything is as simple as can be.
type byteChooser struct{ raw []byte }

func (c *byteChooser) pick(n int, _ string) int {
	if len(c.raw) == 0 {
		return 0
	}
	b := c.raw[0]
	c.raw = c.raw[1:]
	return int(b) % n
}

// testingT is what rapid and the standard tests have in common.
type testingT interface {
	require.TestingT
	Logf(format string, args ...any)
}

// probing is a world whose saga is checked after every event.
type probing struct {
	testingT
	*world
	facts    []saga.Fact
	payloads map[attemptKey]string // by edition: the attempt is 0
	attempts map[attemptKey]int    // the newest
	versions map[attemptKey]int
	settled  map[settledKey]int
	spins    int // looks that asked for another at once, in a row
}

type settledKey struct {
	attemptKey
	outcome saga.ReplyOutcome
}

func newProbing(t testingT, w *world) *probing {
	return &probing{testingT: t, world: w, payloads: map[attemptKey]string{}, attempts: map[attemptKey]int{}, versions: map[attemptKey]int{}, settled: map[settledKey]int{}}
}

// live lets one thing happen, timely or not.
func (p *probing) live() {
	if !p.wakeAt.IsZero() && oneIn(p, 3, "look when it is due") && p.wakeAt.After(p.at) {
		p.at = p.wakeAt
		p.feed(saga.Woken{})
		return
	}
	p.at = p.at.Add(p.pass())
	p.feed(p.next())
}

func (p *probing) feed(body saga.Body) {
	ev := p.event(body)
	p.Logf("%s", described(ev))
	before, prior := encoded(p, p.in), p.in
	d, err := saga.Decide(p.def, p.in, ev)
	again, errAgain := saga.Decide(p.def, p.in, ev)
	require.Equal(p, before, encoded(p, p.in), "Decide changed the instance that it was given")
	require.Equal(p, err == nil, errAgain == nil, "the same inputs give the same Decision")
	if err != nil {
		var refused *saga.RefusedError
		var notAsked *saga.NotAskedError
		require.True(p, errors.As(err, &refused) || errors.As(err, &notAsked), "unexpected error: %v", err)
		return
	}
	if !reflect.DeepEqual(d, again) { // cmp is for people, and slow
		require.Empty(p, cmp.Diff(d, again), "the same inputs give the same Decision")
	}
	require.Empty(p, d.Next.Broken, "an invariant broke")
	p.took(d)
	p.history(prior, d)
	p.commands(prior, d)
	p.states(prior, d, body)
}

func encoded(t require.TestingT, in saga.Instance) string {
	b, err := saga.EncodeInstance(in)
	require.NoError(t, err)
	return string(b)
}

// history checks S4: dense, folding to what is stored; and that what is stored can be read again.
func (p *probing) history(prior saga.Instance, d saga.Decision) {
	for i, f := range d.Facts {
		require.Equal(p, prior.Seq+int64(i)+1, f.Seq, "S4: the history is dense")
		k := settledKey{attemptKey{legKey{f.Step, legOf(f.Verb)}, f.Edition, 0}, f.Outcome}
		switch f.Type {
		case saga.StepSucceeded, saga.StepRejected, saga.UndoSucceeded, saga.UndoRefused:
			if f.Reply != nil {
				p.settled[k]++
				require.LessOrEqual(p, p.settled[k], 1, "S8: a reply was applied twice: %s", printFact(f))
			}
		default:
		}
	}
	p.facts = append(p.facts, d.Facts...)
	require.Equal(p, int64(len(p.facts)), d.Next.Seq)
	folded, err := saga.Fold(p.def, p.facts)
	require.NoError(p, err)
	require.Empty(p, saga.Equivalent(p.def, folded, d.Next), "S4: folding the history gives the stored state")
	before, err := saga.Fold(p.def, p.facts[:len(p.facts)-len(d.Facts)])
	require.NoError(p, err)
	untouched := encoded(p, before)
	onto, err := saga.FoldOn(p.def, before, d.Facts)
	require.NoError(p, err)
	require.Equal(p, encoded(p, folded), encoded(p, onto), "folding on is folding all")
	require.Equal(p, untouched, encoded(p, before), "folding on leaves what it folds onto")
	if p.exact(d.Next) {
		folded.ClockAt, folded.Revision, folded.BlankedAt = d.Next.ClockAt, d.Next.Revision, d.Next.BlankedAt
		require.Equal(p, encoded(p, folded), encoded(p, d.Next), "S4: to the letter, where no heartbeat came and no budget was used up")
	}
	read, err := saga.DecodeInstance([]byte(encoded(p, d.Next)))
	require.NoError(p, err)
	require.Equal(p, encoded(p, read), encoded(p, d.Next), "S22: what is stored is read as it was")
}

// exact reports whether facts tell all of the instance.
func (p *probing) exact(in saga.Instance) bool {
	for i, s := range in.Steps {
		if s.Forward.Attempts > p.def.Steps[i].Retry.MaxAttempts || !s.Forward.Heartbeat.IsZero() || !s.Backward.Heartbeat.IsZero() {
			return false
		}
		if c := p.def.Steps[i].Compensation; c != nil && s.Backward.Attempts > c.Retry.MaxAttempts {
			return false
		}
	}
	return true
}

// commands checks what is sent: S5, S10, S11, S12, S15, S16.
func (p *probing) commands(prior saga.Instance, d saga.Decision) {
	for _, c := range d.Commands {
		i := p.def.StepIndex(c.Step)
		k := attemptKey{legKey{c.Step, legOf(c.Verb)}, c.Edition, 0}
		if sent, ok := p.payloads[k]; ok {
			require.Equal(p, sent, string(c.Payload), "S5: within an edition the payload never changes")
		}
		require.Greater(p, c.Attempt, p.attempts[k], "attempt numbers never repeat within an edition")
		if p.versions[k] == 0 {
			require.Equal(p, d.Next.Version, c.Version, "S20: a command is created under the saga's version")
			p.versions[k] = c.Version
		}
		require.Equal(p, p.versions[k], c.Version, "S5: and keeps it, whatever the saga is rebound to")
		require.True(p, json.Valid(c.Payload), "payload %s", c.Payload)
		require.True(p, c.ExpiresAt.After(p.at))
		require.False(p, prior.Status.Terminal(), "S16: nothing is sent once the saga has ended")
		require.Nil(p, d.Next.Pause, "rule 10: no command is created under a pause")
		p.payloads[k], p.attempts[k] = string(c.Payload), c.Attempt
		if c.Verb == saga.Compensate {
			p.undo(prior, d.Next, i, c)
			continue
		}
		// One look may send an attempt that was due, and then find that another step has used up its attempts.
		require.False(p, prior.Aborting || d.Next.Aborting && c.Attempt == 1, "rule 6: abort creates no new forward command")
		for _, a := range p.def.Steps[i].After {
			st := d.Next.Steps[a].Status
			require.True(p, st == saga.Succeeded || st == saga.Skipped, "S10: %s starts while %s is %s", c.Step, p.def.Steps[a].Name, st)
		}
	}
}

func (p *probing) undo(prior, next saga.Instance, i int, c saga.Command) {
	s := next.Steps[i]
	require.True(p, next.Aborting, "S15: nothing is compensated without an abort")
	require.True(p, s.Forward.Created || s.ByOperator || s.Effect != saga.EffectNone, "S11: %s never took effect", c.Step)
	if c.Attempt > 1 || s.Anomaly || prior.Steps[i].Status == saga.UndoFailed { // the last is an operator's retry
		return
	}
	require.NotEqual(p, saga.Rejected, prior.Steps[i].Status, "S11: %s was rejected and is compensated", c.Step)
	for _, j := range p.def.Descendants(i) {
		below := next.Steps[j]
		name := p.def.Steps[j].Name
		switch below.Status {
		case saga.InFlight, saga.BackingOff, saga.Undoing, saga.UndoBackingOff, saga.UndoFailed:
			require.Fail(p, "S12", "%s is undone while %s is %s", c.Step, name, below.Status)
		default:
			left := below.Effect == saga.EffectPossible || below.Effect == saga.EffectCertain || below.Effect == saga.EffectUndoFailed
			require.False(p, left && p.def.Steps[j].Compensation != nil, "S12: %s is undone before %s (%s)", c.Step, name, below.Effect)
		}
	}
}

// states checks what never turns round, and that nobody is forgotten: S11, S13 to S16, L2.
func (p *probing) states(prior saga.Instance, d saga.Decision, body saga.Body) {
	next := d.Next
	require.Equal(p, next.Status.Terminal(), d.WakeAt.IsZero(), "L2: not terminal means that it is looked at again")
	require.Equal(p, next.Status.Terminal(), next.Certificate != nil)
	require.False(p, prior.Aborting && !next.Aborting, "S14: an abort never turns round")
	if prior.Status.Terminal() {
		require.Equal(p, prior.Status, next.Status, "S16: terminal status is final")
	}
	if _, woken := body.(saga.Woken); woken {
		p.spins++
	}
	if d.WakeAt.After(p.at) || d.WakeAt.IsZero() {
		p.spins = 0
	}
	require.Less(p, p.spins, 4, "it asks to be looked at again at once, on and on")
	pivot := p.def.PivotIndex()
	for i, s := range next.Steps {
		require.False(p, prior.Steps != nil && prior.Steps[i].Backward.Created && !s.Backward.Created)
		if s.Backward.Created {
			require.Contains(p, []saga.StepStatus{saga.Undoing, saga.UndoBackingOff, saga.Undone, saga.UndoFailed, saga.Waived}, s.Status,
				"S14: %s was on the way back", p.def.Steps[i].Name)
			require.False(p, pivot >= 0 && next.Steps[pivot].Status == saga.Succeeded && next.Steps[pivot].Effect == saga.EffectCertain && !next.Aborting, "S15")
		}
		if next.Status == saga.Compensated && p.def.Steps[i].Compensation != nil && !next.Certificate.Amended {
			left := s.Effect == saga.EffectPossible || s.Effect == saga.EffectCertain || s.Effect == saga.EffectUndoFailed
			require.False(p, left, "S11, S13: %s may have taken effect and is left: %s", p.def.Steps[i].Name, s.Effect)
		}
		if s.Status == saga.Stuck || s.Status == saga.UndoFailed {
			require.True(p, next.Status.Terminal() || next.HasAttention("", "") || hasAttentionOf(next, p.def.Steps[i].Name),
				"%s is %s, and nobody is told", p.def.Steps[i].Name, s.Status)
		}
	}
}

func hasAttentionOf(in saga.Instance, step string) bool {
	for _, a := range in.Attention {
		if a.Step == step {
			return true
		}
	}
	return false
}

// heal ends every hold and limit, publishes all, and has participants that answer and an operator who resolves what is left to him. The
// saga must end: L1.
func (p *probing) heal() {
	for i := range p.holds {
		if p.holds[i].To.IsZero() {
			p.holds[i].To = p.at
		}
	}
	p.limits = nil
	p.publish()
	if p.in.Pause != nil {
		p.feed(saga.Acted{Action: saga.ActionResume, Reason: "healed", By: "ann"})
	}
	p.feed(saga.Woken{})
	for range 200 {
		if p.in.Status.Terminal() {
			return
		}
		p.resolve()
		p.publish()
		if p.at = p.at.Add(time.Microsecond); p.wakeAt.After(p.at) {
			p.at = p.wakeAt
		}
		p.feed(saga.Woken{})
	}
	require.Fail(p, "L1", "the saga is %s for good: %s", p.in.Status, encoded(p, p.in))
}

// resolve answers what is open and does what a person would.
func (p *probing) resolve() {
	for i := range p.def.Steps {
		if p.in.Status.Terminal() {
			return
		}
		s := p.in.Steps[i]
		name := p.def.Steps[i].Name
		switch s.Status {
		case saga.InFlight:
			p.feed(saga.Replied{Step: name, Verb: saga.Execute, Edition: s.Forward.Edition, Attempt: s.Forward.Attempt, Outcome: saga.ReplySucceeded, Value: json.RawMessage(goodOutput)})
		case saga.Undoing:
			p.feed(saga.Replied{Step: name, Verb: saga.Compensate, Edition: s.Backward.Edition, Attempt: s.Backward.Attempt, Outcome: saga.ReplySucceeded})
		case saga.Stuck, saga.UndoFailed:
			p.feed(saga.Acted{Action: saga.ActionComplete, Step: name, Output: json.RawMessage(goodOutput), Reason: "healed", By: "ann"})
		default:
		}
	}
}
