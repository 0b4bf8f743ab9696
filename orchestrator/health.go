package orchestrator

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// health gathers what the workers know of how the engine is.
type health struct {
	mu         sync.Mutex // guards what follows
	commitErr  error
	outboxFull bool
	unsent     bool      // the newest publish got nothing to Kafka
	until      time.Time // partitions reach to
	maintained bool
	running    bool
	stopping   bool
	now        func() time.Time
}

func (h *health) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

func (h *health) committed()             { h.set(func() { h.commitErr = nil }) }
func (h *health) failed(err error)       { h.set(func() { h.commitErr = err }) }
func (h *health) outbox(full bool)       { h.set(func() { h.outboxFull = full }) }
func (h *health) published(some bool)    { h.set(func() { h.unsent = !some }) }
func (h *health) partitions(t time.Time) { h.set(func() { h.until, h.maintained = t, true }) }
func (h *health) run(running, stop bool) { h.set(func() { h.running, h.stopping = running, stop }) }

// publishing reports whether Kafka took anything of the newest publish.
func (h *health) publishing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.unsent
}

// refusesStarts says why starts are refused at present; nil: they are not.
func (h *health) refusesStarts() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopping || !h.running:
		return ErrStopping
	case h.outboxFull:
		return &OverloadedError{Why: "the outbox is full: Kafka takes no records", RetryAfter: 5 * time.Second}
	}
	return nil
}

// refusesAll says why no request is taken at present; nil: requests are.
func (h *health) refusesAll() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping || !h.running {
		return ErrStopping
	}
	return nil
}

// ready is nil, or why the replica should get no traffic.
func (h *health) ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopping:
		return ErrStopping
	case !h.running:
		return errors.New("the engine is not running yet")
	case h.commitErr != nil:
		return fmt.Errorf("the database cannot be written: %w", h.commitErr)
	case !h.maintained:
		return errors.New("partitions are not checked yet")
	case !h.until.IsZero() && h.until.Sub(h.now()) < 7*24*time.Hour:
		return fmt.Errorf("partitions end at %s, in less than a week", h.until.Format(time.RFC3339))
	}
	return nil
}
