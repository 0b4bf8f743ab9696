package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadFlags(t *testing.T) {
	t.Setenv("SKALD_BENCH_DATABASE_URL", "postgres://x@h/d")
	s, err := readFlags(nil)
	require.NoError(t, err)
	require.Equal(t, []int{1, 8, 64, 256, 1024, 4096}, s.inFlight)
	require.Equal(t, []int{50, 200, 1000}, s.rates)
	require.Equal(t, allParts(), s.parts)
	require.Equal(t, 5, s.rounds)
	require.Equal(t, "postgres://x@h/d", s.postgres)
	require.Equal(t, "make bench PARTS=closed,open,compensating,cost INFLIGHT=1,8,64,256,1024,4096 RATES=50,200,1000 ROUNDS=5", s.command())

	s, err = readFlags([]string{"-inflight", "1024, 64,64", "-rounds", "3", "-parts", "cost, open", "-d", "2s", "-pg", "postgres://y@h/d"})
	require.NoError(t, err)
	require.Equal(t, []int{64, 1024}, s.inFlight)
	require.Equal(t, []int{costInFlight}, s.levels(), "costs are taken in a closed loop, also where that was not asked for")
	require.True(t, s.has(partOpen))
	require.Equal(t, 2*time.Second, s.measure)
	require.Equal(t, "postgres://y@h/d", s.postgres, "a flag wins over the environment")
	require.Contains(t, s.command(), "ARGS='-d 2s -warmup 3s'")

	s, err = readFlags([]string{"-parts", "open"})
	require.NoError(t, err)
	require.Empty(t, s.levels())
}

func TestReadFlags_Wrong(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]string{
		{"-inflight", "many"},
		{"-inflight", "0"},
		{"-inflight", ""},
		{"-rates", "-1"},
		{"-rounds", "0"},
		{"-parts", "closed,fast"},
		{"-parts", ""},
		{"-d", "10ms"},
		{"-warmup", "-1s"},
		{"64"},
	} {
		_, err := readFlags(bad)
		require.Error(t, err, "%v", bad)
	}
	_, err := readFlags([]string{"-rounds", "0", "-inflight", "x"})
	require.ErrorContains(t, err, "-rounds 0")
	require.ErrorContains(t, err, "-inflight", "everything that is wrong is said at once")
}

func TestEstimate_CountsBothSides(t *testing.T) {
	t.Parallel()
	s := settings{parts: []string{partClosed}, inFlight: []int{64}, rounds: 2, measure: 10 * time.Second, warmUp: 3 * time.Second}
	require.Equal(t, 68*time.Second, s.estimate())
	s.parts = append(s.parts, partCompensating)
	require.Equal(t, 136*time.Second, s.estimate())
}
