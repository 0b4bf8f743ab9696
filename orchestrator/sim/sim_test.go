package sim_test

import (
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/orchestrator/sim"
)

var (
	seed    = flag.Uint64("seed", 0, "run this seed alone (TestSeed)")
	killAt  = flag.Int("kill-at", 0, "kill a replica at this port call (TestSeed)")
	outside = flag.Int("outside", 0, "starts from outside of that world (TestSeed)")
	first   = flag.Uint64("first", 1, "the first seed that TestSeeds runs")
	notes   = flag.Int("notes", 200, "how many of the last notes of its trace TestSeed shows")
	seeds   = flag.Int("seeds", 1000, "how many seeds TestSeeds runs")
)

// A world that has ended leaves no coroutine behind.
func TestMain(m *testing.M) {
	debug.SetGCPercent(1000) // as in the command: a world is small and lives for milliseconds
	goleak.VerifyTestMain(m)
}

// TestSeeds runs worlds with faults drawn by seed, up to the first that breaks a promise.
func TestSeeds(t *testing.T) {
	t.Parallel()
	n := *seeds
	if testing.Short() || raced {
		n = min(n, 100)
	}
	sum, failure := sim.Campaign{First: *first, Seeds: n}.Run()
	if failure != nil {
		t.Fatalf("%v\nseeds needed: %d", failure, failure.Options.Seed-*first+1)
	}
	var b strings.Builder
	sum.Print(&b)
	t.Log(b.String())
	require.Empty(t, sum.Missing(), "what never happens is not tested")
}

// TestRegress runs the worlds that once broke a promise.
func TestRegress(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/regress/*.json")
	require.NoError(t, err)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			kept, err := sim.ReadRegress(file)
			require.NoError(t, err)
			_, err = sim.Run(kept.Options())
			require.NoError(t, err, "it broke %s once: %s", kept.Violated, kept.Note)
		})
	}
}

// TestCrashAtEveryPortCall kills a replica at each port call of a calm world, one world per call.
func TestCrashAtEveryPortCall(t *testing.T) {
	t.Parallel()
	calm, err := sim.Run(sim.Options{Seed: 7, Sagas: 2, Replicas: 2, Calm: true})
	require.NoError(t, err)
	require.Greater(t, calm.PortCalls, 100)
	calls, step := min(calm.PortCalls, 600), 1 // what follows is idle sweeping
	if raced {
		step = 10
	}
	for n := 1; n <= calls; n += step {
		_, err := sim.Run(sim.Options{Seed: 7, Sagas: 2, Replicas: 2, KillAt: n})
		require.NoError(t, err, "killed at port call %d", n)
	}
}

// TestSameSeedSameTrace: a seed that fails can be run again.
func TestSameSeedSameTrace(t *testing.T) {
	t.Parallel()
	n := 100
	if raced {
		n = 20
	}
	_, failure := sim.Campaign{First: 1_000_000, Seeds: n, Twice: n}.Run()
	require.Nil(t, failure)
}

// TestOnly: a list of the faults that happened makes the same world again, to the last note; that is what shrinking builds on.
func TestOnly(t *testing.T) {
	t.Parallel()
	for s := range uint64(30) {
		drawn, err := sim.Run(sim.Options{Seed: 2_000_000 + s})
		require.NoError(t, err)
		again, err := sim.Run(sim.Options{Seed: 2_000_000 + s, Only: append([]sim.Hit{}, drawn.Hits...)})
		require.NoError(t, err)
		require.Equal(t, drawn.Trace, again.Trace, "seed %d", 2_000_000+s)
	}
}

// TestSeed runs one seed loudly: go test ./orchestrator/sim -run 'TestSeed$' -v -args -seed=N.
func TestSeed(t *testing.T) {
	one := max(*seed, 1)
	log := slog.New(slog.DiscardHandler)
	if *seed > 0 {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	r, err := sim.Run(sim.Options{Seed: one, KillAt: *killAt, Outside: *outside, Log: log, Notes: *notes})
	require.NoError(t, err)
	t.Logf("%+v", r)
}
