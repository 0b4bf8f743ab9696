package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// TakeOperation implements orchestrator.OperationQueue.
func (s *Store) TakeOperation(ctx context.Context, lease time.Duration) (op orchestrator.Operation, ok bool, err error) {
	op, err = scanOperation(s.cfg.Engine.QueryRow(ctx, sqlTakeOperation, lease))
	if errors.Is(err, pgx.ErrNoRows) {
		return op, false, nil
	}
	return op, err == nil, translate("take a slice of an operation", err)
}

// GatherOperation implements orchestrator.OperationQueue.
func (s *Store) GatherOperation(ctx context.Context, lease orchestrator.OperationLease, ids []saga.ID, last saga.ID, again time.Duration) error {
	list := make(uuids, len(ids))
	for i, id := range ids {
		list[i] = uuid(id)
	}
	return s.inTx(ctx, s.cfg.Engine, fmt.Sprintf("gather the sagas of operation %d", lease.Operation), func(tx pgx.Tx) error {
		added, err := tx.Exec(ctx, sqlGatherOperation, lease.Operation, list)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sqlGatheredOperation, lease.Operation, lease.Lease, added.RowsAffected(), uuidOrNull(last), again)
		if err == nil && tag.RowsAffected() == 0 {
			err = errLeaseLost(lease)
		}
		return err
	})
}

func errLeaseLost(lease orchestrator.OperationLease) error {
	return fmt.Errorf("lease %d was lost: %w", lease.Lease, orchestrator.ErrConflict)
}

// LeftOf implements orchestrator.OperationQueue.
func (s *Store) LeftOf(ctx context.Context, operation int64, limit int) ([]saga.ID, error) {
	rows, err := s.cfg.Engine.Query(ctx, sqlLeftOfOperation, operation, limit)
	if err != nil {
		return nil, translate("list what is left of an operation", err)
	}
	ids, err := pgx.CollectRows(rows, scanID)
	return ids, translate("list what is left of an operation", err)
}

// NoteOutcomes implements orchestrator.OperationQueue.
func (s *Store) NoteOutcomes(ctx context.Context, lease orchestrator.OperationLease, outcomes []orchestrator.OperationOutcome, again time.Duration) error {
	var (
		n                      = len(outcomes)
		ids                    = make(uuids, n)
		kinds, codes, messages = make([]string, n), make([]string, n), make([]string, n)
		revisions              = make([]int64, n)
	)
	for i, o := range outcomes {
		ids[i], kinds[i], codes[i], messages[i], revisions[i] = uuid(o.Saga), string(o.Kind), o.Code, o.Message, o.Revision
	}
	return s.inTx(ctx, s.cfg.Engine, fmt.Sprintf("note outcomes of operation %d", lease.Operation), func(tx pgx.Tx) error {
		var succeeded, refused, failed int64
		row := tx.QueryRow(ctx, sqlNoteOutcomes, lease.Operation, ids, kinds, codes, messages, revisions)
		if err := row.Scan(&succeeded, &refused, &failed); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sqlNotedOperation, lease.Operation, lease.Lease, succeeded, refused, failed, again)
		if err == nil && tag.RowsAffected() == 0 {
			err = errLeaseLost(lease)
		}
		return err
	})
}
