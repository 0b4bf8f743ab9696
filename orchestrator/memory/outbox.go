package memory

import (
	"context"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

type outboxRow struct {
	records []byte
	left    []int32 // indexes not settled yet, never empty
	tried   bool    // somebody may have published it
	retryAt time.Time
}

func allIndexes(n int) []int32 {
	left := make([]int32, n)
	for i := range left {
		left[i] = int32(i)
	}
	return left
}

// TakeOverdue implements orchestrator.Store.
func (s *Store) TakeOverdue(_ context.Context, limit int, again time.Duration) ([]orchestrator.OutboxRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.nowLocked()
	var due []saga.BatchID
	for id, row := range s.outbox {
		if !row.retryAt.After(now) {
			due = append(due, id)
		}
	}
	slices.SortFunc(due, func(a, b saga.BatchID) int {
		if c := s.outbox[a].retryAt.Compare(s.outbox[b].retryAt); c != 0 {
			return c
		}
		return stored.CompareBatches(a, b)
	})
	due = due[:min(limit, len(due))]
	slices.SortFunc(due, stored.CompareBatches)
	taken := make([]orchestrator.OutboxRow, 0, len(due))
	for _, id := range due {
		row := s.outbox[id]
		out, err := stored.OutboxRow(id, row.records, row.left, row.tried)
		if err != nil {
			return nil, err
		}
		row.retryAt, row.tried = now.Add(again), true
		taken = append(taken, out)
	}
	return taken, nil
}

// Settle implements orchestrator.Store.
func (s *Store) Settle(_ context.Context, settled []orchestrator.Settled) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleLocked(settled)
	return nil
}

// settleLocked leaves rows alone that are gone: another replica settled them.
func (s *Store) settleLocked(settled []orchestrator.Settled) {
	for i := range settled {
		row := s.outbox[settled[i].Batch]
		if row == nil {
			continue
		}
		row.left = slices.DeleteFunc(slices.Clone(row.left), func(index int32) bool {
			return !slices.Contains(settled[i].Left, int(index))
		})
		if len(settled[i].Acked) > 0 {
			s.receipts[settled[i].Batch] = append(s.receipts[settled[i].Batch], stored.EncodeAcks(settled[i].Acked)...)
		}
		if len(row.left) == 0 {
			delete(s.outbox, settled[i].Batch)
		}
	}
}

// Lateness implements orchestrator.Reader.
func (s *Store) Lateness(context.Context) (late orchestrator.Lateness, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	for _, row := range s.sagas {
		if !row.wakeAt.IsZero() {
			late.Overdue = max(late.Overdue, now.Sub(row.wakeAt))
		}
	}
	for id := range s.outbox {
		late.Outbox = max(late.Outbox, now.Sub(saga.ID(id).Time()))
	}
	return late, nil
}

// OutboxDepth implements orchestrator.Reader.
func (s *Store) OutboxDepth(_ context.Context, atMost int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return min(len(s.outbox), atMost), nil
}
