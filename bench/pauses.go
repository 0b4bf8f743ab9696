package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/bench/load"
)

// timeline notes when sagas ended.
type timeline struct {
	mu   sync.Mutex // guards ends
	ends []time.Time
}

// watching is watch with every end noted.
func (t *timeline) watching(watch load.WatchFunc) load.WatchFunc {
	return func(ctx context.Context, ended func(string, client.Status)) error {
		return watch(ctx, func(id string, status client.Status) {
			t.mu.Lock()
			t.ends = append(t.ends, time.Now())
			t.mu.Unlock()
			ended(id, status)
		})
	}
}

// between are the ends within a span, in their order.
func (t *timeline) between(from, to time.Time) []time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []time.Time
	for _, at := range t.ends {
		if !at.Before(from) && at.Before(to) {
			out = append(out, at)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

// pause is what a change of the replicas did to those who wait for sagas.
type pause struct {
	longest time.Duration // without any end
	back    time.Duration // from the change until the rate was back; the whole span: it did not come back
}

const (
	rateWindow = time.Second
	rateStep   = 100 * time.Millisecond
	rateBack   = 0.8 // of what it was
)

// pauseOf looks at the ends from a change on, up to until; before is the rate that there was. The rate is back with the first second,
// behind the longest pause, in which at least 80 % as many ended. Where the longest pause is no longer than two of those that there
// were before (usual), nothing stood still, and the rate may be back at once.
func pauseOf(ends []time.Time, change, until time.Time, before float64, usual time.Duration) pause {
	last, behind := change, change
	var p pause
	for _, at := range append(slices.Clone(ends), until) {
		if gap := at.Sub(last); gap > p.longest {
			p.longest, behind = gap, at
		}
		last = at
	}
	if p.longest <= 2*usual {
		behind = change
	}
	for from := behind; !from.Add(rateWindow).After(until); from = from.Add(rateStep) {
		first, _ := slices.BinarySearchFunc(ends, from, time.Time.Compare)
		end, _ := slices.BinarySearchFunc(ends, from.Add(rateWindow), time.Time.Compare)
		if float64(end-first) >= rateBack*before*rateWindow.Seconds() {
			p.back = from.Sub(change)
			return p
		}
	}
	p.back = until.Sub(change)
	return p
}

// longestGap is the longest time between two of the ends; 0: fewer than two.
func longestGap(ends []time.Time) time.Duration {
	var longest time.Duration
	for i := 1; i < len(ends); i++ {
		longest = max(longest, ends[i].Sub(ends[i-1]))
	}
	return longest
}
