package sim

import (
	"fmt"
	"strings"
)

// trace tells two runs apart: a hash over everything that was noted and when. It keeps the last notes where that is asked for.
type trace struct {
	hash  uint64
	count int
	ring  []string // of the last notes; its length is how many are kept
}

func newTrace(keep int) trace { return trace{hash: 14695981039346656037, ring: make([]string, keep)} }

// add is FNV-1a over words, mixed with the time: fast enough to note every port call.
func (t *trace) add(clock int64, words []string) {
	h := mix(t.hash ^ uint64(clock))
	for _, word := range words {
		for i := range len(word) {
			h = (h ^ uint64(word[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	t.hash = h
	if len(t.ring) > 0 {
		t.ring[t.count%len(t.ring)] = fmt.Sprintf("%12.6f %s", float64(clock)/1e9, strings.Join(words, " "))
	}
	t.count++
}

// notes are the last notes, oldest first, each with its time in seconds.
func (t *trace) notes() []string {
	n := len(t.ring)
	if n == 0 || t.count <= n {
		return t.ring[:min(t.count, n)]
	}
	at := t.count % n
	return append(append([]string(nil), t.ring[at:]...), t.ring[:at]...)
}

// note adds to the trace.
func (w *world) note(words ...string) { w.trace.add(w.clock, words) }
