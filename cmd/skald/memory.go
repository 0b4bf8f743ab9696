package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

const (
	// heapTarget is how large the heap may grow between two collections, in bytes, as long as what is alive is less than half of it.
	// Go would collect at twice what is alive; a replica keeps little, and throws away much. Half as many bytes again beside the
	// heap (stacks, the program, freed pages) stay below 150 MB.
	heapTarget = 64 << 20
	// gcPercentLeast is Go's own, and gcPercentMost keeps a small heap from growing for nothing.
	gcPercentLeast = 100
	gcPercentMost  = 800
)

// spendMemory has the process collect garbage less often while its heap is small: after each collection it sets how far the heap may
// grow until the next. GOGC in the environment wins. It starts no goroutine, and lasts until the process ends.
func spendMemory() {
	if os.Getenv("GOGC") != "" {
		return
	}
	t := &tuner{sample: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	t.percent.Store(gcPercentLeast)
	t.collected(nil)
}

// tuner is woken by each collection: it leaves an object behind that the next one finds dead.
type tuner struct {
	sample  []metrics.Sample // only used by the finalizers' goroutine, one after the other
	percent atomic.Int64
}

// mark is what is left behind. It holds a pointer, for the smallest objects share memory and may never be found dead.
type mark struct{ _ *tuner }

func (t *tuner) collected(*mark) {
	metrics.Read(t.sample)
	percent := gcPercent(t.sample[0].Value.Uint64())
	// Setting it stops the world for a moment.
	if now := t.percent.Load(); percent > now+now/10 || percent < now-now/10 {
		t.percent.Store(percent)
		debug.SetGCPercent(int(percent))
	}
	runtime.SetFinalizer(&mark{t}, t.collected)
}

// gcPercent is how far the heap may grow, in percent of what is alive.
func gcPercent(alive uint64) int64 {
	if alive == 0 {
		return gcPercentLeast
	}
	return min(max(heapTarget*100/int64(alive)-100, gcPercentLeast), gcPercentMost)
}
