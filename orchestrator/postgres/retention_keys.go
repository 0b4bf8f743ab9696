package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// keys forgets the business keys of sagas whose weeks are gone: a key may name a person. They are walked along in slices; a start
// that takes such a key in the meantime keeps it.
func (r *retaining) keys(ctx context.Context) error {
	if r.done.Longest == 0 || r.policy.DryRun {
		return nil
	}
	var since pgtype.Timestamptz
	if err := r.conn.QueryRow(ctx, sqlAuditSince).Scan(&since); err != nil {
		return translate("look for the oldest week", err)
	}
	if !since.Valid {
		return nil
	}
	var tenant, name, key string
	for {
		var tenants, names, gone []string
		rows, err := r.conn.Query(ctx, sqlKeysToForget, tenant, name, key, since, retentionLook)
		if err != nil {
			return translate("look for keys to forget", err)
		}
		count, old := 0, false
		_, err = pgx.ForEachRow(rows, []any{&tenant, &name, &key, &old}, func() error {
			if count++; old {
				tenants, names, gone = append(tenants, tenant), append(names, name), append(gone, key)
			}
			return nil
		})
		if err != nil {
			return translate("look for keys to forget", err)
		}
		if len(gone) > 0 {
			tag, err := r.conn.Exec(ctx, sqlForgetKeys, tenants, names, gone, since)
			if err != nil {
				return translate("forget keys", err)
			}
			r.done.Keys += int(tag.RowsAffected())
			r.progress()
		}
		if count < retentionLook {
			return nil
		}
	}
}
