package inbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skaldhq/skald/participants"
)

var _ participants.Barrier = (*Inbox)(nil)

// Inbox is a barrier in one schema of one database. It is safe for concurrent use.
type Inbox struct {
	pool       *pgxpool.Pool
	statements statements
}

// New returns the inbox in schema, which Migrate has made. A transaction takes a connection of pool for as long as
// its handler runs: the pool should have as many as Config.Concurrency, else commands wait for one.
func New(pool *pgxpool.Pool, schema string) *Inbox {
	return &Inbox{pool: pool, statements: newStatements(schema)}
}

// Migrate makes schema and table where they are missing, and then runs also, the team's own statements, each of which
// must be harmless when run again (IF NOT EXISTS). It is safe to call from many processes at once: one lock, in one
// transaction, serves for all of it. Without also it needs no right to CREATE where schema and table are there.
func Migrate(ctx context.Context, pool *pgxpool.Pool, schema string, also ...string) error {
	s := newStatements(schema)
	var exists bool
	if err := pool.QueryRow(ctx, s.tableExists).Scan(&exists); err != nil {
		return fmt.Errorf("look for barrier of schema %s: %w", schema, err)
	}
	if exists && len(also) == 0 {
		return nil
	}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return create(ctx, tx, schema, s, also) })
	if err != nil {
		return fmt.Errorf("create barrier of schema %s: %w", schema, err)
	}
	return nil
}

// Schema returns the statements that make the barrier's table and index, for teams who migrate with a tool of their
// own. The schema must be there.
func Schema(schema string) []string {
	s := newStatements(schema)
	return []string{s.createTable, s.createIndex}
}

// Purge deletes up to limit answered rows that are older than age, and returns how many. A command that is delivered
// again after its row was purged looks new: age must be well above the longest time that a saga may live.
func (i *Inbox) Purge(ctx context.Context, age time.Duration, limit int) (int64, error) {
	tag, err := i.pool.Exec(ctx, i.statements.purge, age, limit)
	if err != nil {
		return 0, fmt.Errorf("purge barrier: %w", err)
	}
	return tag.RowsAffected(), nil
}

// Begin implements participants.Barrier. It takes a connection; the transaction begins with the first Insert, in the
// same round trip.
func (i *Inbox) Begin(ctx context.Context, lockWait time.Duration) (participants.BarrierTx, error) {
	conn, err := i.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("acquire connection: %w", err)
	}
	return &barrierTx{conn: conn, statements: &i.statements, lockWait: lockWait}, nil
}

// HandlerFunc is a handler in a Postgres transaction. It must neither commit nor roll back; savepoints are fine.
type HandlerFunc func(ctx context.Context, tx pgx.Tx, req *participants.Request) (participants.Result, error)

// Handler gives h the transaction of an Inbox. The handler that it returns fails under any other barrier.
func Handler(h HandlerFunc) participants.HandlerFunc {
	return func(ctx context.Context, req *participants.Request) (participants.Result, error) {
		tx, ok := req.Tx.(pgx.Tx)
		if !ok {
			return participants.Result{}, fmt.Errorf("handle %s: the barrier's transaction is a %T, not Postgres's", req.Type(), req.Tx)
		}
		return h(ctx, tx, req)
	}
}

// statements are the SQL constants for one schema.
type statements struct {
	tableExists, schemaExists, createSchema, createTable, createIndex string
	insert, lock, update, purge                                       string
}

func newStatements(schema string) statements {
	quoted := pgx.Identifier{schema}.Sanitize()
	in := func(sql string) string { return strings.ReplaceAll(sql, "{schema}", quoted) }
	// Within a string literal the quoted identifier needs its apostrophes doubled.
	literal := strings.ReplaceAll(quoted, "'", "''")
	inLiteral := func(sql string) string { return strings.ReplaceAll(sql, "{schema}", literal) }
	return statements{
		tableExists: inLiteral(tableExistsSQL), schemaExists: inLiteral(schemaExistsSQL),
		createSchema: in(createSchemaSQL), createTable: in(createTableSQL), createIndex: in(createIndexSQL),
		insert: in(insertSQL), lock: in(lockSQL), update: in(updateSQL), purge: in(purgeSQL),
	}
}

func create(ctx context.Context, tx pgx.Tx, schema string, s statements, also []string) error {
	if _, err := tx.Exec(ctx, migrateLockSQL, schema); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	var exists bool
	if err := tx.QueryRow(ctx, s.schemaExists).Scan(&exists); err != nil {
		return fmt.Errorf("look for schema: %w", err)
	}
	steps := []string{s.createTable, s.createIndex}
	if !exists {
		steps = append([]string{s.createSchema}, steps...)
	}
	for _, sql := range append(steps, also...) {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
