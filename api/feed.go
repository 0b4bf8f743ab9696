package api

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

const (
	feedEvents = 4096    // kept for those who were away for a moment
	feedBytes  = 8 << 20 // of them, about
	feedRetry  = time.Second
)

// feed reads skald.events once for all streams of this replica, and only while there are any.
type feed struct {
	tail EventTail
	log  *slog.Logger

	mu      sync.Mutex // guards what follows
	users   int
	stop    context.CancelFunc // ends the present reading; nil: nobody reads
	wanted  chan struct{}      // holds a token when there may be a first user
	ready   bool               // ends and low are known
	first   int64              // number of kept[0]; numbers never repeat
	kept    []feedEvent
	bytes   int
	low     offsets       // per partition: from here on nothing is missing in kept
	ends    offsets       // after the newest kept event
	changed chan struct{} // closed and replaced when something came
}

type feedEvent struct {
	partition int32
	offset    int64
	record    orchestrator.Record
}

func newFeed(tail EventTail, log *slog.Logger) *feed {
	return &feed{tail: tail, log: log, wanted: make(chan struct{}, 1), changed: make(chan struct{})}
}

// run reads while there are users, until ctx ends.
func (f *feed) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.wanted:
		}
		for f.begin(ctx) {
			if !pause(ctx, feedRetry) {
				return ctx.Err()
			}
		}
	}
}

// begin reads until nobody wants it any more (false), or until it fails (true: try again).
func (f *feed) begin(ctx context.Context) bool {
	f.mu.Lock()
	if f.users == 0 {
		f.mu.Unlock()
		return false
	}
	reading, stop := context.WithCancel(ctx)
	f.stop = stop
	f.mu.Unlock()
	defer stop()
	err := f.read(reading)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop, f.ready, f.kept, f.bytes, f.low, f.ends = nil, false, nil, 0, nil, nil
	f.first += feedEvents + 1 // whoever stands in the old numbers has lost its place
	f.tellLocked()
	if f.users == 0 || ctx.Err() != nil {
		return false
	}
	if reading.Err() == nil {
		f.log.WarnContext(ctx, "events cannot be read; trying again", "error", err)
	}
	return true
}

func (f *feed) read(ctx context.Context) error {
	ends, err := f.tail.Ends(ctx)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.low, f.ends, f.ready = maps.Clone(ends), maps.Clone(ends), true
	f.tellLocked()
	f.mu.Unlock()
	return f.tail.Tail(ctx, ends, func(partition int32, offset int64, record orchestrator.Record) error {
		f.keep(feedEvent{partition, offset, record})
		return nil
	})
}

func (f *feed) keep(e feedEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = append(f.kept, e)
	f.bytes += len(e.record.Value)
	f.ends[e.partition] = e.offset + 1
	for len(f.kept) > feedEvents || f.bytes > feedBytes && len(f.kept) > 1 {
		old := f.kept[0]
		f.low[old.partition] = old.offset + 1
		f.bytes -= len(old.record.Value)
		f.kept[0] = feedEvent{}
		f.kept = f.kept[1:]
		f.first++
	}
	f.tellLocked()
}

func (f *feed) tellLocked() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// join counts a user in; leave counts it out, and the last one ends the reading.
func (f *feed) join() (leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
	token(f.wanted)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.users--; f.users == 0 && f.stop != nil {
			f.stop()
		}
	}
}

// errLagged says that a reader was slower than the feed keeps events.
var errLagged = errors.New("slower than events are kept")

// place is where a reader of the feed stands.
type place struct {
	next int64   // number of the next event
	at   offsets // of it
}

// enter finds the place of from (nil: now). It waits until the feed reads. ok is false when the feed does not reach back to from.
func (f *feed) enter(ctx context.Context, from offsets) (p place, ok bool, err error) {
	for {
		f.mu.Lock()
		ready, changed := f.ready, f.changed
		if ready {
			p, ok = f.placeLocked(from)
		}
		f.mu.Unlock()
		if ready {
			return p, ok, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return place{}, false, ctx.Err()
		}
	}
}

func (f *feed) placeLocked(from offsets) (place, bool) {
	if from == nil {
		return place{next: f.first + int64(len(f.kept)), at: maps.Clone(f.ends)}, true
	}
	for partition, low := range f.low {
		if from[partition] < low || from[partition] > f.ends[partition] {
			return place{}, false
		}
	}
	return place{next: f.first, at: maps.Clone(from)}, true
}

// next waits for events from p on, and moves p past them. It answers none when ctx ends or wake closes.
func (f *feed) next(ctx context.Context, p *place, wake <-chan time.Time) ([]feedEvent, error) {
	for {
		f.mu.Lock()
		changed := f.changed
		lagged := p.next < f.first || p.next > f.first+int64(len(f.kept))
		var out []feedEvent
		if !lagged {
			out = append(out, f.kept[p.next-f.first:]...)
			p.next += int64(len(out))
		}
		f.mu.Unlock()
		if lagged {
			return nil, errLagged
		}
		fresh := out[:0]
		for _, e := range out {
			if e.offset >= p.at[e.partition] { // a place found by offsets begins at the oldest kept event
				fresh = append(fresh, e)
			}
		}
		if len(fresh) > 0 {
			return fresh, nil
		}
		select {
		case <-changed:
		case <-wake:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// position grows with each event that comes.
func (f *feed) position() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.first + int64(len(f.kept))
}

// pause waits; false: ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
