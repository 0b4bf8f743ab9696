// Package migrations makes and changes schema skald. Each file is one migration; a merged one is never edited.
//
// Any number of replicas may start at once: a session lock lets one of them migrate while the others wait for it.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed *.sql
var files embed.FS

const (
	table = "skald.schema_version"
	// lockID is any number that nobody else's advisory locks use: "skald" in ASCII.
	lockID = 0x736b616c64
)

// State is one migration and whether the database has it.
type State struct {
	Version   int64
	File      string
	Applied   bool
	AppliedAt time.Time // zero: not applied
}

// Up brings the database to the newest version and answers the versions it applied; none where nothing was to do. It is safe
// to call from any number of processes at once, and waits for the one that is at it. Like all others here it answers ErrOtherText
// where the database has a migration that reads differently in this binary.
func Up(ctx context.Context, dsn string) (applied []int64, err error) {
	err = withProvider(ctx, dsn, func(p *goose.Provider, db *sql.DB) error {
		results, err := p.Up(ctx)
		applied = versions(results)
		return errors.Join(err, noteTexts(ctx, db))
	})
	if err != nil {
		return applied, fmt.Errorf("migrate up: %w", err)
	}
	return applied, nil
}

// UpOne applies the next migration alone and answers its version; 0 where nothing is to do. Else it is as Up.
func UpOne(ctx context.Context, dsn string) (version int64, err error) {
	err = withProvider(ctx, dsn, func(p *goose.Provider, db *sql.DB) error {
		result, err := p.UpByOne(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil
		}
		if result != nil {
			version = result.Source.Version
		}
		return errors.Join(err, noteTexts(ctx, db))
	})
	if err != nil {
		return 0, fmt.Errorf("migrate up by one: %w", err)
	}
	return version, nil
}

// Down takes the newest migration back, with all that its tables hold, and answers its version; 0 where there is none.
func Down(ctx context.Context, dsn string) (version int64, err error) {
	err = withProvider(ctx, dsn, func(p *goose.Provider, _ *sql.DB) error {
		result, err := p.Down(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil
		}
		if result != nil {
			version = result.Source.Version
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("migrate down: %w", err)
	}
	return version, nil
}

// Status lists all migrations, oldest first. It changes nothing but that it makes the empty schema and its version table.
func Status(ctx context.Context, dsn string) (states []State, err error) {
	err = withProvider(ctx, dsn, func(p *goose.Provider, _ *sql.DB) error {
		all, err := p.Status(ctx)
		for _, s := range all {
			states = append(states, State{
				Version:   s.Source.Version,
				File:      s.Source.Path,
				Applied:   s.State == goose.StateApplied,
				AppliedAt: s.AppliedAt,
			})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("migration status: %w", err)
	}
	return states, nil
}

func versions(results []*goose.MigrationResult) []int64 {
	var applied []int64
	for _, r := range results {
		if r.Error == nil {
			applied = append(applied, r.Source.Version)
		}
	}
	return applied
}

func withProvider(ctx context.Context, dsn string, do func(*goose.Provider, *sql.DB) error) error {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	if err := makeSchema(ctx, db); err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(table),
		goose.WithSessionLocker(locker{}),
		goose.WithDisableGlobalRegistry(true),
	)
	if err != nil {
		return err
	}
	if err := checkTexts(ctx, db); err != nil {
		return err
	}
	return do(p, db)
}

// makeSchema makes the schema that holds the version table. CREATE SCHEMA IF NOT EXISTS alone fails where two come together.
func makeSchema(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var there bool
	if err := conn.QueryRowContext(ctx, `SELECT to_regnamespace('skald') IS NOT NULL`).Scan(&there); err != nil || there {
		return err
	}
	if err := (locker{}).SessionLock(ctx, conn); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `CREATE SCHEMA IF NOT EXISTS skald`)
	return errors.Join(err, (locker{}).SessionUnlock(context.WithoutCancel(ctx), conn))
}

// locker waits for the session lock in the server and so gets it at once; goose's own asks again every second at best.
type locker struct{}

func (locker) SessionLock(ctx context.Context, conn *sql.Conn) error {
	// Asked again and again, each time shortly: a waiting statement holds a snapshot, for which CREATE INDEX CONCURRENTLY of
	// the one who migrates would wait for ever.
	for {
		var got bool
		if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, int64(lockID)).Scan(&got); err != nil || got {
			return err
		}
		if _, err := conn.ExecContext(ctx, `SELECT pg_sleep(0.1)`); err != nil {
			return err
		}
	}
}

func (locker) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, int64(lockID))
	return err
}
