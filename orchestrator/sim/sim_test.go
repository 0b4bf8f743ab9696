package sim_test

import (
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/sim"
)

var (
	seed   = flag.Uint64("seed", 0, "run this seed alone (TestSeed)")
	killAt = flag.Int("kill-at", 0, "kill a replica at this port call (TestSeed)")
	seeds  = flag.Int("seeds", 1000, "how many seeds TestSeeds runs")
)

// TestSeeds runs worlds with faults drawn by seed: kills at any port call, commits and acknowledgements lost both ways,
// duplicates, late and silent participants.
func TestSeeds(t *testing.T) {
	t.Parallel()
	total := map[string]int{}
	kills, calls, commits := 0, 0, 0
	for s := range *seeds {
		r, err := sim.Run(sim.Options{Seed: uint64(s + 1)})
		require.NoError(t, err)
		kills, calls, commits = kills+r.Kills, calls+r.PortCalls, commits+r.Commits
		for k, n := range r.Faults {
			total[string(k)] += n
		}
		for k, n := range r.Outcomes {
			total["ended "+k] += n
		}
	}
	require.Positive(t, kills, "no replica was ever killed: the faults are not on")
	t.Logf("%d seeds, %d port calls, %d commits, %d kills", *seeds, calls, commits, kills)
	for _, k := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%8d %s", total[k], k)
	}
}

// TestCrashAtEveryPortCall kills a replica at each port call of a calm world, one world per call.
func TestCrashAtEveryPortCall(t *testing.T) {
	t.Parallel()
	calm, err := sim.Run(sim.Options{Seed: 7, Sagas: 2, Replicas: 2, Calm: true})
	require.NoError(t, err)
	require.Greater(t, calm.PortCalls, 100)
	calls := min(calm.PortCalls, 600) // what follows is idle sweeping
	for n := 1; n <= calls; n++ {
		_, err := sim.Run(sim.Options{Seed: 7, Sagas: 2, Replicas: 2, KillAt: n})
		require.NoError(t, err, "killed at port call %d", n)
	}
}

// TestSameSeedSameTrace: a seed that fails can be run again.
func TestSameSeedSameTrace(t *testing.T) {
	t.Parallel()
	for s := range uint64(50) {
		first, err := sim.Run(sim.Options{Seed: 10_000 + s})
		require.NoError(t, err)
		second, err := sim.Run(sim.Options{Seed: 10_000 + s})
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%016x", first.Trace), fmt.Sprintf("%016x", second.Trace), "seed %d", 10_000+s)
	}
}

// TestSeed runs one seed loudly: go test ./orchestrator/sim -run 'TestSeed$' -seed=N -v.
func TestSeed(t *testing.T) {
	one := max(*seed, 1)
	log := slog.New(slog.DiscardHandler)
	if *seed > 0 {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	r, err := sim.Run(sim.Options{Seed: one, KillAt: *killAt, Log: log, Notes: 60})
	require.NoError(t, err)
	t.Logf("%+v", r)
}
