package explore

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

var (
	full    = flag.Bool("full", false, "explore with the budgets of a release: millions of states, some minutes")
	only    = flag.String("world", "", "explore this world alone")
	rowsToo = flag.Bool("rows", false, "print every row of the transition table that was walked through")
	update  = flag.Bool("update", false, "write the golden files anew; read the difference against the rules")
)

// TestExplore walks through every state of every world. It wants no violation, every row of the transition table, and the same
// outcomes as before. With -full the budgets are those of a release.
func TestExplore(t *testing.T) {
	if raced && !*full {
		t.Skip("an exploration is one goroutine: the race detector only makes it slow")
	}
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

func same(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")), "-%s +now; -update writes it anew", file)
}

// TestExplore_Bites breaks what is explored, and wants it found.
func TestExplore_Bites(t *testing.T) {
	t.Parallel()
	chain := []string{"a", "b", "p pivot"}
	for _, c := range []struct {
		name  string
		world World
		wrong string
	}{
		{
			"ParticipantWithoutBarrier",
			World{Steps: chain, Budget: Budget{Duplicate: 1}, forget: true},
			"a: it took effect twice",
		},
		{
			"CompensationBeforeExecuteWithoutBarrier",
			World{Steps: []string{"a max=1"}, Budget: Budget{Timeout: 1}, forget: true},
			"a is said to be undone, and stands",
		},
		{
			"TimeoutTakenForRejected",
			World{Steps: []string{"a max=1", "p pivot"}, Budget: Budget{Timeout: 1}, tamper: func(d *saga.Decision) {
				for i := range d.Facts {
					if d.Facts[i].Type == saga.StepUnknown {
						d.Facts[i].Effect, d.Next.Steps[0].Effect = saga.EffectNone, saga.EffectNone
					}
				}
			}},
			"", // whatever it is that notices
		},
		{
			"FactForgotten",
			World{Steps: chain, tamper: func(d *saga.Decision) {
				if len(d.Facts) > 1 {
					d.Facts = d.Facts[:len(d.Facts)-1]
				}
			}},
			"S4",
		},
		{
			"NoWakeTime",
			World{Steps: chain, tamper: func(d *saga.Decision) { d.WakeAt = time.Time{} }},
			"L2",
		},
		{
			"LateWakeTime",
			World{Steps: chain, tamper: func(d *saga.Decision) {
				if !d.WakeAt.IsZero() {
					d.WakeAt = d.WakeAt.Add(time.Hour)
				}
			}},
			"L2",
		},
		{
			"CommandDropped",
			World{Steps: chain, tamper: func(d *saga.Decision) {
				d.Commands = nil
				for i := range d.Next.Steps { // nor is it waited for
					if d.Next.Steps[i].Status == saga.InFlight {
						d.Next.Steps[i].Status = saga.Pending
					}
				}
			}},
			"S4",
		},
		{
			"Circle",
			World{
				Steps: []string{"a probe", "b"}, External: "mute",
				Budget: Budget{Crash: 1, Timeout: 1, Operator: 1},
			},
			"it goes round in circles",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.world.Name = "broken"
			r, err := Explore(&c.world)
			require.NoError(t, err)
			require.NotEmpty(t, r.Violation)
			require.Contains(t, r.Violation, c.wrong)
			require.Contains(t, r.Script, "define\n"+strings.Join(c.world.Steps, "\n")+"\n----\n")
		})
	}
}

// TestExplore_Script is the shortest way to a broken barrier, as it is shown to people.
func TestExplore_Script(t *testing.T) {
	t.Parallel()
	r, err := Explore(&World{Name: "broken", Steps: []string{"a max=1", "p pivot"}, Budget: Budget{Timeout: 1}, forget: true})
	require.NoError(t, err)
	same(t, "testdata/script.golden", r.Script)
}
