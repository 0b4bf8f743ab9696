package orchestrator

import (
	"context"
	"time"
)

// Clock is a replica's own clock. It measures how long something took and waits; the time of events is the database's (S21).
type Clock interface {
	Now() time.Time
	// Sleep waits for d or until ctx ends.
	Sleep(ctx context.Context, d time.Duration)
}

// Lane is a priority of a Queue.
type Lane int

// The lanes: replies and timers are taken before starts and actions, so that what was accepted is finished first.
const (
	LaneReplies Lane = iota
	LaneStarts
)

// Queue is a bounded hand-over between workers. It is safe for concurrent use.
type Queue[T any] interface {
	// Put waits for room; an error when ctx ends first, and then only some may have been put.
	Put(ctx context.Context, lane Lane, v ...T) error
	// Offer puts v if there is room, and reports whether there was.
	Offer(lane Lane, v T) bool
	// Take waits for something and returns at most limit, the first lane first; nothing when wait has passed or ctx ended.
	Take(ctx context.Context, limit int, wait time.Duration) []T
	// Len is how many wait in all lanes.
	Len() int
}
