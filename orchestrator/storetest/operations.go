package storetest

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func (s *suite) operation(key string) orchestrator.Operation {
	return orchestrator.Operation{Tenant: tenant, Actor: "ann", IdempotencyKey: key, Request: orchestrator.OperationRequest{
		Action: saga.ActionRetry, Step: "charge", Payload: json.RawMessage(`{"n":1.10}`), Reason: "the card gateway is back", Rate: 20,
		Filter: orchestrator.OperationFilter{
			Saga: "order", Version: 2, Statuses: []saga.Status{saga.Suspended}, Verdict: saga.Residue, Attention: "any", Participant: "bank",
			Labels: map[string]string{"shop": "b"}, CreatedAfter: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), IDs: []saga.ID{{1}, {2}},
		},
	}}
}

func (s *suite) putOperation(key string) orchestrator.Operation {
	s.Helper()
	op, created, err := s.Store.PutOperation(s.ctx, s.operation(key), s.auditOf("operation.start"))
	require.NoError(s, err)
	require.True(s, created)
	return op
}

func (s *suite) auditOf(action string) orchestrator.Audit {
	return orchestrator.Audit{Tenant: tenant, Actor: "ann", Action: action, Reason: "because"}
}

func (s *suite) take() orchestrator.Operation {
	s.Helper()
	op, ok, err := s.Store.TakeOperation(s.ctx, time.Minute)
	require.NoError(s, err)
	require.True(s, ok, "a slice is due")
	return op
}

func (s *suite) noSlice(why string) {
	s.Helper()
	_, ok, err := s.Store.TakeOperation(s.ctx, time.Minute)
	require.NoError(s, err)
	require.False(s, ok, why)
}

func leaseOf(op orchestrator.Operation) orchestrator.OperationLease {
	return orchestrator.OperationLease{Operation: op.ID, Lease: op.Lease}
}

func (s *suite) readOperation(id int64) orchestrator.Operation {
	s.Helper()
	op, err := s.Store.Operation(s.ctx, tenant, id)
	require.NoError(s, err)
	return op
}

func operationsAreKept(s *suite) {
	put := s.putOperation("k-1")
	want := s.operation("k-1")
	require.Equal(s, orchestrator.OperationGathering, put.State)
	require.WithinDuration(s, time.Now(), put.CreatedAt, time.Minute)
	want.ID, want.State, want.CreatedAt = put.ID, put.State, put.CreatedAt
	equal(s, want, put)
	equal(s, want, s.readOperation(put.ID))
	_, err := s.Store.Operation(s.ctx, "other", put.ID)
	require.ErrorIs(s, err, orchestrator.ErrNotFound, "tenants never meet (S23)")

	again, created, err := s.Store.PutOperation(s.ctx, s.operation("k-1"), s.auditOf("operation.start"))
	require.NoError(s, err)
	require.False(s, created, "the same request under the same Idempotency-Key is the same operation")
	require.Equal(s, put.ID, again.ID)
	other := s.operation("k-1")
	other.Request.Reason = "another"
	_, _, err = s.Store.PutOperation(s.ctx, other, s.auditOf("operation.start"))
	require.ErrorIs(s, err, orchestrator.ErrIdempotency)

	second := s.putOperation("")
	third := s.putOperation("")
	list, err := s.Store.ListOperations(s.ctx, tenant, 0, 2)
	require.NoError(s, err)
	require.Equal(s, []int64{third.ID, second.ID}, []int64{list[0].ID, list[1].ID}, "newest first")
	list, err = s.Store.ListOperations(s.ctx, tenant, second.ID, 10)
	require.NoError(s, err)
	require.Len(s, list, 1)
	list, err = s.Store.ListOperations(s.ctx, "other", 0, 10)
	require.NoError(s, err)
	require.Empty(s, list)
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Len(s, entries, 3, "one for each operation, none for a replay or a refusal")
}

func operationsSliceBySlice(s *suite) {
	put := s.putOperation("")
	op := s.take()
	require.Equal(s, put.ID, op.ID)
	s.noSlice("somebody has it")
	ids, last := []saga.ID{s.id(5), s.id(4), s.id(3)}, s.id(2)
	require.NoError(s, s.Store.GatherOperation(s.ctx, leaseOf(op), ids, ids[2], 0))
	require.ErrorIs(s, s.Store.GatherOperation(s.ctx, leaseOf(op), ids, saga.ID{}, 0), orchestrator.ErrConflict, "a lease is good for one slice")
	op = s.take()
	require.Equal(s, ids[2], op.Gathered)
	require.Equal(s, int64(3), op.Total)
	require.NoError(s, s.Store.GatherOperation(s.ctx, leaseOf(op), []saga.ID{ids[2], last}, saga.ID{}, 0))

	op = s.take()
	require.Equal(s, orchestrator.OperationRunning, op.State)
	require.Equal(s, int64(4), op.Total, "a saga belongs to it once")
	require.False(s, op.StartedAt.IsZero())
	left, err := s.Store.LeftOf(s.ctx, op.ID, 2)
	require.NoError(s, err)
	all := append([]saga.ID{last}, ids...)
	slices.SortFunc(all, stored.CompareIDs)
	require.Equal(s, all[:2], left)
	outcomes := []orchestrator.OperationOutcome{
		{Saga: all[0], Kind: orchestrator.OutcomeSucceeded, Message: "sent again", Revision: 7},
		{Saga: all[1], Kind: orchestrator.OutcomeRefused, Code: "wrong_status", Message: "it is not stuck"},
	}
	require.NoError(s, s.Store.NoteOutcomes(s.ctx, leaseOf(op), outcomes, time.Hour))
	s.noSlice("the next one is due in an hour: the rate")
	got := s.readOperation(op.ID)
	require.Equal(s, []int64{4, 1, 1, 0}, []int64{got.Total, got.Succeeded, got.Refused, got.Failed})

	s.Age(s, time.Hour+time.Second)
	op = s.take()
	late := []orchestrator.OperationOutcome{
		{Saga: all[0], Kind: orchestrator.OutcomeFailed, Code: "internal"}, // it has one
		{Saga: all[2], Kind: orchestrator.OutcomeFailed, Code: "internal", Message: "it broke"},
		{Saga: all[3], Kind: orchestrator.OutcomeSucceeded, Revision: 2},
		{Saga: s.id(99), Kind: orchestrator.OutcomeSucceeded}, // it does not belong to it
	}
	require.NoError(s, s.Store.NoteOutcomes(s.ctx, leaseOf(op), late, 0))
	got = s.readOperation(op.ID)
	require.Equal(s, orchestrator.OperationCompleted, got.State)
	require.False(s, got.EndedAt.IsZero())
	require.Equal(s, []int64{4, 2, 1, 1}, []int64{got.Total, got.Succeeded, got.Refused, got.Failed})
	s.noSlice("it has ended")

	page, err := s.Store.Outcomes(s.ctx, orchestrator.OutcomeQuery{Tenant: tenant, Operation: op.ID, Limit: 3})
	require.NoError(s, err)
	require.Len(s, page, 3)
	require.Equal(s, "sent again", page[0].Message)
	require.Equal(s, int64(7), page[0].Revision)
	require.False(s, page[0].At.IsZero())
	page, err = s.Store.Outcomes(s.ctx, orchestrator.OutcomeQuery{Tenant: tenant, Operation: op.ID, After: page[2].Saga, Limit: 3})
	require.NoError(s, err)
	require.Len(s, page, 1)
	require.Equal(s, all[3], page[0].Saga)
	page, err = s.Store.Outcomes(s.ctx, orchestrator.OutcomeQuery{Tenant: tenant, Operation: op.ID, Kind: orchestrator.OutcomeRefused, Limit: 3})
	require.NoError(s, err)
	require.Len(s, page, 1)
	page, err = s.Store.Outcomes(s.ctx, orchestrator.OutcomeQuery{Tenant: "other", Operation: op.ID, Limit: 3})
	require.NoError(s, err)
	require.Empty(s, page, "tenants never meet (S23)")
}

// A taker that died has its slice taken over, and can write nothing any more.
func operationsLeaseRunsOut(s *suite) {
	s.putOperation("")
	mine := s.id(2)
	dead := s.take()
	s.noSlice("it may still live")
	s.Age(s, 2*time.Minute)
	heir := s.take()
	require.Equal(s, dead.ID, heir.ID)
	require.ErrorIs(s, s.Store.GatherOperation(s.ctx, leaseOf(dead), []saga.ID{s.id(1)}, saga.ID{}, 0), orchestrator.ErrConflict)
	require.NoError(s, s.Store.GatherOperation(s.ctx, leaseOf(heir), []saga.ID{mine}, saga.ID{}, 0))
	op := s.take()
	require.Equal(s, int64(1), op.Total)
	require.ErrorIs(s, s.Store.NoteOutcomes(s.ctx, leaseOf(heir), []orchestrator.OperationOutcome{{Saga: mine, Kind: orchestrator.OutcomeFailed}}, 0), orchestrator.ErrConflict)
	left, err := s.Store.LeftOf(s.ctx, op.ID, 5)
	require.NoError(s, err)
	require.Equal(s, []saga.ID{mine}, left, "a lost lease writes nothing")
}

func operationsPauseResumeCancel(s *suite) {
	change := func(id int64, c orchestrator.OperationChange) (orchestrator.Operation, error) {
		return s.Store.ChangeOperation(s.ctx, tenant, id, c, s.auditOf("operation."+string(c)))
	}
	put, first := s.putOperation(""), s.id(1)
	var state *orchestrator.OperationStateError
	_, err := change(put.ID, orchestrator.OperationResume)
	require.ErrorAs(s, err, &state)
	op, err := change(put.ID, orchestrator.OperationPause)
	require.NoError(s, err)
	require.True(s, op.Paused)
	s.noSlice("it is paused")
	_, err = change(put.ID, orchestrator.OperationPause)
	require.ErrorAs(s, err, &state)
	op, err = change(put.ID, orchestrator.OperationResume)
	require.NoError(s, err)
	require.False(s, op.Paused)
	op = s.take()
	require.NoError(s, s.Store.GatherOperation(s.ctx, leaseOf(op), []saga.ID{first, s.id(2)}, saga.ID{}, 0))
	op = s.take()
	_, err = change(put.ID, orchestrator.OperationCancel)
	require.NoError(s, err)
	require.NoError(s, s.Store.NoteOutcomes(s.ctx, leaseOf(op), []orchestrator.OperationOutcome{{Saga: first, Kind: orchestrator.OutcomeSucceeded}}, 0), "what was begun is counted")
	op = s.readOperation(put.ID)
	require.Equal(s, orchestrator.OperationCancelled, op.State)
	require.Equal(s, int64(1), op.Succeeded)
	require.False(s, op.EndedAt.IsZero())
	s.noSlice("it was cancelled")
	for _, c := range []orchestrator.OperationChange{orchestrator.OperationPause, orchestrator.OperationResume, orchestrator.OperationCancel} {
		_, err = change(put.ID, c)
		require.ErrorAs(s, err, &state, "%s after the end", c)
	}
	_, err = s.Store.ChangeOperation(s.ctx, "other", put.ID, orchestrator.OperationCancel, orchestrator.Audit{Tenant: "other"})
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Len(s, entries, 4, "start, pause, resume, cancel; nothing for what was refused")
	page, err := s.Store.Outcomes(s.ctx, orchestrator.OutcomeQuery{Tenant: tenant, Operation: put.ID, Kind: orchestrator.OutcomePending, Limit: 5})
	require.NoError(s, err)
	require.Len(s, page, 1)
}

// Two replicas never have the same slice; the operation that has waited longest comes first.
func operationsTakeTurns(s *suite) {
	first, second := s.putOperation(""), s.putOperation("")
	a, b := s.take(), s.take()
	require.Equal(s, []int64{first.ID, second.ID}, []int64{a.ID, b.ID})
	s.noSlice("both are taken")
	require.NoError(s, s.Store.GatherOperation(s.ctx, leaseOf(b), nil, saga.ID{}, 0))
	require.NoError(s, s.Store.GatherOperation(s.ctx, leaseOf(a), nil, saga.ID{}, time.Second))
	s.Age(s, time.Minute)
	require.Equal(s, second.ID, s.take().ID)
	empty := s.take()
	require.Equal(s, first.ID, empty.ID)
	require.NoError(s, s.Store.NoteOutcomes(s.ctx, leaseOf(empty), nil, 0))
	require.Equal(s, orchestrator.OperationCompleted, s.readOperation(first.ID).State, "an operation over nothing has ended")
}
