package api

import (
	"context"

	"github.com/skaldhq/skald/orchestrator"
)

// fakeOperations remembers what it was asked, and knows one operation.
type fakeOperations struct {
	asked     []orchestrator.OperationRequest
	rehearsed []orchestrator.OperationRequest
	changes   []orchestrator.OperationChange
	op        orchestrator.Operation
	exists    bool // under the Idempotency-Key
	found     orchestrator.OperationRehearsal
	list      []orchestrator.OperationOutcome
	outcomeQ  orchestrator.OutcomeQuery
	reason    string
}

func (f *fakeEngine) StartOperation(_ context.Context, tenant string, req orchestrator.OperationRequest, by, _, key string) (orchestrator.Operation, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.operations.asked = append(f.operations.asked, req)
	f.operations.op.Tenant, f.operations.op.Actor, f.operations.op.Request, f.operations.op.IdempotencyKey = tenant, by, req, key
	return f.operations.op, !f.operations.exists, f.err
}

func (f *fakeEngine) RehearseOperation(_ context.Context, _ string, req orchestrator.OperationRequest, _ string) (orchestrator.OperationRehearsal, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.operations.rehearsed = append(f.operations.rehearsed, req)
	return f.operations.found, f.err
}

func (f *fakeEngine) Operation(_ context.Context, tenant string, id int64) (orchestrator.Operation, error) {
	if id != f.operations.op.ID || tenant != f.operations.op.Tenant {
		return orchestrator.Operation{}, orchestrator.ErrNotFound
	}
	return f.operations.op, f.err
}

func (f *fakeEngine) ListOperations(_ context.Context, tenant string, before int64, limit int) ([]orchestrator.Operation, error) {
	var out []orchestrator.Operation
	if tenant == f.operations.op.Tenant && (before == 0 || f.operations.op.ID < before) {
		out = append(out, f.operations.op)
	}
	return out[:min(limit, len(out))], f.err
}

func (f *fakeEngine) Outcomes(ctx context.Context, q orchestrator.OutcomeQuery) ([]orchestrator.OperationOutcome, error) {
	f.operations.outcomeQ = q
	if _, err := f.Operation(ctx, q.Tenant, q.Operation); err != nil {
		return nil, err
	}
	return f.operations.list[:min(q.Limit, len(f.operations.list))], nil
}

func (f *fakeEngine) ChangeOperation(ctx context.Context, tenant string, id int64, change orchestrator.OperationChange, _, reason, _ string) (orchestrator.Operation, error) {
	op, err := f.Operation(ctx, tenant, id)
	if err != nil {
		return op, err
	}
	f.operations.changes, f.operations.reason = append(f.operations.changes, change), reason
	return op, op.May(change)
}
