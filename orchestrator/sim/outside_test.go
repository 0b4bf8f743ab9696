package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/sim"
)

// Starts come as records and in SQL, while replicas die and answers are lost: each is one saga, or in quarantine; none is lost (S2, S18).
func TestOutside(t *testing.T) {
	t.Parallel()
	n := uint64(200)
	if testing.Short() || raced {
		n = 20
	}
	ports, kills := map[string]int{}, 0
	for seed := uint64(1); seed <= n; seed++ {
		report, err := sim.Run(sim.Options{Seed: seed, Outside: 12})
		require.NoError(t, err)
		kills += report.Kills
		for port, calls := range report.Ports {
			ports[port] += calls
		}
	}
	require.Positive(t, kills)
	for _, port := range []string{"starts.fetch", "starts.take", "starts.taken", "starts.answer", "starts.answered", "starts.await"} {
		require.Positive(t, ports[port], port)
	}
}

// A replica dies at each port call of a world in which nothing else goes wrong.
func TestOutside_CrashAtEveryPortCall(t *testing.T) {
	t.Parallel()
	opt := sim.Options{Seed: 11, Sagas: 1, Replicas: 1, Calm: true, Outside: 6}
	calm, err := sim.Run(opt)
	require.NoError(t, err)
	opt.Calm = false
	step := 1
	if testing.Short() || raced {
		step = 10
	}
	for opt.KillAt = 1; opt.KillAt <= min(calm.PortCalls, 400); opt.KillAt += step {
		_, err := sim.Run(opt)
		require.NoError(t, err, "killed at port call %d", opt.KillAt)
	}
}
