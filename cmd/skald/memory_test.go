package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGCPercent(t *testing.T) {
	t.Parallel()
	for alive, want := range map[uint64]int64{
		0: 100, 1 << 20: 800, 8 << 20: 700, 16 << 20: 300, 32 << 20: 100, 1 << 30: 100,
	} {
		require.Equal(t, want, gcPercent(alive), "%d bytes alive", alive)
	}
}

// It looks at the whole process, so it does not run beside others.
func TestTuner_FollowsWhatIsAlive(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	tune := &tuner{sample: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	tune.percent.Store(gcPercentLeast)
	tune.collected(nil)
	reaches := func(want func(percent int64) bool) {
		t.Helper()
		require.Eventually(t, func() bool { runtime.GC(); return want(tune.percent.Load()) }, 30*time.Second, time.Millisecond)
	}
	reaches(func(percent int64) bool { return percent > 100 })
	alive := make([]byte, 2*heapTarget)
	reaches(func(percent int64) bool { return percent == 100 })
	runtime.KeepAlive(alive)
	reaches(func(percent int64) bool { return percent > 100 })
}
