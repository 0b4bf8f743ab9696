package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator"
)

// PutHold sets a hold from now on, in one transaction with its audit row, and answers its id.
func (s *Store) PutHold(ctx context.Context, h orchestrator.Hold, audit orchestrator.Audit) (id int64, err error) {
	err = s.inTx(ctx, s.cfg.API, "set a hold", func(tx pgx.Tx) error {
		row := tx.QueryRow(ctx, sqlInsertHold, h.Tenant, string(h.Scope), h.Name, h.Version, h.Reason)
		if err := row.Scan(&id); err != nil {
			return err
		}
		return appendAudit(ctx, tx, audit)
	})
	return id, err
}

// EndHold ends a hold now, in one transaction with its audit row; ErrNotFound where the tenant has none of that id in force.
func (s *Store) EndHold(ctx context.Context, tenant string, id int64, audit orchestrator.Audit) error {
	return s.inTx(ctx, s.cfg.API, "end a hold", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sqlEndHold, tenant, id)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return orchestrator.ErrNotFound
		}
		return appendAudit(ctx, tx, audit)
	})
}

// Holds lists the holds that the tenant set and that are in force, oldest first.
func (s *Store) Holds(ctx context.Context, tenant string) ([]orchestrator.HoldRow, error) {
	rows, err := s.cfg.API.Query(ctx, sqlListHolds, tenant)
	if err != nil {
		return nil, translate("list holds", err)
	}
	holds, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h orchestrator.HoldRow, err error) {
		var from pgtype.Timestamptz
		err = row.Scan(&h.ID, &h.Scope, &h.Name, &h.Version, &from, &h.Reason)
		h.Tenant, h.From = tenant, timeOf(from)
		return h, err
	})
	return holds, translate("list holds", err)
}
