package saga_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// rebound is another version of a definition with the same graph, drawn anew where versions may differ; once in a while one that
// does not fit. Timeouts stay: an attempt that is out keeps its expiry, and the model knows of none but the version's.
func rebound(c chooser, def *saga.Definition) *saga.Definition {
	to := &saga.Definition{Name: def.Name, Version: def.Version + 1, Deadline: def.Deadline, Output: constExpr(`{"by":"another version"}`)}
	for i, old := range def.Steps {
		s := randomStep(c, i)
		s.Kind, s.EffectNone, s.After, s.Probe, s.Timeout = old.Kind, old.EffectNone, slices.Clone(old.After), old.Probe, old.Timeout
		if old.Compensation != nil {
			s.Compensation = randomCompensation(c, i)
		}
		to.Steps = append(to.Steps, s)
	}
	if oneIn(c, 8, "another participant") {
		to.Steps[0].Participant = "somebody-else"
	}
	if problems := to.Link(); len(problems) > 0 {
		panic(problems)
	}
	return to
}

// rebind is rule 16: "another version with the same steps, kinds and edges, and the same commands; expressions, schemas and policies
// may differ".
func (n *naive) rebind(to *saga.Target) bool {
	if to == nil || to.Definition.Version == n.def.Version {
		return false
	}
	bare := func(def *saga.Definition) []saga.Step {
		steps := slices.Clone(def.Steps)
		for i := range steps {
			s := &steps[i]
			s.Payload, s.Returns, s.When, s.Timeout, s.Retry = nil, nil, nil, 0, saga.Retry{}
			if s.Compensation != nil {
				s.Compensation = &saga.Compensation{Command: s.Compensation.Command}
			}
		}
		return steps
	}
	if to.Definition.Name != n.def.Name || !reflect.DeepEqual(bare(n.def), bare(to.Definition)) {
		return false
	}
	n.def, n.holds = to.Definition, to.Holds
	for i := range n.steps {
		s := &n.steps[i]
		s.Step = to.Definition.Steps[i]
		sends, most := s.f.sends, s.Retry.MaxAttempts
		if s.status == saga.Undoing || s.status == saga.UndoBackingOff {
			sends, most = s.b.sends, s.Compensation.Retry.MaxAttempts
		}
		waits := s.status == saga.BackingOff || s.status == saga.UndoBackingOff
		if sends < most || sends == most && !waits { // "`exhausted` clears where the new version has attempts left"
			delete(n.attention, naiveAttention{saga.AttentionExhausted, s.Name})
		}
	}
	return true
}

// What keeps a version from fitting is named, all of it at once.
func TestDifferences(t *testing.T) {
	t.Parallel()
	def := func(change func(*saga.Definition)) *saga.Definition {
		d := &saga.Definition{Name: "order", Version: 1, Steps: []saga.Step{plain("a"), plain("b", 0), plain("c", 1)}}
		if change != nil {
			d.Version = 2
			change(d)
		}
		require.Empty(t, d.Link())
		return d
	}
	cases := map[string]struct {
		change func(*saga.Definition)
		want   []string
	}{
		"policies and expressions": {func(d *saga.Definition) {
			s := &d.Steps[1]
			s.Payload, s.When, s.Returns, s.Timeout, s.Retry.MaxAttempts = constExpr("1"), constExpr("true"), okSchema{}, 1, 9
			s.Compensation.Payload, s.Compensation.Retry.MaxAttempts = constExpr("2"), 9
			d.Output, d.Deadline, d.Events, d.Redact = constExpr("3"), 4, saga.EventsAll, []string{"/x"}
		}, nil},
		"another saga":   {func(d *saga.Definition) { d.Name = "other" }, []string{"saga is order in version 1 and other in version 2"}},
		"a step more":    {func(d *saga.Definition) { d.Steps = append(d.Steps, plain("d", 2)) }, []string{"the number of steps is 3 in version 1 and 4 in version 2"}},
		"another name":   {func(d *saga.Definition) { d.Steps[2].Name = "z" }, []string{"steps[2].name is c in version 1 and z in version 2"}},
		"another edge":   {func(d *saga.Definition) { d.Steps[2].After = []int{0, 1} }, []string{"steps[2].after is b in version 1 and a, b in version 2"}},
		"another kind":   {func(d *saga.Definition) { d.Steps[2].Kind = saga.Pivot }, []string{"steps[2].kind is compensatable in version 1 and pivot in version 2"}},
		"no effect":      {func(d *saga.Definition) { d.Steps[0].EffectNone = true }, []string{"steps[0].effect is absent in version 1 and none in version 2"}},
		"a probe":        {func(d *saga.Definition) { d.Steps[0].Probe = "Ask.v1" }, []string{"steps[0].probe is absent in version 1 and Ask.v1 in version 2"}},
		"two commands":   {func(d *saga.Definition) { d.Steps[0].Command, d.Steps[1].Compensation.Command = "New.v1", "Undo.v2" }, []string{"steps[0].command is Do.v1 in version 1 and New.v1 in version 2", "steps[1].compensation.command is Undo.v1 in version 1 and Undo.v2 in version 2"}},
		"a participant":  {func(d *saga.Definition) { d.Steps[1].Participant = "other" }, []string{"steps[1].participant is svc in version 1 and other in version 2"}},
		"nothing undone": {func(d *saga.Definition) { d.Steps[0].Compensation, d.Steps[0].EffectNone = nil, true }, []string{"steps[0].effect is absent in version 1 and none in version 2", "steps[0].compensation.command is Undo.v1 in version 1 and absent in version 2"}},
	}
	for name, c := range cases {
		require.Equal(t, c.want, def(nil).Differences(def(c.change)), name)
	}
}
