package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/participants/wire"
)

// Keys answers the ring of keys that sign reply tokens, the signing one first. Where there is none yet, first becomes it: of
// replicas that start at once all get the same one.
func (s *Store) Keys(ctx context.Context, first wire.Key) ([]wire.Key, error) {
	keys, err := s.listKeys(ctx, s.cfg.API)
	if err != nil || len(keys) > 0 {
		return keys, translate("read the key ring", err)
	}
	err = s.inTx(ctx, s.cfg.API, "make the first key", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlLockKeys); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlFirstKey, first.ID, stored.EncodePlain(first.Secret)); err != nil {
			return err
		}
		keys, err = s.listKeys(ctx, tx)
		return err
	})
	return keys, err
}

func (s *Store) listKeys(ctx context.Context, q querier) ([]wire.Key, error) {
	rows, err := q.Query(ctx, sqlListKeys)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (k wire.Key, err error) {
		var secret []byte
		if err := row.Scan(&k.ID, &secret); err != nil {
			return k, err
		}
		k.Secret, err = stored.DecodePlain(secret)
		return k, err
	})
}
