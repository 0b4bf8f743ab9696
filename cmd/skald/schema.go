package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/migrations"
)

var (
	errSchemaOlder = errors.New("the database's schema is older than this binary")
	errSchemaNewer = errors.New("the database's schema is newer than this binary")
)

const (
	schemaExistsSQL = `SELECT to_regclass('skald.schema_version') IS NOT NULL`

	schemaVersionSQL = `SELECT coalesce(max(version_id), 0)
FROM skald.schema_version
WHERE is_applied`
)

// checkSchema is nil where the database has exactly the migrations of this binary. It changes nothing.
func checkSchema(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("look at the schema: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	if err := conn.QueryRow(ctx, schemaExistsSQL).Scan(&exists); err != nil {
		return fmt.Errorf("look at the schema: %w", err)
	}
	if !exists {
		return hint(fmt.Errorf("%w: schema skald is not there", errSchemaOlder), "skald migrate up", "skald serve --migrate")
	}
	states, err := migrations.Status(ctx, dsn)
	if err != nil {
		return fmt.Errorf("look at the schema: %w", err)
	}
	newest := int64(0)
	for _, state := range states {
		newest = max(newest, state.Version)
		if !state.Applied {
			return hint(fmt.Errorf("%w: migration %s is missing", errSchemaOlder, state.File), "skald migrate up", "skald serve --migrate")
		}
	}
	var has int64
	if err := conn.QueryRow(ctx, schemaVersionSQL).Scan(&has); err != nil {
		return fmt.Errorf("look at the schema: %w", err)
	}
	if has > newest {
		return hint(fmt.Errorf("%w: it has migration %d, this binary knows up to %d", errSchemaNewer, has, newest),
			"a newer binary", "skald migrate down   with the newer binary, which takes its tables away")
	}
	return nil
}

// reachDatabase says what to do where Postgres can't be reached, or has another schema.
func reachDatabase(err error) error {
	var said *hinted
	if errors.Is(err, migrations.ErrOtherText) && !errors.As(err, &said) {
		return hint(err, "a binary of the build that made the schema")
	}
	var connect interface{ Unwrap() error }
	var dial *net.OpError
	if errors.As(err, &dial) && errors.As(err, &connect) {
		return &hinted{code: exitUnreachable, err: err, hints: []string{"is Postgres up, and is --database-url (SKALD_DATABASE_URL) right?"}}
	}
	return err
}

// migrateCmd are the commands about the schema.
type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Bring schema skald to the newest version."`
	Down   migrateDownCmd   `cmd:"" help:"Take the newest migration back, with all that its tables hold."`
	Status migrateStatusCmd `cmd:"" help:"List migrations."`

	databaseFlags
}

// migrateLimit bounds a look; migrations themselves may take long.
const migrateLimit = 30 * time.Second

type (
	migrateUpCmd   struct{}
	migrateDownCmd struct {
		Yes bool `help:"Do it: the data is gone."`
	}
	migrateStatusCmd struct{}
)

// Run migrates.
func (migrateUpCmd) Run(ctx context.Context, term *console, all *cli) error {
	dsn, err := all.Migrate.dsn()
	if err != nil {
		return err
	}
	applied, err := migrations.Up(ctx, dsn)
	if err != nil {
		return reachDatabase(err)
	}
	if term.json {
		return writeJSON(term.out, map[string]any{"applied": nonNil(applied)})
	}
	if len(applied) == 0 {
		fmt.Fprintln(term.out, "The schema is up to date.")
		return nil
	}
	fmt.Fprintf(term.out, "%s applied: %v\n", count(len(applied), "migration"), applied)
	return nil
}

// Run takes one migration back.
func (cmd migrateDownCmd) Run(ctx context.Context, term *console, all *cli) error {
	dsn, err := all.Migrate.dsn()
	if err != nil {
		return err
	}
	if !cmd.Yes {
		return hint(wrongUsage("this takes tables away, and everything in them"), "skald migrate down --yes")
	}
	version, err := migrations.Down(ctx, dsn)
	if err != nil {
		return reachDatabase(err)
	}
	switch {
	case term.json:
		return writeJSON(term.out, map[string]any{"reverted": version})
	case version == 0:
		fmt.Fprintln(term.out, "There is no migration to take back.")
	default:
		fmt.Fprintf(term.out, "migration %d is taken back\n", version)
	}
	return nil
}

// Run lists migrations.
func (migrateStatusCmd) Run(ctx context.Context, term *console, all *cli) error {
	dsn, err := all.Migrate.dsn()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, migrateLimit)
	defer cancel()
	states, err := migrations.Status(ctx, dsn)
	if err != nil {
		return reachDatabase(err)
	}
	type item struct {
		Version   int64      `json:"version"`
		File      string     `json:"file"`
		Applied   bool       `json:"applied"`
		AppliedAt *time.Time `json:"applied_at,omitempty"`
	}
	items := []item{}
	rows := [][]string{{"version", "file", "applied"}}
	for _, state := range states {
		it, at := item{state.Version, state.File, state.Applied, nil}, "no"
		if state.Applied {
			it.AppliedAt, at = &state.AppliedAt, state.AppliedAt.Local().Format(time.DateTime)
		}
		items = append(items, it)
		rows = append(rows, []string{fmt.Sprint(state.Version), state.File, at})
	}
	if term.json {
		return writeJSON(term.out, items)
	}
	table(term.out, term.style, rows, nil)
	return nil
}

func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
