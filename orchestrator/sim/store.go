package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/memory"
	"github.com/skaldhq/skald/orchestrator/saga"
)

var errConnection = errors.New("connection lost")

// faultyStore is the store as one replica reaches it.
type faultyStore struct {
	*memory.Store
	w *world
	r *replica
}

// call is a port call that may fail before it does anything.
func (s *faultyStore) call(name string) error {
	s.w.port(s.r, "store."+name)
	if s.w.hits(FaultStoreFails) {
		return fmt.Errorf("%s: %w", name, errConnection)
	}
	return nil
}

func (s *faultyStore) Begin(ctx context.Context, need orchestrator.Need) (orchestrator.Tx, error) {
	if err := s.call("begin"); err != nil {
		return nil, err
	}
	inner, err := s.Store.Begin(ctx, need)
	if err != nil {
		return nil, err
	}
	tx := &faultyTx{Tx: inner, inner: inner, s: s}
	s.r.open[tx] = true
	s.w.port(s.r, "store.begun")
	return tx, nil
}

func (s *faultyStore) Committed(ctx context.Context, id saga.BatchID, write orchestrator.Write) (bool, error) {
	if err := s.call("committed"); err != nil {
		return false, err
	}
	return s.Store.Committed(ctx, id, write)
}

func (s *faultyStore) Due(ctx context.Context, limit int) ([]saga.ID, error) {
	if err := s.call("due"); err != nil {
		return nil, err
	}
	return s.Store.Due(ctx, limit)
}

func (s *faultyStore) TakeOverdue(ctx context.Context, limit int, again time.Duration) ([]orchestrator.OutboxRow, error) {
	if err := s.call("take"); err != nil {
		return nil, err
	}
	rows, err := s.Store.TakeOverdue(ctx, limit, again)
	s.w.port(s.r, "store.taken")
	return rows, err
}

func (s *faultyStore) Settle(ctx context.Context, settled []orchestrator.Settled) error {
	if err := s.call("settle"); err != nil {
		return err
	}
	err := s.Store.Settle(ctx, settled)
	s.w.port(s.r, "store.settled")
	return err
}

func (s *faultyStore) Maintain(ctx context.Context) (orchestrator.Maintained, error) {
	if err := s.call("maintain"); err != nil {
		return orchestrator.Maintained{}, err
	}
	return s.Store.Maintain(ctx)
}

// faultyTx is a transaction whose commit may be lost on the way there or on the way back.
type faultyTx struct {
	orchestrator.Tx
	inner orchestrator.Tx
	s     *faultyStore
}

func (t *faultyTx) Load(ctx context.Context, ids []saga.ID) error {
	if err := t.s.call("load"); err != nil {
		return err
	}
	return t.inner.Load(ctx, ids)
}

func (t *faultyTx) Commit(ctx context.Context, batch orchestrator.Batch) error {
	w := t.s.w
	w.port(t.s.r, "store.commit")
	if w.hits(FaultStoreFails) {
		t.end(ctx)
		return fmt.Errorf("commit: %w", errConnection)
	}
	if w.hits(FaultCommitLostThere) {
		t.end(ctx)
		return fmt.Errorf("commit: %w", orchestrator.ErrUnknown)
	}
	delete(t.s.r.open, t)
	if err := t.inner.Commit(ctx, batch); err != nil {
		return err
	}
	w.report.Commits++
	w.oracle.committed(batch)
	w.port(t.s.r, "store.committed")
	if w.hits(FaultCommitLostBack) {
		return fmt.Errorf("commit: %w", orchestrator.ErrUnknown)
	}
	return nil
}

func (t *faultyTx) Rollback(ctx context.Context) { t.end(ctx) }

func (t *faultyTx) end(ctx context.Context) {
	delete(t.s.r.open, t)
	t.inner.Rollback(ctx)
}
