package e2e

import (
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/test/stack"
)

// refused runs skald until it gives up, and answers what it said.
func refused(t *testing.T, code int, env []string, args ...string) string {
	t.Helper()
	p := stack.Start(t, append([]string{"SKALD_HTTP_ADDR=127.0.0.1:0", "SKALD_ADMIN_ADDR="}, env...), args...)
	require.NoError(t, p.Wait(30*time.Second))
	require.Equal(t, code, p.ExitCode(), "%s", p.Err)
	return p.Err.String()
}

// TestServe_Schema: a replica serves no schema but its own, and says which command helps.
func TestServe_Schema(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs servers")
	}
	dsn := embeddedtest.Database(t)
	env := []string{"SKALD_DATABASE_URL=" + dsn, "SKALD_KAFKA_BROKERS=" + embeddedtest.Kafka(t)[0]}
	said := refused(t, 1, env, "serve")
	require.Contains(t, said, "older than this binary: schema skald is not there")
	require.Contains(t, said, "try: skald migrate up")

	run := func(args ...string) string {
		p := stack.Start(t, env, args...)
		require.NoError(t, p.Wait(30*time.Second))
		require.Zero(t, p.ExitCode(), "%s", p.Err)
		return p.Out.String()
	}
	require.Contains(t, run("migrate", "up"), "migrations applied")
	require.Contains(t, run("migrate", "up"), "up to date")
	require.NotContains(t, run("migrate", "status"), "  no\n")
	require.Contains(t, run("migrate", "down", "--yes"), "is taken back")
	require.Contains(t, refused(t, 1, env, "serve"), "older than this binary: migration ")
	run("migrate", "up")

	ctx := t.Context()
	pool, err := pgxpool.New(ctx, dsn)
	require.NoError(t, err)
	defer pool.Close()
	_, err = pool.Exec(ctx, `INSERT INTO skald.schema_version (version_id, is_applied) VALUES (99999, true)`)
	require.NoError(t, err)
	require.Contains(t, refused(t, 1, env, "serve"), "newer than this binary: it has migration 99999")
}

// TestServe_PortTaken: a server keeps to the address it was given.
func TestServe_PortTaken(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs servers")
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	env := []string{"SKALD_DATABASE_URL=" + embeddedtest.Database(t), "SKALD_KAFKA_BROKERS=" + embeddedtest.Kafka(t)[0], "SKALD_HTTP_ADDR=" + taken.Addr().String()}
	said := refused(t, 1, env, "serve", "--migrate")
	require.Contains(t, said, "another process has the port")
	require.Contains(t, said, "--http-addr")
}

// TestServe_Topics: making topics twice is harmless.
func TestServe_Topics(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs servers")
	}
	s := stack.New(t)
	first := s.Run("topics", "ensure", "-o", "json")
	require.Contains(t, first, "skald.replies")
	second := s.Run("topics", "ensure")
	require.Contains(t, second, "skald.replies was there")
}
