package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

var _ orchestrator.Operations = (*Store)(nil)

// operationRow is an operation and its sagas.
type operationRow struct {
	orchestrator.Operation
	request []byte
	dueAt   time.Time
	sagas   map[saga.ID]orchestrator.OperationOutcome // the zero Kind: none yet
}

// PutOperation implements orchestrator.OperationBook.
func (s *Store) PutOperation(_ context.Context, op orchestrator.Operation, audit orchestrator.Audit) (orchestrator.Operation, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	request, err := stored.EncodeOperation(op.Request)
	if err != nil {
		return op, false, fmt.Errorf("%w: operation: %w", orchestrator.ErrData, err)
	}
	if !stored.ValidText(op.IdempotencyKey) {
		return op, false, fmt.Errorf("%w: operation: %q is no text", orchestrator.ErrData, op.IdempotencyKey)
	}
	for _, old := range s.operations {
		if op.IdempotencyKey == "" || old.Tenant != op.Tenant || old.IdempotencyKey != op.IdempotencyKey {
			continue
		}
		if string(old.request) != string(request) {
			return op, false, orchestrator.ErrIdempotency
		}
		return old.Operation, false, nil
	}
	a, err := prepareAudit(audit, s.nowLocked())
	if err != nil {
		return op, false, err
	}
	if op.Request, err = stored.DecodeOperation(request); err != nil {
		return op, false, err
	}
	op.ID, op.State, op.CreatedAt = int64(len(s.operations))+1, orchestrator.OperationGathering, s.nowLocked()
	s.operations = append(s.operations, &operationRow{Operation: op, request: request, dueAt: op.CreatedAt, sagas: map[saga.ID]orchestrator.OperationOutcome{}})
	s.chainLocked(a)
	return op, true, nil
}

func (s *Store) operationLocked(tenant string, id int64) (*operationRow, error) {
	if id < 1 || id > int64(len(s.operations)) || s.operations[id-1].Tenant != tenant {
		return nil, fmt.Errorf("operation %d: %w", id, orchestrator.ErrNotFound)
	}
	return s.operations[id-1], nil
}

// Operation implements orchestrator.OperationBook.
func (s *Store) Operation(_ context.Context, tenant string, id int64) (orchestrator.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, err := s.operationLocked(tenant, id)
	if err != nil {
		return orchestrator.Operation{}, err
	}
	return row.Operation, nil
}

// ListOperations implements orchestrator.OperationBook.
func (s *Store) ListOperations(_ context.Context, tenant string, before int64, limit int) ([]orchestrator.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []orchestrator.Operation
	for _, row := range slices.Backward(s.operations) {
		if row.Tenant == tenant && (before <= 0 || row.ID < before) && len(list) < limit {
			list = append(list, row.Operation)
		}
	}
	return list, nil
}

// ChangeOperation implements orchestrator.OperationBook.
func (s *Store) ChangeOperation(_ context.Context, tenant string, id int64, change orchestrator.OperationChange, audit orchestrator.Audit) (orchestrator.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, err := s.operationLocked(tenant, id)
	if err != nil {
		return orchestrator.Operation{}, err
	}
	if err := row.May(change); err != nil {
		return row.Operation, err
	}
	a, err := prepareAudit(audit, s.nowLocked())
	if err != nil {
		return row.Operation, err
	}
	switch change {
	case orchestrator.OperationPause:
		row.Paused = true
	case orchestrator.OperationResume:
		row.Paused = false
	case orchestrator.OperationCancel:
		row.State, row.Paused, row.EndedAt = orchestrator.OperationCancelled, false, s.nowLocked()
	}
	s.chainLocked(a)
	return row.Operation, nil
}

// Outcomes implements orchestrator.OperationBook.
func (s *Store) Outcomes(_ context.Context, q orchestrator.OutcomeQuery) ([]orchestrator.OperationOutcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, err := s.operationLocked(q.Tenant, q.Operation)
	if err != nil {
		return nil, nil //nolint:nilerr // of an operation that the tenant does not have there are none
	}
	var list []orchestrator.OperationOutcome
	for _, id := range sortedIDs(row.sagas) {
		o := row.sagas[id]
		if o.Kind == "" {
			o.Kind = orchestrator.OutcomePending
		}
		if stored.CompareIDs(id, q.After) > 0 && (q.Kind == "" || q.Kind == o.Kind) && len(list) < q.Limit {
			list = append(list, o)
		}
	}
	return list, nil
}

func sortedIDs[V any](m map[saga.ID]V) []saga.ID {
	return slices.SortedFunc(maps.Keys(m), stored.CompareIDs)
}

// TakeOperation implements orchestrator.OperationQueue.
func (s *Store) TakeOperation(_ context.Context, lease time.Duration) (op orchestrator.Operation, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.nowLocked()
	var first *operationRow
	for _, row := range s.operations {
		if !row.State.Ended() && !row.Paused && !row.dueAt.After(now) && (first == nil || row.dueAt.Before(first.dueAt)) {
			first = row
		}
	}
	if first == nil {
		return op, false, nil
	}
	first.Lease++
	first.dueAt = now.Add(lease)
	return first.Operation, true, nil
}

func (s *Store) leasedLocked(lease orchestrator.OperationLease) (*operationRow, error) {
	if i := lease.Operation - 1; i >= 0 && i < int64(len(s.operations)) && s.operations[i].Lease == lease.Lease {
		return s.operations[i], nil
	}
	return nil, fmt.Errorf("operation %d: the lease was lost: %w", lease.Operation, orchestrator.ErrConflict)
}

// GatherOperation implements orchestrator.OperationQueue.
func (s *Store) GatherOperation(_ context.Context, lease orchestrator.OperationLease, ids []saga.ID, last saga.ID, again time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, err := s.leasedLocked(lease)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, known := row.sagas[id]; !known {
			row.sagas[id] = orchestrator.OperationOutcome{Saga: id}
			row.Total++
		}
	}
	row.Gathered, row.dueAt = last, s.nowLocked().Add(again)
	if last.IsZero() && row.State == orchestrator.OperationGathering {
		row.State, row.StartedAt = orchestrator.OperationRunning, s.nowLocked()
	}
	row.Lease++
	return nil
}

// LeftOf implements orchestrator.OperationQueue.
func (s *Store) LeftOf(_ context.Context, operation int64, limit int) ([]saga.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if operation < 1 || operation > int64(len(s.operations)) {
		return nil, nil
	}
	var ids []saga.ID
	row := s.operations[operation-1]
	for _, id := range sortedIDs(row.sagas) {
		if row.sagas[id].Kind == "" && len(ids) < limit {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// NoteOutcomes implements orchestrator.OperationQueue.
func (s *Store) NoteOutcomes(_ context.Context, lease orchestrator.OperationLease, outcomes []orchestrator.OperationOutcome, again time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, err := s.leasedLocked(lease)
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		if !stored.ValidText(o.Message) || !stored.ValidText(o.Code) {
			return fmt.Errorf("%w: outcome of %s: no text", orchestrator.ErrData, o.Saga)
		}
	}
	for _, o := range outcomes {
		if old, known := row.sagas[o.Saga]; !known || old.Kind != "" {
			continue
		}
		o.At = s.nowLocked()
		row.sagas[o.Saga] = o
		switch o.Kind {
		case orchestrator.OutcomeSucceeded:
			row.Succeeded++
		case orchestrator.OutcomeRefused:
			row.Refused++
		case orchestrator.OutcomeFailed, orchestrator.OutcomePending:
			row.Failed++
		}
	}
	row.dueAt = s.nowLocked().Add(again)
	row.Lease++
	if row.State == orchestrator.OperationRunning && row.Done() == row.Total {
		row.State, row.Paused, row.EndedAt = orchestrator.OperationCompleted, false, s.nowLocked()
	}
	return nil
}
