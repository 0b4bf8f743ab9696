package sim_test

import (
	"flag"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/sim"
	"github.com/skaldhq/skald/orchestrator/sim/crashpoint"
)

var crashFlag = flag.String("crash", "reply-committed", "die at these points in turn, point[:n[:phase]],... (TestCrash)")

// TestCrash runs one seed with named crashes: go test ./orchestrator/sim -run 'TestCrash$' -v -args -seed=N -crash=reply-locked:1:forward.
func TestCrash(t *testing.T) {
	var plan []crashpoint.At
	for _, text := range strings.Split(*crashFlag, ",") {
		at, err := crashpoint.Parse(text)
		require.NoError(t, err)
		plan = append(plan, at)
	}
	r, err := sim.Run(sim.Options{Seed: max(*seed, 1), Crash: plan, Notes: 60})
	require.NoError(t, err)
	t.Logf("%d of %d crashes; %+v", r.Crashed, len(plan), r)
	require.Positive(t, r.Crashed, "the seed does not come by %s", *crashFlag)
}
