package sim

import (
	"context"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// What people do with operations, faultyStore takes from the store as it is: a client's request is not a worker.
var _ orchestrator.Operations = (*faultyStore)(nil)

// Sagas implements orchestrator.Reader.
func (s *faultyStore) Sagas(ctx context.Context, q orchestrator.SagaQuery) (orchestrator.SagaPage, error) {
	if s.w.current == nil {
		return s.Store.Sagas(ctx, q)
	}
	if err := s.call("store.sagas"); err != nil {
		return orchestrator.SagaPage{}, err
	}
	page, err := s.Store.Sagas(ctx, q)
	if err == nil {
		s.w.oracle.listed(q, &page)
	}
	return page, err
}

// TakeOperation implements orchestrator.OperationQueue.
func (s *faultyStore) TakeOperation(ctx context.Context, lease time.Duration) (orchestrator.Operation, bool, error) {
	if err := s.call("store.operation"); err != nil {
		return orchestrator.Operation{}, false, err
	}
	op, ok, err := s.Store.TakeOperation(ctx, lease)
	if err != nil || !ok {
		return op, ok, err
	}
	s.w.oracle.sliceTaken(s.r, op)
	return op, ok, s.answer("operation.taken")
}

// GatherOperation implements orchestrator.OperationQueue.
func (s *faultyStore) GatherOperation(ctx context.Context, lease orchestrator.OperationLease, ids []saga.ID, last saga.ID, again time.Duration) error {
	if err := s.call("operation.gather"); err != nil {
		return err
	}
	if err := s.Store.GatherOperation(ctx, lease, ids, last, again); err != nil {
		return err
	}
	s.w.oracle.gathered(lease.Operation, ids)
	return s.answer("operation.gathered")
}

// LeftOf implements orchestrator.OperationQueue.
func (s *faultyStore) LeftOf(ctx context.Context, operation int64, limit int) ([]saga.ID, error) {
	if err := s.call("operation.left"); err != nil {
		return nil, err
	}
	return s.Store.LeftOf(ctx, operation, limit)
}

// NoteOutcomes implements orchestrator.OperationQueue.
func (s *faultyStore) NoteOutcomes(ctx context.Context, lease orchestrator.OperationLease, outcomes []orchestrator.OperationOutcome, again time.Duration) error {
	if err := s.call("operation.note"); err != nil {
		return err
	}
	if err := s.Store.NoteOutcomes(ctx, lease, outcomes, again); err != nil {
		return err
	}
	s.w.oracle.noted(lease.Operation, outcomes)
	return s.answer("operation.noted")
}
