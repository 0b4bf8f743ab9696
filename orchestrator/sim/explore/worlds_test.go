//go:build !race

// An exploration is one goroutine: the race detector would only make it slow.

package explore

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestExplore walks through every state of every world. It wants no violation, every row of the transition table, and the same
// outcomes as before. With -full the budgets are those of a release.
func TestExplore(t *testing.T) {
	began := time.Now()
	worlds := Worlds()
	reports := make([]*Report, len(worlds))
	t.Run("world", func(t *testing.T) {
		for i, w := range worlds {
			if *only != "" && w.Name != *only {
				continue
			}
			t.Run(w.Name, func(t *testing.T) {
				t.Parallel()
				if !*full {
					w.Budget = w.Small
				}
				at := time.Now()
				r, err := Explore(&w)
				require.NoError(t, err)
				reports[i] = r
				t.Logf("%9d states %9d transitions %6d instances %6d at rest, depth %d, %d outcomes, %d rows, %s",
					r.States, r.Transitions, r.Instances, r.Resting, r.Depth, len(r.Outcomes), len(r.Table.Rows()), time.Since(at).Round(time.Millisecond))
				require.Empty(t, r.Violation, "in %d states; the shortest way there:\n%s", r.States, r.Script)
			})
		}
	})
	if *only != "" || t.Failed() {
		return
	}
	summary(t, worlds, reports, time.Since(began))
}

func summary(t *testing.T, worlds []World, reports []*Report, took time.Duration) {
	t.Helper()
	table := newTable()
	var outcomes strings.Builder
	states, transitions := 0, 0
	for i, r := range reports {
		states, transitions = states+r.States, transitions+r.Transitions
		table.Merge(r.Table)
		fmt.Fprintf(&outcomes, "%s: %s\n", r.World, worlds[i].About)
		for _, o := range r.Outcomes {
			fmt.Fprintf(&outcomes, "    %s\n", o)
		}
	}
	golden, err := os.ReadFile("../../saga/testdata/table.golden")
	require.NoError(t, err)
	missing, rows := table.Missing(string(golden))
	t.Logf("%d worlds, every frontier empty: %d states, %d transitions; %d rows of the transition table, of the %d that package saga lists %d missing; %s",
		len(worlds), states, transitions, len(table.Rows()), rows, len(missing), took.Round(time.Second))
	if *rowsToo {
		t.Logf("status and effect | event | and then, or why not\n%s", strings.Join(table.Rows(), "\n"))
	}
	require.Empty(t, missing, "rows of the transition table that no world walks through: add a world, or an operator to one")
	require.Greater(t, rows, 800, "the table of package saga is not read as it is written")
	if *full {
		require.Greater(t, states, 1_000_000)
		same(t, "testdata/outcomes_full.golden", outcomes.String())
		return
	}
	same(t, "testdata/outcomes.golden", outcomes.String())
}
