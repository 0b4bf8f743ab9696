package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseFloor(t *testing.T) {
	t.Parallel()
	got, err := parseFloor("hot=0.82 load=true outbox=batch due=none histRows=1 inflight=64 history=true sagas/s=1761 avg_batch=21.3 p50=34.5ms p99=71ms\n")
	require.NoError(t, err)
	require.Equal(t, newRound(1761, 34500*time.Microsecond, 71*time.Millisecond), got)
	_, err = parseFloor("connection refused")
	require.ErrorContains(t, err, "connection refused")
}

func TestFlags(t *testing.T) {
	t.Parallel()
	s, err := readFlags([]string{"-inflight", "64, 1024", "-rounds", "3"})
	require.NoError(t, err)
	require.Equal(t, []int{64, 1024}, s.inFlight)
	for _, bad := range [][]string{{"-inflight", "many"}, {"-inflight", "0"}, {"-rounds", "0"}} {
		_, err := readFlags(bad)
		require.Error(t, err, "%v", bad)
	}
}

func TestReport_RatiosOfMedians(t *testing.T) {
	t.Parallel()
	r := newReport(settings{inFlight: []int{64}, rounds: 3})
	for i, engine := range []float64{500, 900, 700} {
		r.add(64, newRound(1000+float64(i), time.Millisecond, time.Millisecond), newRound(engine, time.Millisecond, time.Millisecond))
	}
	require.InDelta(t, 700.0/1001, r.RatioToFloor["64"], 1e-9)
	var out bytes.Buffer
	r.print(&out)
	require.Contains(t, out.String(), "700 (500 to 900)")
	file := filepath.Join(t.TempDir(), "results", "latest.json")
	require.NoError(t, r.write(file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var read map[string]any
	require.NoError(t, json.Unmarshal(text, &read))
	require.Contains(t, read, "ratio_to_floor")
}
