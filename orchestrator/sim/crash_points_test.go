//go:build !race

// A thousand worlds: the race detector would find nothing in them that it does not find in one.

package sim_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/sim"
	"github.com/skaldhq/skald/orchestrator/sim/crashpoint"
)

// surveyed is how many seeds are looked through for those that come by a point; most come by most.
const surveyed = 200

// survey is how often the world of a seed is at a point with a saga in a phase, where nobody dies.
var survey = sync.OnceValues(func() ([]map[crashpoint.At]int, error) {
	worlds := make([]map[crashpoint.At]int, surveyed)
	errs := make([]error, surveyed)
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for i := part; i < surveyed; i += 4 {
				var r sim.Report
				r, errs[i] = sim.Run(sim.Options{Seed: uint64(i + 1), Crash: []crashpoint.At{}})
				worlds[i] = r.AtPoints
			}
		})
	}
	wg.Wait()
	return worlds, errors.Join(errs...)
})

// seedsWith are the seeds that come by both, those first that come by the second most often.
func seedsWith(t *testing.T, first, second crashpoint.At) []uint64 {
	t.Helper()
	worlds, err := survey()
	require.NoError(t, err)
	score := make([]int, len(worlds)) // how often a world comes by the second
	var out []uint64
	for i, at := range worlds {
		for _, phase := range crashpoint.AllPhases() {
			score[i] += at[crashpoint.At{Point: second.Point, Phase: phase}]
		}
		if at[first] > 0 && score[i] > 0 {
			out = append(out, uint64(i+1))
		}
	}
	slices.SortStableFunc(out, func(a, b uint64) int { return score[b-1] - score[a-1] })
	return out
}

// eachCrash calls what for every point with every phase, the points side by side.
func eachCrash(t *testing.T, what func(t *testing.T, at crashpoint.At)) {
	for _, p := range crashpoint.All() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			for _, phase := range crashpoint.AllPhases() {
				what(t, crashpoint.At{Point: p, Phase: phase})
			}
		})
	}
}

// TestCrashPoints_Single kills a replica at every point with a saga in every phase: the first time that it is there in a seed's
// world, and once later on. The oracle judges each world.
func TestCrashPoints_Single(t *testing.T) {
	t.Parallel()
	hits := newHits()
	t.Run("points", func(t *testing.T) {
		eachCrash(t, func(t *testing.T, at crashpoint.At) {
			worlds, err := survey()
			require.NoError(t, err)
			runs := 0
			for _, s := range seedsWith(t, at, at) {
				for _, n := range slices.Compact([]int{1, (worlds[s-1][at] + 1) / 2}) {
					plan := at
					plan.N = n
					hits.run(t, s, plan)
				}
				if runs++; runs == 3 || testing.Short() {
					return
				}
			}
		})
	})
	hits.print(t)
	for _, p := range crashpoint.All() {
		for _, phase := range crashpoint.AllPhases() {
			require.Positive(t, hits.at[crashpoint.At{Point: p, Phase: phase}], "nobody died at %s with a saga %s", p, phase)
		}
	}
}

// hits counts who died where.
type hits struct {
	mu    sync.Mutex // guards what follows
	runs  int
	at    map[crashpoint.At]int
	point map[crashpoint.Point]int
	pairs map[string]int
}

func newHits() *hits {
	return &hits{at: map[crashpoint.At]int{}, point: map[crashpoint.Point]int{}, pairs: map[string]int{}}
}

// run runs a seed with the crashes, and reports whether all of them happened.
func (h *hits) run(t *testing.T, seed uint64, plan ...crashpoint.At) bool {
	t.Helper()
	r, err := sim.Run(sim.Options{Seed: seed, Crash: plan})
	require.NoError(t, err, "-seed=%d -crash=%v", seed, plan)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runs++
	for _, at := range plan[:r.Crashed] {
		h.at[crashpoint.At{Point: at.Point, Phase: at.Phase}]++
		h.point[at.Point]++
	}
	if r.Crashed < len(plan) {
		return false
	}
	h.pairs[fmt.Sprint(plan)]++
	return true
}

func (h *hits) print(t *testing.T) {
	t.Helper()
	var b strings.Builder
	for _, p := range crashpoint.All() {
		fmt.Fprintf(&b, "%6d %s\n", h.point[p], p)
	}
	t.Logf("%d worlds; deaths by crash point:\n%s", h.runs, b.String())
}
