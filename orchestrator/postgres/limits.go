package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

var _ orchestrator.Limits = (*Store)(nil)

// PutLimit implements orchestrator.Limits.
func (s *Store) PutLimit(ctx context.Context, l orchestrator.Limit, audit orchestrator.Audit) error {
	return s.inTx(ctx, s.cfg.API, "set a limit", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlPutLimit, l.Tenant, string(l.Scope), l.Name, l.Sagas, l.Commands, l.Reason, l.By); err != nil {
			return err
		}
		return appendAudit(ctx, tx, audit)
	})
}

// RemoveLimit implements orchestrator.Limits.
func (s *Store) RemoveLimit(ctx context.Context, tenant string, scope orchestrator.HoldScope, name string, audit orchestrator.Audit) error {
	return s.inTx(ctx, s.cfg.API, "remove a limit", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sqlRemoveLimit, tenant, string(scope), name)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return orchestrator.ErrNotFound
		}
		return appendAudit(ctx, tx, audit)
	})
}

// Limits implements orchestrator.Limits.
func (s *Store) Limits(ctx context.Context, tenant string) ([]orchestrator.LimitUse, error) {
	uses, err := s.limits(ctx, sqlLimits, tenant)
	if err == nil {
		err = s.useLimits(ctx, uses)
	}
	return uses, translate("list limits", err)
}

// LookAtLimits implements orchestrator.Limits.
func (s *Store) LookAtLimits(ctx context.Context, replica string) (look orchestrator.LimitLook, err error) {
	const what = "look at limits"
	look.Uses, err = s.limits(ctx, sqlAllLimits)
	if err != nil || len(look.Uses) == 0 {
		return look, translate(what, err)
	}
	b := &pgx.Batch{}
	b.Queue(sqlLimitReplica, replica)
	b.Queue(sqlForgetReplicas)
	b.Queue(sqlLimitReplicas, orchestrator.LimitReplicas.Microseconds()).QueryRow(func(row pgx.Row) error { return row.Scan(&look.Replicas) })
	if err := s.cfg.API.SendBatch(ctx, b).Close(); err != nil {
		return look, translate(what, err)
	}
	return look, translate(what, s.useLimits(ctx, look.Uses))
}

func (s *Store) limits(ctx context.Context, statement string, args ...any) ([]orchestrator.LimitUse, error) {
	rows, err := s.cfg.API.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanLimit)
}

func scanLimit(row pgx.CollectableRow) (u orchestrator.LimitUse, err error) {
	err = row.Scan(&u.Tenant, &u.Scope, &u.Name, &u.Sagas, &u.Commands, &u.Reason, &u.By, &u.At)
	u.At = u.At.UTC()
	return u, err
}

// useLimits counts what the limits bound.
func (s *Store) useLimits(ctx context.Context, uses []orchestrator.LimitUse) error {
	if len(uses) == 0 {
		return nil
	}
	var tenants []string
	for i := range uses {
		if !slices.Contains(tenants, uses[i].Tenant) {
			tenants = append(tenants, uses[i].Tenant)
		}
	}
	rows, err := s.cfg.API.Query(ctx, sqlLimitUse, tenants)
	if err != nil {
		return err
	}
	var (
		tenant, sagaType, wait string
		n                      int
	)
	_, err = pgx.ForEachRow(rows, []any{&tenant, &sagaType, &wait, &n}, func() error {
		for i := range uses {
			if uses[i].Tenant == tenant {
				uses[i].Add(sagaType, wait, n)
			}
		}
		return nil
	})
	return err
}

// Limited implements orchestrator.Limits.
func (s *Store) Limited(ctx context.Context, tenant string, scope orchestrator.HoldScope, name string, after saga.ID, limit int) ([]saga.ID, error) {
	return s.listIDs(ctx, "list what waits for a limit", sqlLimited, tenant, string(scope), name, uuid(after), limit)
}

// listIDs reads ids of sagas.
func (s *Store) listIDs(ctx context.Context, what, statement string, args ...any) ([]saga.ID, error) {
	rows, err := s.cfg.API.Query(ctx, statement, args...)
	if err != nil {
		return nil, translate(what, err)
	}
	ids, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (id saga.ID, err error) {
		err = row.Scan((*[16]byte)(&id))
		return id, err
	})
	return ids, translate(what, err)
}
