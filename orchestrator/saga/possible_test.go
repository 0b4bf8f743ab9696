package saga_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// What Possible lists is exactly what Decide would do, but for what an output is refused for.
func TestPossible_IsWhatDecideAllows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := rapidChooser{t}
		def := randomDefinition(c)
		require.Empty(t, def.Link())
		w := newWorld(c, def)
		feed := func(body saga.Body) {
			if d, err := saga.Decide(w.def, w.in, w.event(body)); err == nil {
				w.took(d)
			}
		}
		feed(w.started())
		for range c.pick(30, "events") {
			w.at = w.at.Add(w.pass())
			feed(saga.Woken{})
			feed(w.next())
			agreesOnWhatIsPossible(t, w)
		}
	})
}

func agreesOnWhatIsPossible(t *rapid.T, w *world) {
	possible := saga.Possible(w.def, w.in, w.event(saga.Woken{}).Env)
	try := func(a saga.Acted) {
		a.Reason, a.By = "a test", "ann"
		d, err := saga.Decide(w.def, w.in, w.event(a))
		var refused *saga.RefusedError
		if errors.As(err, &refused) && refused.Code == saga.CodeBadOutput {
			return
		}
		if err != nil {
			require.ErrorAs(t, err, &refused)
		}
		require.Equal(t, err == nil && d.Outcome == saga.Applied, slices.Contains(possible, saga.Choice{Action: a.Action, Step: a.Step}),
			"%s %s of a saga that is %s: %v; possible: %v", a.Action, a.Step, w.in.Status, err, possible)
	}
	for _, action := range saga.Actions() {
		if !action.NeedsStep() {
			try(saga.Acted{Action: action})
			continue
		}
		for i := range w.def.Steps {
			try(saga.Acted{Action: action, Step: w.def.Steps[i].Name})
		}
	}
}
