package kafka

import (
	"context"
	"sort"
	"sync"
)

// watermark follows the records of one partition: an offset may be committed once it and all before it are finished.
type watermark struct {
	room chan struct{} // a slot for each record between the oldest that is not finished and the newest taken

	mu      sync.Mutex
	pending []entry // guarded by mu; in the order of offsets, the oldest not finished
}

type entry struct {
	offset int64
	done   bool
}

func newWatermark(maxAhead int) *watermark { return &watermark{room: make(chan struct{}, maxAhead)} }

// take registers the next offset. It waits while too many are ahead, and returns ctx's error when that ends first.
func (w *watermark) take(ctx context.Context, offset int64) error {
	select {
	case w.room <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = append(w.pending, entry{offset: offset})
	return nil
}

// finish notes that offset is done with, and calls mark with the offset to commit (the next to be read) when that moved.
// mark is called under the lock, so that a lower one never comes after a higher.
func (w *watermark) finish(offset int64, mark func(int64)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := sort.Search(len(w.pending), func(i int) bool { return w.pending[i].offset >= offset })
	if i == len(w.pending) || w.pending[i].offset != offset {
		return
	}
	w.pending[i].done = true
	n := 0
	for n < len(w.pending) && w.pending[n].done {
		n++
	}
	if n == 0 {
		return
	}
	last := w.pending[n-1].offset
	w.pending = w.pending[n:]
	for range n {
		<-w.room
	}
	mark(last + 1)
}
