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

// Signal wakes a worker that waits. It is safe for concurrent use by any number that notify and one that waits.
type Signal interface {
	// Notify ends the present Wait, or else the next one.
	Notify()
	// Wait returns when it is notified, when d has passed, or when ctx has ended.
	Wait(ctx context.Context, d time.Duration)
}
