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
	require.Equal(t, "make bench PARTS=closed,open,compensating,cost,size,replicas,watch INFLIGHT=1,8,64,256,1024,4096 RATES=50,200,1000 ROUNDS=5", s.command())

	s, err = readFlags([]string{"-inflight", "1024, 64,64", "-rounds", "3", "-parts", "cost, open", "-d", "2s", "-pg", "postgres://y@h/d"})
	require.NoError(t, err)
	require.Equal(t, []int{64, 1024}, s.inFlight)
	require.Equal(t, []int{costInFlight}, s.levels(), "costs are taken in a closed loop, also where that was not asked for")
	require.True(t, s.has(partOpen))
	require.Equal(t, 2*time.Second, s.measure)
	require.Equal(t, "postgres://y@h/d", s.postgres, "a flag wins over the environment")
	require.Contains(t, s.command(), "ARGS='-d 2s'")

	s, err = readFlags([]string{"-parts", "size,replicas", "-stored", "5000", "-waiting", "500", "-replicas", "2,1", "-observe", "5s"})
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, s.replicas)
	require.Contains(t, s.command(), "ARGS='-stored 5000 -waiting 500 -replicas 1,2 -observe 5s'")

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
		{"-stored", "10"},
		{"-waiting", "2000000"},
		{"-reads", "0"},
		{"-size-inflight", "0"},
		{"-replicas", "none"},
		{"-replicas-inflight", "-1"},
		{"-observe", "1s"},
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
	s.parts = []string{partReplicas}
	s.replicas, s.observe = []int{1, 2, 3}, 20*time.Second
	require.Equal(t, 2*(3*22+4*20)*time.Second, s.estimate())
	s.parts = []string{partSize}
	s.stored, s.reads = 1_000_000, 100
	require.Equal(t, (2*2*27+300+100)*time.Second, s.estimate())
	s.parts = []string{partWatch}
	require.Equal(t, 2*4*17*time.Second, s.estimate())
}
