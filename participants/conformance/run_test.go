package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun_RightParticipant(t *testing.T) {
	t.Parallel()
	plan := testPlan()
	plan.Probe = "FindOut.v1"
	report := newWorld(t, wrong{}).play(plan)
	for _, f := range report.Findings {
		require.Equal(t, Pass, f.Verdict, "%s: %s", f.Check, f.Saw)
	}
	require.Len(t, report.Findings, len(Checks()))
}
