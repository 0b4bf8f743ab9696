package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator"
)

var _ orchestrator.Access = (*Store)(nil)

// CreateAPIKey implements orchestrator.APIKeys.
func (s *Store) CreateAPIKey(ctx context.Context, key orchestrator.APIKey, audit orchestrator.Audit) error {
	return s.inTx(ctx, s.cfg.API, "create API key "+key.Name, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlCreateAPIKey, key.ID, key.Tenant, key.Name, key.Roles, key.Secret[:], key.CreatedBy, timestampOrNull(key.ExpiresAt))
		if err != nil {
			return err
		}
		return appendAudit(ctx, tx, audit)
	})
}

// FindAPIKey implements orchestrator.APIKeys.
func (s *Store) FindAPIKey(ctx context.Context, id string) (orchestrator.APIKey, error) {
	rows, err := s.cfg.API.Query(ctx, sqlFindAPIKey, id)
	if err != nil {
		return orchestrator.APIKey{}, translate("find API key", err)
	}
	key, err := pgx.CollectExactlyOneRow(rows, scanAPIKey)
	if errors.Is(err, pgx.ErrNoRows) {
		return key, orchestrator.ErrNotFound
	}
	return key, translate("find API key", err)
}

// APIKeys implements orchestrator.APIKeys.
func (s *Store) APIKeys(ctx context.Context, tenant string) ([]orchestrator.APIKey, error) {
	rows, err := s.cfg.API.Query(ctx, sqlListAPIKeys, tenant)
	if err != nil {
		return nil, translate("list API keys", err)
	}
	keys, err := pgx.CollectRows(rows, scanAPIKey)
	return keys, translate("list API keys", err)
}

func scanAPIKey(row pgx.CollectableRow) (key orchestrator.APIKey, err error) {
	var secret, old []byte
	var oldUntil, expires, revoked, used pgtype.Timestamptz
	err = row.Scan(&key.ID, &key.Tenant, &key.Name, &key.Roles, &secret, &old, &oldUntil, &key.CreatedAt, &key.CreatedBy, &expires, &revoked, &used)
	copy(key.Secret[:], secret)
	copy(key.OldSecret[:], old)
	key.CreatedAt = key.CreatedAt.UTC()
	key.OldUntil, key.ExpiresAt, key.RevokedAt, key.UsedAt = timeOf(oldUntil), timeOf(expires), timeOf(revoked), timeOf(used)
	return key, err
}

// RotateAPIKey implements orchestrator.APIKeys.
func (s *Store) RotateAPIKey(ctx context.Context, tenant, id string, secret [32]byte, oldUntil time.Time, audit orchestrator.Audit) error {
	return s.changeAPIKey(ctx, "rotate API key "+id, audit, sqlRotateAPIKey, tenant, id, secret[:], oldUntil)
}

// RevokeAPIKey implements orchestrator.APIKeys.
func (s *Store) RevokeAPIKey(ctx context.Context, tenant, id string, audit orchestrator.Audit) error {
	return s.changeAPIKey(ctx, "revoke API key "+id, audit, sqlRevokeAPIKey, tenant, id)
}

func (s *Store) changeAPIKey(ctx context.Context, what string, audit orchestrator.Audit, statement string, args ...any) error {
	return s.inTx(ctx, s.cfg.API, what, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, statement, args...)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return orchestrator.ErrNotFound
		}
		return appendAudit(ctx, tx, audit)
	})
}

// NoteAPIKeyUse implements orchestrator.APIKeys.
func (s *Store) NoteAPIKeyUse(ctx context.Context, id string) error {
	_, err := s.cfg.API.Exec(ctx, sqlNoteAPIKeyUse, id)
	return translate("note the use of an API key", err)
}

// PutSession implements orchestrator.Sessions.
func (s *Store) PutSession(ctx context.Context, session orchestrator.Session, audit orchestrator.Audit) error {
	return s.inTx(ctx, s.cfg.API, "begin a session", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlPutSession, session.ID[:], session.Tenant, session.Data, session.IdleUntil, session.EndsAt); err != nil {
			return err
		}
		return appendAudit(ctx, tx, audit)
	})
}

// FindSession implements orchestrator.Sessions.
func (s *Store) FindSession(ctx context.Context, id [32]byte) (orchestrator.Session, error) {
	out := orchestrator.Session{ID: id}
	err := s.cfg.API.QueryRow(ctx, sqlFindSession, id[:]).Scan(&out.Tenant, &out.Data, &out.IdleUntil, &out.EndsAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return out, orchestrator.ErrNotFound
	}
	out.IdleUntil, out.EndsAt = out.IdleUntil.UTC(), out.EndsAt.UTC()
	return out, translate("find a session", err)
}

// TouchSession implements orchestrator.Sessions.
func (s *Store) TouchSession(ctx context.Context, id [32]byte, idleUntil time.Time) error {
	_, err := s.cfg.API.Exec(ctx, sqlTouchSession, id[:], idleUntil)
	return translate("move a session on", err)
}

// EndSession implements orchestrator.Sessions.
func (s *Store) EndSession(ctx context.Context, id [32]byte) error {
	_, err := s.cfg.API.Exec(ctx, sqlEndSession, id[:])
	return translate("end a session", err)
}

// SweepSessions implements orchestrator.Sessions.
func (s *Store) SweepSessions(ctx context.Context) (int64, error) {
	tag, err := s.cfg.API.Exec(ctx, sqlSweepSessions)
	return tag.RowsAffected(), translate("sweep sessions", err)
}
