package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator"
)

// A slice is what one transaction of the keeper removes at most, and one call does at most so many slices.
const (
	sliceRows = 1000
	maxSlices = 1000
)

// Maintain implements orchestrator.Store. Each slice is a transaction of its own under the keeper's try-lock, so a replica that
// dies leaves nothing behind, and two never work at once.
func (s *Store) Maintain(ctx context.Context) (orchestrator.Maintained, error) {
	var done orchestrator.Maintained
	for range maxSlices {
		more, err := s.maintainSlice(ctx, &done)
		if err != nil || !more {
			return done, err
		}
	}
	return done, nil
}

func (s *Store) maintainSlice(ctx context.Context, done *orchestrator.Maintained) (more bool, err error) {
	err = s.inTx(ctx, s.cfg.Engine, "maintain", func(tx pgx.Tx) error {
		var locked bool
		if err := tx.QueryRow(ctx, sqlTryKeep).Scan(&locked); err != nil || !locked {
			return err
		}
		var (
			made  int
			until pgtype.Timestamptz
		)
		if err := tx.QueryRow(ctx, sqlMakePartitions).Scan(&made, &until); err != nil {
			return err
		}
		keys, err := tx.Exec(ctx, sqlRemoveKeys, s.cfg.KeepKeys, sliceRows)
		if err != nil {
			return err
		}
		receipts, err := tx.Exec(ctx, sqlRemoveReceipts, s.cfg.KeepReceipts, sliceRows)
		if err != nil {
			return err
		}
		requests, err := tx.Exec(ctx, sqlRemoveStartRequests, s.cfg.KeepKeys, sliceRows)
		if err != nil {
			return err
		}
		for _, statement := range []string{sqlRemoveFences, sqlRemoveQuotas} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		handled, err := s.removeHandled(ctx, tx, done)
		if err != nil {
			return err
		}
		done.Ran = true
		done.PartitionsMade += made
		done.PartitionsUntil = timeOf(until)
		done.KeysRemoved += int(keys.RowsAffected())
		done.ReceiptsRemoved += int(receipts.RowsAffected())
		done.StartRequestsRemoved += int(requests.RowsAffected())
		more = keys.RowsAffected() == sliceRows || receipts.RowsAffected() == sliceRows || requests.RowsAffected() == sliceRows || handled
		return nil
	})
	return more, err
}

// removeHandled removes a slice of what was done with long ago, and reports whether there is more.
func (s *Store) removeHandled(ctx context.Context, tx pgx.Tx, done *orchestrator.Maintained) (more bool, err error) {
	if s.cfg.KeepHandled < 0 {
		return false, nil
	}
	for _, r := range []struct {
		statement string
		count     *int
	}{{sqlRemoveOutcomes, new(int)}, {sqlRemoveOperations, &done.OperationsRemoved}, {sqlRemoveQuarantine, &done.QuarantineRemoved}} {
		tag, err := tx.Exec(ctx, r.statement, s.cfg.KeepHandled, sliceRows)
		if err != nil {
			return false, err
		}
		*r.count += int(tag.RowsAffected())
		more = more || tag.RowsAffected() == sliceRows
	}
	return more, nil
}

// PartitionsUntil is the time up to which new sagas have a partition to be stored in; a replica is not ready below a week.
func (s *Store) PartitionsUntil(ctx context.Context) (time.Time, error) {
	var until pgtype.Timestamptz
	err := s.cfg.API.QueryRow(ctx, sqlPartitionsUntil).Scan(&until)
	return timeOf(until), translate("look for partitions", err)
}
