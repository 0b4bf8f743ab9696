// Package pgtest is what the tests of the reference participants share.
package pgtest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// Database returns a pool on a database of its own, where setup was called twice.
func Database(t testing.TB, setup func(context.Context, *pgxpool.Pool) error) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), embeddedtest.Database(t))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, setup(t.Context(), pool))
	require.NoError(t, setup(t.Context(), pool), "setting up again must be harmless")
	return pool
}

// Participant is New of a reference participant, on a database of its own.
func Participant(
	t testing.TB, setup func(context.Context, *pgxpool.Pool) error,
	newFunc func(*pgxpool.Pool, participants.Config) *participants.Participant,
) (*pgxpool.Pool, *participants.Participant) {
	t.Helper()
	pool := Database(t, setup)
	return pool, newFunc(pool, participants.Config{})
}

// Want checks outcome and code of a reply.
func Want(t testing.TB, reply wire.Reply, outcome wire.Outcome, code string) {
	t.Helper()
	require.Equal(t, []string{string(outcome), code}, []string{string(reply.Outcome), reply.Code}, "reply: %s", reply.Message)
}

// Column is what a query of one text column finds.
func Column(t testing.TB, pool *pgxpool.Pool, sql string, args ...any) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return values
}

// Prepares checks that each statement is one that the database takes.
func Prepares(t testing.TB, pool *pgxpool.Pool, statements ...string) {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	for _, sql := range statements {
		_, err := conn.Conn().Prepare(t.Context(), sql, sql)
		require.NoError(t, err, sql)
	}
}
