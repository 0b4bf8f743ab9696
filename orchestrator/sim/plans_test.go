package sim

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// TestPlans: the pool holds what design section 4 allows: a pivot at every place, steps beside one another, conditions, probes,
// deadlines, and compensations of their own.
func TestPlans(t *testing.T) {
	t.Parallel()
	pivots, lengths := map[int]bool{}, map[int]bool{}
	features := map[string]int{}
	has := func(what string, so bool) {
		if so {
			features[what]++
		}
	}
	for n := range pool.drawn {
		for v := range pool.drawn[n] {
			def := pool.drawn[n][v]().def
			require.Equal(t, v+1, def.Version)
			pivots[def.PivotIndex()], lengths[len(def.Steps)] = true, true
			has("deadline", def.Deadline > 0)
			has("key", def.Key != nil)
			has("output", def.Output != nil)
			for i := range def.Steps {
				s := &def.Steps[i]
				has("when", s.When != nil)
				has("probe", s.Probe != "")
				has("returns", s.Returns != nil)
				has("payload", s.Payload != nil)
				has("effect none", s.EffectNone)
				has("beside one another", i > 0 && !slices.Contains(s.After, i-1))
				has("join", len(s.After) > 1)
				has("outside", s.Command == "Call.v1")
				has("compensation payload", s.Compensation != nil && s.Compensation.Payload != nil)
				has("pivot that can be undone", s.Kind == saga.Pivot && s.Compensation != nil)
			}
		}
	}
	for i := -1; i < 5; i++ {
		require.True(t, pivots[i], "no plan has its pivot at step %d", i)
	}
	for n := 1; n <= 6; n++ {
		require.True(t, lengths[n], "no plan has %d steps", n)
	}
	for _, f := range []string{
		"deadline", "key", "output", "when", "probe", "returns", "payload", "effect none", "beside one another", "join", "outside",
		"compensation payload", "pivot that can be undone",
	} {
		require.Positive(t, features[f], f)
	}
}
