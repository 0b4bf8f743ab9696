package explore

import (
	"flag"
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
