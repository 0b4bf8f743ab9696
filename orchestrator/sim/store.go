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

// acquireLimit bounds the wait for a connection to a database that cannot be reached.
const acquireLimit = 2 * time.Second

// lockTimeout is how long a claim waits for another session's.
const lockTimeout = 100 * time.Millisecond

// faultyStore is the store as one replica reaches it.
type faultyStore struct {
	*memory.Store
	w *world
	r *replica
}

var _ interface {
	orchestrator.Store
	orchestrator.Reader
	orchestrator.Definitions
} = (*faultyStore)(nil)

// call is a port call that may fail before it does anything.
func (s *faultyStore) call(name string) error {
	w := s.w
	w.port(s.r, name)
	if w.hits(FaultStoreSlow) {
		d := w.span(FaultStoreSlow, 10*time.Second)
		w.hinder(d)
		s.pass(d)
	}
	if s.unreachable() {
		s.pass(w.roll(acquireLimit))
		return fmt.Errorf("%s: %w", name, errConnection)
	}
	if w.hits(FaultStoreFails) {
		return fmt.Errorf("%s: %w", name, errConnection)
	}
	return nil
}

// pass lets time pass within a call of a worker.
func (s *faultyStore) pass(d time.Duration) {
	if t := s.w.current; t != nil {
		s.w.wait(t, call{until: s.w.now.Add(d)})
	}
}

func (s *faultyStore) unreachable() bool {
	return s.w.database.down.After(s.w.now) || s.r.noStore.After(s.w.now)
}

// answer is the way back: what was done stays done, but the caller may not learn of it.
func (s *faultyStore) answer(name string) error {
	s.w.port(s.r, name)
	if s.unreachable() || s.w.hits(FaultAnswerLost) {
		return fmt.Errorf("%s: %w", name, errConnection)
	}
	return nil
}

// Begin implements orchestrator.Store.
func (s *faultyStore) Begin(ctx context.Context, need orchestrator.Need) (orchestrator.Tx, error) {
	if err := s.call("store.begin"); err != nil {
		return nil, err
	}
	s.meet(need)
	inner, err := s.Store.Begin(ctx, need)
	if errors.Is(err, orchestrator.ErrClaimTimeout) {
		s.pass(lockTimeout)
		inner, err = s.Store.Begin(ctx, need)
	}
	if err != nil {
		return nil, err
	}
	tx := &faultyTx{Tx: inner, s: s}
	s.r.open = append(s.r.open, tx)
	if err := s.answer("store.begun"); err != nil {
		tx.Rollback(ctx)
		return nil, err
	}
	return tx, nil
}

// meet has a foreign session come first to what is needed; one at a time is enough, for whoever finds a row held asks again and again.
func (s *faultyStore) meet(need orchestrator.Need) {
	w := s.w
	if len(w.database.others) > 0 {
		return
	}
	if len(need.Sagas) > 0 && w.hits(FaultRowHeld) {
		w.database.hold(orchestrator.Need{Sagas: need.Sagas[:1]}, w.mostlyShort(FaultRowHeld, 3*time.Second))
	}
	if len(need.Claims) > 0 && w.hits(FaultKeyHeld) {
		w.database.hold(orchestrator.Need{Claims: need.Claims[:1]}, w.mostlyShort(FaultKeyHeld, 3*time.Second))
	}
}

// Committed implements orchestrator.Store.
func (s *faultyStore) Committed(ctx context.Context, id saga.BatchID, write orchestrator.Write) (bool, error) {
	if err := s.call("store.committed?"); err != nil {
		return false, err
	}
	committed, err := s.Store.Committed(ctx, id, write)
	if err != nil {
		return false, err
	}
	return committed, s.answer("store.asked")
}

// Due implements orchestrator.Store.
func (s *faultyStore) Due(ctx context.Context, limit int) ([]saga.ID, error) {
	if err := s.call("store.due"); err != nil {
		return nil, err
	}
	return s.Store.Due(ctx, limit)
}

// TakeOverdue implements orchestrator.Store.
func (s *faultyStore) TakeOverdue(ctx context.Context, limit int, again time.Duration) ([]orchestrator.OutboxRow, error) {
	if err := s.call("store.take"); err != nil {
		return nil, err
	}
	rows, err := s.Store.TakeOverdue(ctx, limit, again)
	if err != nil {
		return nil, err
	}
	if err := s.answer("store.taken"); err != nil {
		return nil, err
	}
	return rows, nil
}

// Settle implements orchestrator.Store.
func (s *faultyStore) Settle(ctx context.Context, settled []orchestrator.Settled) error {
	if err := s.call("store.settle"); err != nil {
		return err
	}
	if err := s.Store.Settle(ctx, settled); err != nil {
		return err
	}
	return s.answer("store.settled")
}

// Maintain implements orchestrator.Store.
func (s *faultyStore) Maintain(ctx context.Context) (orchestrator.Maintained, error) {
	if err := s.call("store.maintain"); err != nil {
		return orchestrator.Maintained{}, err
	}
	return s.Store.Maintain(ctx)
}

// OutboxDepth implements orchestrator.Reader.
func (s *faultyStore) OutboxDepth(ctx context.Context, atMost int) (int, error) {
	if err := s.call("store.depth"); err != nil {
		return 0, err
	}
	return s.Store.OutboxDepth(ctx, atMost)
}

// Definition implements orchestrator.Definitions. A client's request is not a worker; its calls do not fail.
func (s *faultyStore) Definition(ctx context.Context, tenant, name string, version int) (orchestrator.DefinitionRow, error) {
	if s.w.current != nil {
		if err := s.call("store.definition"); err != nil {
			return orchestrator.DefinitionRow{}, err
		}
	}
	return s.Store.Definition(ctx, tenant, name, version)
}

// Held implements orchestrator.Holds.
func (s *faultyStore) Held(ctx context.Context, tenant, participant string, after saga.ID, limit int) ([]saga.ID, error) {
	if err := s.call("store.held"); err != nil {
		return nil, err
	}
	return s.Store.Held(ctx, tenant, participant, after, limit)
}

// LookAtLimits implements orchestrator.Limits.
func (s *faultyStore) LookAtLimits(ctx context.Context, replica string) (orchestrator.LimitLook, error) {
	if err := s.call("store.limits"); err != nil {
		return orchestrator.LimitLook{}, err
	}
	look, err := s.Store.LookAtLimits(ctx, replica)
	if err != nil {
		return look, err
	}
	return look, s.answer("store.limited")
}

// Limited implements orchestrator.Limits.
func (s *faultyStore) Limited(ctx context.Context, tenant string, scope orchestrator.HoldScope, name string, after saga.ID, limit int) ([]saga.ID, error) {
	if err := s.call("store.waiting"); err != nil {
		return nil, err
	}
	return s.Store.Limited(ctx, tenant, scope, name, after, limit)
}
