//go:build !race

// 2,500 worlds: the race detector would find nothing in them that it does not find in one.

package sim_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/sim/crashpoint"
)

// TestCrashPoints_Double kills a second time after each: at every point, whatever phase its saga is in.
func TestCrashPoints_Double(t *testing.T) {
	t.Parallel()
	hits := newHits()
	t.Run("points", func(t *testing.T) {
		eachCrash(t, func(t *testing.T, first crashpoint.At) {
			for _, p := range crashpoint.All() {
				second := crashpoint.At{Point: p}
				// A world that the first crash has changed need not come by the second point again: then the next seed's is taken.
				seeds := seedsWith(t, first, second)
				if !slices.ContainsFunc(seeds, func(s uint64) bool { return hits.run(t, s, first, second) }) {
					t.Errorf("no seed dies at %s and then at %s, of %d that come by both", first, second, len(seeds))
				}
			}
		})
	})
	hits.print(t)
	require.Equal(t, len(crashpoint.All())*len(crashpoint.AllPhases())*len(crashpoint.All()), len(hits.pairs))
}
