package orchestrator

import (
	"context"
	"sync"
	"time"
)

// lane is a priority of a queue.
type lane int

// Replies and timers are taken before starts and actions, so that what was accepted is finished first.
const (
	laneReplies lane = iota
	laneStarts
)

// queue is a bounded hand-over between workers, with two lanes. Any number put, one takes.
type queue[T any] struct {
	limit [2]int
	some  Signal // something was put
	clock Clock

	mu    sync.Mutex // guards items
	items [2][]T
}

func newQueue[T any](ports Ports, replies, starts int) *queue[T] {
	return &queue[T]{limit: [2]int{replies, starts}, some: ports.Signal(), clock: ports.Clock}
}

// Offer puts v if there is room, and reports whether there was.
func (q *queue[T]) Offer(l lane, v T) bool {
	q.mu.Lock()
	full := len(q.items[l]) >= q.limit[l]
	if !full {
		q.items[l] = append(q.items[l], v)
	}
	q.mu.Unlock()
	if !full {
		q.some.Notify()
	}
	return !full
}

// Put waits for room; an error when ctx ends first, and then only some may have been put.
func (q *queue[T]) Put(ctx context.Context, l lane, vs ...T) error {
	for _, v := range vs {
		for !q.Offer(l, v) {
			if err := ctx.Err(); err != nil {
				return err
			}
			q.clock.Sleep(ctx, time.Millisecond) // back-pressure: the committer is the bottleneck, not this
		}
	}
	return nil
}

// Take waits for something and returns at most limit, the first lane first; nothing when wait has passed or ctx has ended.
func (q *queue[T]) Take(ctx context.Context, limit int, wait time.Duration) []T {
	until := q.clock.Now().Add(wait)
	for {
		if out := q.take(limit); len(out) > 0 || ctx.Err() != nil {
			return out
		}
		left := until.Sub(q.clock.Now())
		if left <= 0 {
			return nil
		}
		q.some.Wait(ctx, left)
	}
}

func (q *queue[T]) take(limit int) []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []T
	for i := range q.items {
		n := min(limit-len(out), len(q.items[i]))
		out = append(out, q.items[i][:n]...)
		if q.items[i] = q.items[i][n:]; len(q.items[i]) == 0 {
			q.items[i] = nil
		}
	}
	return out
}

// Len is how many wait in both lanes.
func (q *queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items[0]) + len(q.items[1])
}
