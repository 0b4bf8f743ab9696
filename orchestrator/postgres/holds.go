package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

var _ orchestrator.Holds = (*Store)(nil)

// PutHold implements orchestrator.Holds.
func (s *Store) PutHold(ctx context.Context, h orchestrator.Hold, audit orchestrator.Audit) (id int64, err error) {
	err = s.inTx(ctx, s.cfg.API, "set a hold", func(tx pgx.Tx) error {
		row := tx.QueryRow(ctx, sqlInsertHold, h.Tenant, string(h.Scope), h.Name, h.Version, h.Reason, h.By)
		if err := row.Scan(&id); err != nil {
			return err
		}
		return appendAudit(ctx, tx, audit)
	})
	return id, err
}

// EndHold implements orchestrator.Holds.
func (s *Store) EndHold(ctx context.Context, tenant string, id int64, spread time.Duration, audit orchestrator.Audit) error {
	return s.inTx(ctx, s.cfg.API, "end a hold", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sqlEndHold, tenant, id, spread.Microseconds(), audit.Actor)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 && spread == 0 {
			if tag, err = tx.Exec(ctx, sqlEndRelease, tenant, id); err != nil {
				return err
			}
		}
		if tag.RowsAffected() == 0 {
			return orchestrator.ErrNotFound
		}
		return appendAudit(ctx, tx, audit)
	})
}

// Held implements orchestrator.Holds.
func (s *Store) Held(ctx context.Context, tenant, participant string, after saga.ID, limit int) ([]saga.ID, error) {
	statement, args := sqlHeldAnywhere, []any{participant, uuid(after), limit}
	if tenant != "" {
		statement, args = sqlHeld, append(args, tenant)
	}
	return s.listIDs(ctx, "list what waits for a hold", statement, args...)
}

// Holds implements orchestrator.Holds.
func (s *Store) Holds(ctx context.Context, tenant string) ([]orchestrator.HoldRow, error) {
	rows, err := s.cfg.API.Query(ctx, sqlListHolds, tenant)
	if err != nil {
		return nil, translate("list holds", err)
	}
	holds, err := pgx.CollectRows(rows, scanHoldRow)
	return holds, translate("list holds", err)
}

// Hold implements orchestrator.Holds.
func (s *Store) Hold(ctx context.Context, tenant string, id int64) (orchestrator.HoldRow, error) {
	rows, err := s.cfg.API.Query(ctx, sqlHold, tenant, id)
	if err != nil {
		return orchestrator.HoldRow{}, translate("read a hold", err)
	}
	hold, err := pgx.CollectExactlyOneRow(rows, scanHoldRow)
	if errors.Is(err, pgx.ErrNoRows) {
		return hold, orchestrator.ErrNotFound
	}
	return hold, translate("read a hold", err)
}

// Trip implements orchestrator.Holds.
func (s *Store) Trip(ctx context.Context, row orchestrator.HoldRow, pause time.Duration, audit orchestrator.Audit) (opened bool, err error) {
	err = s.inTx(ctx, s.cfg.API, "open a breaker", func(tx pgx.Tx) error {
		sql, args := sqlReopenBreaker, []any{row.Tenant, row.ID, row.Trips, row.Reason, pause.Microseconds(), row.TryFor.Microseconds()}
		if row.ID == 0 {
			sql, args = sqlOpenBreaker, []any{row.Tenant, row.Name, row.Trips, row.Reason, pause.Microseconds(), row.TryFor.Microseconds(), audit.Actor}
		}
		tag, err := tx.Exec(ctx, sql, args...)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		opened = true
		return appendAudit(ctx, tx, audit)
	})
	return opened && err == nil, err
}

// NoteQuiet implements orchestrator.Holds.
func (s *Store) NoteQuiet(ctx context.Context, tenant string, id int64) error {
	_, err := s.cfg.API.Exec(ctx, sqlNoteQuiet, tenant, id)
	return translate("note that a hold is quiet", err)
}

func scanHoldRow(row pgx.CollectableRow) (h orchestrator.HoldRow, err error) {
	var at time.Time
	h.Hold, err = scanHoldAnd(row, &h.ID, &at)
	h.At = at.UTC()
	return h, err
}

func scanHold(row pgx.CollectableRow) (orchestrator.Hold, error) { return scanHoldAnd(row) }

// scanHoldAnd reads holdColumns, and what comes after them.
func scanHoldAnd(row pgx.CollectableRow, more ...any) (h orchestrator.Hold, err error) {
	var from, to, rest, quiet, try pgtype.Timestamptz
	var spread, tryFor int64
	err = row.Scan(append([]any{
		&h.Tenant, &h.Scope, &h.Name, &h.Version, &from, &to, &h.Reason, &h.Kind, &h.By, &h.EndedBy, &spread, &rest, &quiet, &try, &tryFor, &h.Trips,
	}, more...)...)
	h.From, h.To, h.RestAt, h.QuietAt, h.TryFrom = timeOf(from), timeOf(to), timeOf(rest), timeOf(quiet), timeOf(try)
	h.Spread, h.TryFor = time.Duration(spread)*time.Microsecond, time.Duration(tryFor)*time.Microsecond
	return h, err
}
