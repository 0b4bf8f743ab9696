package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
)

var _ orchestrator.Operations = (*Store)(nil)

// PutOperation implements orchestrator.OperationBook.
func (s *Store) PutOperation(ctx context.Context, op orchestrator.Operation, audit orchestrator.Audit) (out orchestrator.Operation, created bool, err error) {
	request, err := stored.EncodeOperation(op.Request)
	if err != nil {
		return out, false, fmt.Errorf("%w: operation: %w", orchestrator.ErrData, err)
	}
	err = s.inTx(ctx, s.cfg.API, "start an operation", func(tx pgx.Tx) error {
		var id int64
		switch err := tx.QueryRow(ctx, sqlInsertOperation, op.Tenant, op.Actor, request, op.IdempotencyKey).Scan(&id); {
		case errors.Is(err, pgx.ErrNoRows):
			out, err = scanOperation(tx.QueryRow(ctx, sqlOperationByKey, op.Tenant, op.IdempotencyKey))
			if err != nil {
				return err
			}
			return sameRequest(request, &out)
		case err != nil:
			return err
		}
		created = true
		if err := appendAudit(ctx, tx, audit); err != nil {
			return err
		}
		out, err = scanOperation(tx.QueryRow(ctx, sqlOperation, op.Tenant, id))
		return err
	})
	return out, created && err == nil, err
}

// sameRequest tells a replay from another request under the same key.
func sameRequest(request []byte, old *orchestrator.Operation) error {
	b, err := stored.EncodeOperation(old.Request)
	if err == nil && !bytes.Equal(request, b) {
		err = orchestrator.ErrIdempotency
	}
	return err
}

func scanOperation(row pgx.Row) (o orchestrator.Operation, err error) {
	var (
		request                 []byte
		created, started, ended pgtype.Timestamptz
		gathered                pgtype.UUID
	)
	err = row.Scan(&o.ID, &o.Tenant, &o.Actor, &request, &o.IdempotencyKey, &o.State, &o.Paused, &created, &started, &ended,
		&o.Total, &o.Succeeded, &o.Refused, &o.Failed, &gathered, &o.Lease)
	if err != nil {
		return o, err
	}
	o.CreatedAt, o.StartedAt, o.EndedAt, o.Gathered = timeOf(created), timeOf(started), timeOf(ended), gathered.Bytes
	o.Request, err = stored.DecodeOperation(request)
	return o, err
}

// found turns a row that is not there into ErrNotFound.
func found(what string, err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, orchestrator.ErrNotFound)
	}
	return translate(what, err)
}

// Operation implements orchestrator.OperationBook.
func (s *Store) Operation(ctx context.Context, tenant string, id int64) (orchestrator.Operation, error) {
	op, err := scanOperation(s.cfg.API.QueryRow(ctx, sqlOperation, tenant, id))
	return op, found(fmt.Sprintf("operation %d", id), err)
}

// ListOperations implements orchestrator.OperationBook.
func (s *Store) ListOperations(ctx context.Context, tenant string, before int64, limit int) ([]orchestrator.Operation, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	rows, err := s.cfg.API.Query(ctx, sqlListOperations, tenant, before, limit)
	if err != nil {
		return nil, translate("list operations", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (orchestrator.Operation, error) { return scanOperation(row) })
	return list, translate("list operations", err)
}

// ChangeOperation implements orchestrator.OperationBook.
func (s *Store) ChangeOperation(ctx context.Context, tenant string, id int64, change orchestrator.OperationChange, audit orchestrator.Audit) (op orchestrator.Operation, err error) {
	what := fmt.Sprintf("%s operation %d", change, id)
	err = s.inTx(ctx, s.cfg.API, what, func(tx pgx.Tx) error {
		op, err = scanOperation(tx.QueryRow(ctx, sqlLockOperation, tenant, id))
		if err != nil {
			return found(what, err)
		}
		if err := op.May(change); err != nil {
			return err
		}
		state, paused := op.State, op.Paused
		switch change {
		case orchestrator.OperationPause:
			paused = true
		case orchestrator.OperationResume:
			paused = false
		case orchestrator.OperationCancel:
			state, paused = orchestrator.OperationCancelled, false
		}
		if op, err = scanOperation(tx.QueryRow(ctx, sqlChangeOperation, tenant, id, string(state), paused)); err != nil {
			return err
		}
		return appendAudit(ctx, tx, audit)
	})
	return op, err
}

// Outcomes implements orchestrator.OperationBook.
func (s *Store) Outcomes(ctx context.Context, q orchestrator.OutcomeQuery) ([]orchestrator.OperationOutcome, error) {
	rows, err := s.cfg.API.Query(ctx, sqlListOutcomes, q.Tenant, q.Operation, uuid(q.After), string(q.Kind), q.Limit)
	if err != nil {
		return nil, translate("list outcomes", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o orchestrator.OperationOutcome, err error) {
		var at pgtype.Timestamptz
		err = row.Scan((*[16]byte)(&o.Saga), &o.Kind, &o.Code, &o.Message, &o.Revision, &at)
		o.At = timeOf(at)
		return o, err
	})
	return list, translate("list outcomes", err)
}
