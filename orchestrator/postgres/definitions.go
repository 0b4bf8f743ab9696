package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
)

// PutDefinition implements orchestrator.Definitions.
func (s *Store) PutDefinition(ctx context.Context, row orchestrator.DefinitionRow, audit orchestrator.Audit) (created bool, err error) {
	what := fmt.Sprintf("store definition %s version %d", row.Name, row.Version)
	err = s.inTx(ctx, s.cfg.API, what, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sqlInsertDefinition, row.Tenant, row.Name, row.Version, string(row.State), row.Hash[:],
			stored.EncodePlain(row.Content), stored.EncodePlain(row.Source))
		if err != nil {
			return err
		}
		if created = tag.RowsAffected() == 1; created {
			return appendAudit(ctx, tx, audit)
		}
		old, err := oneDefinition(ctx, tx, row.Tenant, sqlDefinition, row.Tenant, row.Name, row.Version)
		if err != nil {
			return err
		}
		if old.Hash != row.Hash {
			return fmt.Errorf("%w: it has other content", orchestrator.ErrConflict)
		}
		return nil
	})
	return created && err == nil, err
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func oneDefinition(ctx context.Context, q querier, tenant, statement string, args ...any) (orchestrator.DefinitionRow, error) {
	rows, err := q.Query(ctx, statement, args...)
	if err != nil {
		return orchestrator.DefinitionRow{}, err
	}
	row, err := pgx.CollectExactlyOneRow(rows, scanDefinition(tenant))
	if errors.Is(err, pgx.ErrNoRows) {
		return row, orchestrator.ErrNotFound
	}
	return row, err
}

func scanDefinition(tenant string) pgx.RowToFunc[orchestrator.DefinitionRow] {
	return func(row pgx.CollectableRow) (d orchestrator.DefinitionRow, err error) {
		var (
			hash, content, source []byte
			createdAt             pgtype.Timestamptz
		)
		if err := row.Scan(&d.Name, &d.Version, &d.State, &hash, &content, &source, &createdAt); err != nil {
			return d, err
		}
		d.Tenant, d.CreatedAt = tenant, timeOf(createdAt)
		copy(d.Hash[:], hash)
		if d.Content, err = stored.DecodePlain(content); err != nil {
			return d, err
		}
		d.Source, err = stored.DecodePlain(source)
		return d, err
	}
}

// Definition implements orchestrator.Definitions.
func (s *Store) Definition(ctx context.Context, tenant, name string, version int) (row orchestrator.DefinitionRow, err error) {
	if version == 0 {
		row, err = oneDefinition(ctx, s.cfg.API, tenant, sqlActiveDefinition, tenant, name)
	} else {
		row, err = oneDefinition(ctx, s.cfg.API, tenant, sqlDefinition, tenant, name, version)
	}
	return row, translate(fmt.Sprintf("read definition %s version %d", name, version), err)
}

// ListDefinitions implements orchestrator.Definitions.
func (s *Store) ListDefinitions(ctx context.Context, tenant, name string) ([]orchestrator.DefinitionRow, error) {
	rows, err := s.cfg.API.Query(ctx, sqlListDefinitions, tenant, name)
	if err != nil {
		return nil, translate("list definitions", err)
	}
	list, err := pgx.CollectRows(rows, scanDefinition(tenant))
	return list, translate("list definitions", err)
}

// SetDefinitionState implements orchestrator.Definitions.
func (s *Store) SetDefinitionState(ctx context.Context, tenant, name string, version int, state orchestrator.DefinitionState, audit orchestrator.Audit) error {
	what := fmt.Sprintf("set definition %s version %d to %s", name, version, state)
	return s.inTx(ctx, s.cfg.API, what, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sqlSetDefinitionState, tenant, name, version, string(state))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return orchestrator.ErrNotFound
		}
		return appendAudit(ctx, tx, audit)
	})
}
