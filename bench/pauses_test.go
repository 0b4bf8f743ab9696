package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
)

// ticks are ends at a steady rate, from and to in milliseconds behind the change.
func ticks(change time.Time, from, to, every int) (out []time.Time) {
	for at := from; at < to; at += every {
		out = append(out, change.Add(time.Duration(at)*time.Millisecond))
	}
	return out
}

func TestPauseOf(t *testing.T) {
	t.Parallel()
	change := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	until := change.Add(10 * time.Second)
	join := func(parts ...[]time.Time) (out []time.Time) {
		for _, part := range parts {
			out = append(out, part...)
		}
		return out
	}
	for name, c := range map[string]struct {
		ends          []time.Time
		longest, back time.Duration
	}{
		"nothing happened":       {ticks(change, 5, 10_000, 10), 10 * time.Millisecond, 0},
		"a stop":                 {join(ticks(change, 5, 2_000, 10), ticks(change, 5_000, 10_000, 10)), 3005 * time.Millisecond, 5 * time.Second},
		"a stop and a slow time": {join(ticks(change, 5, 2_000, 10), ticks(change, 5_000, 7_000, 40), ticks(change, 7_000, 10_000, 10)), 3005 * time.Millisecond, 6_800 * time.Millisecond},
		"slower without a stop":  {join(ticks(change, 5, 3_000, 15), ticks(change, 3_000, 10_000, 10)), 15 * time.Millisecond, 2_500 * time.Millisecond},
		"never back":             {join(ticks(change, 5, 2_000, 10), ticks(change, 5_000, 10_000, 40)), 3005 * time.Millisecond, 10 * time.Second},
		"nothing at all":         {nil, 10 * time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pauseOf(c.ends, change, until, 100, 10*time.Millisecond)
			require.Equal(t, c.longest, p.longest)
			require.InDelta(t, c.back, p.back, float64(200*time.Millisecond))
		})
	}
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	var ends timeline
	told := 0
	watch := ends.watching(func(_ context.Context, ended func(string, client.Status)) error {
		ended("a", client.Completed)
		ended("b", client.Compensated)
		return nil
	})
	before := time.Now()
	require.NoError(t, watch(t.Context(), func(string, client.Status) { told++ }))
	require.Equal(t, 2, told, "whoever waits for the ends still learns of them")
	require.Len(t, ends.between(before, time.Now().Add(time.Second)), 2)
	require.Empty(t, ends.between(before.Add(-time.Second), before))
	require.Zero(t, longestGap(ends.between(before, before)))
	require.Equal(t, 20*time.Millisecond, longestGap(append(ticks(before, 0, 50, 10), ticks(before, 60, 70, 10)...)))
}
