package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
)

// TestMain lets a run start this test's binary as the participants' process.
func TestMain(m *testing.M) {
	if asParticipants() {
		return
	}
	os.Exit(m.Run())
}

// A run of a second on small servers: whether all the processes find each other and every figure is taken, not what they are.
func TestRun_Smoke(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	t.Parallel()
	folder := t.TempDir()
	err := run(t.Context(), []string{
		"-pg", embeddedtest.Database(t), "-kafka", strings.Join(embeddedtest.Kafka(t), ","), "-results", folder,
		"-parts", "closed,compensating,cost", "-inflight", "8", "-rounds", "1", "-d", "1s", "-warmup", "1s",
	})
	require.NoError(t, err)
	r, err := readResult(filepath.Join(folder, "latest.json"))
	require.NoError(t, err)
	require.True(t, r.Complete)
	require.Positive(t, r.RatioToFloor["8"])
	for name, s := range map[string]Side{"floor": r.Closed[0].Floor, "engine": r.Closed[0].Engine} {
		for _, key := range []string{perSecond, completedP50, completedP99, walBytes, commits, rowsInserted, rowsUpdated, records, batchEvents} {
			require.Positive(t, s[key].Median, "%s of the %s", key, name)
		}
	}
	engine := r.Closed[0].Engine
	require.InDelta(t, 8, engine[records].Median, 0.5, "three commands, three replies, started and completed")
	require.Greater(t, engine[completedP50].Median, engine[acceptedP50].Median)
	require.Positive(t, engine[readyMS].Median)
	require.Zero(t, engine[unfinished].Median)
	require.GreaterOrEqual(t, r.Closed[0].Floor[records].Median, 6.0, "and those of the sagas that were under way")
	undone := r.Compensating.Undone
	require.Greater(t, undone[commands].Median, 3*undone[perSecond].Median, "a saga that was undone took five commands")
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(raw), `"ratio_to_floor":{"8":`)
}
