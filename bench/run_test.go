//go:build !race

// The servers of a run are processes of their own, without the race detector: it would watch the driver alone.

package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
)

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

// The parts size, replicas and watch, as small as they go.
func TestRun_SizeReplicasAndWatch(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	t.Parallel()
	folder := t.TempDir()
	err := run(t.Context(), []string{
		"-pg", embeddedtest.Database(t), "-kafka", strings.Join(embeddedtest.Kafka(t), ","), "-results", folder,
		"-parts", "size,replicas,watch", "-rounds", "1", "-d", "1s", "-warmup", "1s", "-stored", "5000", "-waiting", "1000", "-size-inflight", "8", "-reads", "4",
		"-replicas", "1,2", "-replicas-inflight", "8", "-observe", "3s",
	})
	require.NoError(t, err)
	r, err := readResult(filepath.Join(folder, "latest.json"))
	require.NoError(t, err)
	require.True(t, r.Complete)
	for name, s := range map[string]Side{"empty": r.Size.Empty, "filled": r.Size.Filled, "one": r.Replicas.Numbers[0].Side, "two": r.Replicas.Numbers[1].Side} {
		for _, key := range []string{perSecond, completedP50, walBytes, readyMS} {
			require.Positive(t, s[key].Median, "%s, %s", key, name)
		}
	}
	require.Equal(t, 5000, r.Size.Stored)
	require.Positive(t, r.Size.Bytes)
	items := map[string]int{}
	for _, read := range r.Size.Reads {
		require.Positive(t, read.P50, read.What)
		require.GreaterOrEqual(t, read.P99, read.P50, read.What)
		require.EqualValues(t, 4, read.Count)
		items[read.What] = read.Items
	}
	require.Equal(t, 50, items["newest"])
	require.Equal(t, 200, items["deep cursor"])
	require.Equal(t, 1, items["key"])
	require.Equal(t, 2, items["status, rare"], "of a thousand that wait one is suspended, and so is the first")
	require.Equal(t, 5, items["label, rare"])
	require.Contains(t, items, "page: sagas")
	require.Zero(t, items["label, none"])
	require.Greater(t, items["its history"], 1)
	require.Len(t, r.Replicas.Changes, 3)
	require.Len(t, r.Replicas.Changes[0].Side[pauseMS].Rounds, 2, "it joins twice")
	require.Positive(t, r.Replicas.Changes[2].Side[pauseMS].Median)
	require.Len(t, r.Watching.Levels, len(watchLevels()))
	require.Zero(t, r.Watching.Levels[0].Side[hints].Median)
	require.Positive(t, r.Watching.Levels[1].Side[hints].Median, "each of 200 is told every 2 s")
	require.Positive(t, r.Watching.Levels[3].Side[pageReads].Median)
}
