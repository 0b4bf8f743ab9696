package postgres

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
)

// queueAudit adds entries to the chains of their tenants. The order of tenants is always the same: each has a lock of its own.
func queueAudit(b *pgx.Batch, entries []orchestrator.Audit, at time.Time) error {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b orchestrator.Audit) int { return cmp.Compare(a.Tenant, b.Tenant) })
	for _, a := range entries {
		args, err := auditArgs(a, at)
		if err != nil {
			return err
		}
		b.Queue(sqlAppendAudit, args...)
	}
	return nil
}

func auditArgs(a orchestrator.Audit, at time.Time) ([]any, error) {
	entry, err := stored.EncodeAudit(a, at)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", orchestrator.ErrData, err)
	}
	return []any{a.Tenant, timestamp(at), a.Actor, a.Action, uuidOrNull(a.Saga), a.Target, entry}, nil
}

// appendAudit adds one entry at the database's time.
func appendAudit(ctx context.Context, tx pgx.Tx, a orchestrator.Audit) error {
	var at time.Time
	if err := tx.QueryRow(ctx, sqlClock).Scan(&at); err != nil {
		return err
	}
	args, err := auditArgs(a, at)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, sqlAppendAudit, args...)
	return err
}

// Audit lists a tenant's operator actions, newest first, below the sequence number before; 0 starts at the newest.
func (s *Store) Audit(ctx context.Context, tenant string, before int64, limit int) ([]stored.AuditEntry, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	rows, err := s.cfg.API.Query(ctx, sqlListAudit, tenant, before, limit)
	return auditEntries(rows, err)
}

// AuditEntries implements orchestrator.AuditLog.
func (s *Store) AuditEntries(ctx context.Context, q orchestrator.AuditQuery) ([]orchestrator.AuditEntry, error) {
	if q.Before <= 0 {
		q.Before = math.MaxInt64
	}
	rows, err := s.cfg.API.Query(ctx, sqlFilterAudit, q.Tenant, q.Before, q.Actor, q.Action, uuidOrNull(q.Saga), q.Target,
		timestampOrNull(q.From), timestampOrNull(q.To), q.Limit)
	return auditEntries(rows, err)
}

func auditEntries(rows pgx.Rows, err error) ([]orchestrator.AuditEntry, error) {
	if err != nil {
		return nil, translate("list the audit", err)
	}
	entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e orchestrator.AuditEntry, err error) {
		var entry, hash []byte
		if err := row.Scan(&e.Seq, &entry, &hash); err != nil {
			return e, err
		}
		copy(e.Hash[:], hash)
		e.Audit, e.At, err = stored.DecodeAudit(entry)
		return e, err
	})
	return entries, translate("list the audit", err)
}

// auditRow are the columns that lists filter by. The hash covers the entry alone, so they are compared with it.
type auditRow struct {
	at                    time.Time
	actor, action, target string
	saga                  pgtype.UUID
}

// differs names the column that does not say what the entry does; empty: none, or the entry cannot be read, which the audit of
// actions tells.
func (r *auditRow) differs(entry []byte) string {
	a, at, err := stored.DecodeAudit(entry)
	if err != nil {
		return ""
	}
	for _, c := range []struct {
		name string
		same bool
	}{
		{"at", at.Equal(r.at.Truncate(time.Microsecond))},
		{"actor", a.Actor == r.actor},
		{"action", a.Action == r.action},
		{"target", a.Target == r.target},
		{"saga_id", uuidOrNull(a.Saga) == r.saga},
	} {
		if !c.same {
			return c.name
		}
	}
	return ""
}

// VerifyAudit recomputes the hashes of a tenant's entries, looks for holes, and compares the columns with the entries; a *stored.ChainError names the first that does not
// fit.
func (s *Store) VerifyAudit(ctx context.Context, tenant string) error {
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.cfg.API, opts, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sqlReadAudit, tenant)
		if err != nil {
			return err
		}
		var (
			want, seq   int64
			entry, hash []byte
			chain       [32]byte
			row         auditRow
		)
		_, err = pgx.ForEachRow(rows, []any{&seq, &row.at, &row.actor, &row.action, &row.saga, &row.target, &entry, &hash}, func() error {
			want++
			if chain = stored.ChainAudit(chain, entry); seq != want || !slices.Equal(chain[:], hash) {
				return &stored.ChainError{Tenant: tenant, Entry: want, What: fmt.Sprintf("entry %d does not fit the chain", want)}
			}
			if column := row.differs(entry); column != "" {
				return &stored.ChainError{Tenant: tenant, Entry: want, What: fmt.Sprintf("entry %d says otherwise than its column %s", want, column)}
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, sqlAuditHead, tenant).Scan(&seq, &hash)
		switch {
		case err == pgx.ErrNoRows && want == 0:
			return nil
		case err == pgx.ErrNoRows:
			return &stored.ChainError{Tenant: tenant, Entry: want, What: fmt.Sprintf("the chain ends at %d, and has no head", want)}
		case err != nil:
			return err
		case seq != want || !slices.Equal(chain[:], hash):
			return &stored.ChainError{Tenant: tenant, Entry: want, What: fmt.Sprintf("the chain ends at %d, and its head says %d", want, seq)}
		}
		return nil
	})
	return translate("verify the audit of "+tenant, err)
}
