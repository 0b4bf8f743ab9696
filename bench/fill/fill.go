package fill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Config says how much. All fields but Progress are required.
type Config struct {
	DSN      string // of a migrated database without sagas
	Stored   int    // sagas in all
	Waiting  int    // of them live
	Weeks    int    // over which they were started, 1 to 20
	Progress func(stored int)
}

func (c *Config) validate() error {
	var errs []error
	if c.Stored < 1 || c.Waiting < 0 || c.Waiting > c.Stored {
		errs = append(errs, fmt.Errorf("%d sagas of which %d wait: want 1 or more, and no more that wait", c.Stored, c.Waiting))
	}
	if c.Weeks < 1 || c.Weeks > 20 {
		errs = append(errs, fmt.Errorf("%d weeks: want 1 to 20", c.Weeks))
	}
	return errors.Join(errs...)
}

// Run fills the database. It leaves it as autovacuum would: analyzed, with a visibility map, and on disk.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	if cfg.Progress == nil {
		cfg.Progress = func(int) {}
	}
	conn, err := pgx.Connect(ctx, cfg.DSN)
	if err != nil {
		return fmt.Errorf("connect to the database to fill: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := partitions(ctx, conn, cfg.Weeks); err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	decided, err := templates(now)
	if err != nil {
		return err
	}
	if err := write(ctx, cfg.DSN, decided); err != nil {
		return err
	}
	originals := make(map[state]*original, len(decided))
	for _, t := range decided {
		if originals[t.state], err = read(ctx, conn, t.writes[0].Next.ID); err != nil {
			return fmt.Errorf("read the saga that is %s: %w", t.state, err)
		}
	}
	if err := copies(ctx, conn, &cfg, originals, now); err != nil {
		return err
	}
	for _, sql := range []string{`VACUUM ANALYZE`, `CHECKPOINT`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// partitions makes those of weeks that have passed: the engine only makes coming ones, so its clock is set back for the moment.
func partitions(ctx context.Context, conn *pgx.Conn, weeks int) error {
	set := func(sql string) error {
		_, err := conn.Exec(ctx, `CREATE OR REPLACE FUNCTION skald.clock() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS $$`+sql+`$$`)
		return err
	}
	err := set(fmt.Sprintf(`SELECT clock_timestamp() - interval '%d weeks'`, weeks))
	if err == nil {
		_, err = conn.Exec(ctx, `SELECT skald.make_partitions($1)`, weeks+1)
	}
	if err = errors.Join(err, set(`SELECT clock_timestamp()`)); err != nil {
		return fmt.Errorf("make partitions of the past: %w", err)
	}
	return nil
}

// write stores the decided sagas, transaction by transaction.
func write(ctx context.Context, dsn string, decided []template) error {
	pool, err := postgres.OpenPool(ctx, postgres.PoolConfig{DSN: dsn, Role: postgres.RoleEngine})
	if err != nil {
		return err
	}
	defer pool.Close()
	store := postgres.New(postgres.Config{Engine: pool})
	for i := 0; ; i++ {
		batch := orchestrator.Batch{ID: saga.BatchID(saga.NewID(time.Now(), uint16(i), uint64(i))), RetryIn: time.Hour}
		var need orchestrator.Need
		for _, t := range decided {
			if i >= len(t.writes) {
				continue
			}
			batch.Writes = append(batch.Writes, t.writes[i])
			if i > 0 {
				need.Sagas = append(need.Sagas, t.writes[i].Next.ID)
			}
		}
		if len(batch.Writes) == 0 {
			return nil
		}
		slices.SortFunc(need.Sagas, func(a, b saga.ID) int { return slices.Compare(a[:], b[:]) })
		tx, err := store.Begin(ctx, need)
		if err != nil {
			return err
		}
		if err := tx.Commit(ctx, batch); err != nil {
			return fmt.Errorf("store the decided sagas: %w", err)
		}
	}
}
