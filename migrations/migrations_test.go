package migrations_test

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
)

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// versions are those of the folder, in their order.
func versions(t *testing.T) []int64 {
	t.Helper()
	files, err := filepath.Glob("*.sql")
	require.NoError(t, err)
	var out []int64
	for _, file := range files {
		n, err := strconv.ParseInt(file[:5], 10, 64)
		require.NoError(t, err, file)
		out = append(out, n)
	}
	require.NotEmpty(t, out)
	return out
}

func backward(list []int64) []int64 {
	slices.Reverse(list)
	return list
}

func TestUp_TenReplicasAtOnce(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	var group errgroup.Group
	applied := make([][]int64, 10)
	for i := range applied {
		group.Go(func() (err error) {
			applied[i], err = migrations.Up(t.Context(), dsn)
			return err
		})
	}
	require.NoError(t, group.Wait())
	var all []int64
	for _, list := range applied {
		all = append(all, list...)
	}
	require.Equal(t, versions(t), all, "each migration is applied once, all by one")
}

func TestUpDownUp(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	states, err := migrations.Status(t.Context(), dsn)
	require.NoError(t, err)
	require.Len(t, states, len(versions(t)))
	for _, s := range states {
		require.True(t, s.Applied, s.File)
		require.False(t, s.AppliedAt.IsZero())
	}

	for _, want := range append(backward(versions(t)), 0) {
		got, err := migrations.Down(t.Context(), dsn)
		require.NoError(t, err)
		require.Equal(t, want, got, "0: nothing is left to take back")
	}
	conn := connect(t, dsn)
	var left []string
	err = conn.QueryRow(t.Context(), `
		SELECT array_agg(relname::text) FROM pg_class
		WHERE relnamespace = 'skald'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'schema_version'`).Scan(&left)
	require.NoError(t, err)
	require.Empty(t, left)

	applied, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	require.Equal(t, versions(t), applied)
	applied, err = migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	require.Empty(t, applied)
}

func TestMakePartitions(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	conn := connect(t, dsn)
	_, err = conn.Exec(t.Context(), `SET timezone = 'America/Santiago'`) // weeks with 167 and 169 hours
	require.NoError(t, err)

	make := func(weeks int) (made int, until time.Time) {
		t.Helper()
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT made, until FROM skald.make_partitions($1)`, weeks).Scan(&made, &until))
		return made, until
	}
	made, until := make(4)
	require.Zero(t, made, "the migration made them")
	require.True(t, until.After(time.Now().Add(4*7*24*time.Hour)))
	made, later := make(6)
	require.Equal(t, 2*3, made, "two more weeks of three tables")
	require.Equal(t, until.Add(14*24*time.Hour), later, "a week is 168 hours, whatever the session's time zone")

	var gaps int
	err = conn.QueryRow(t.Context(), `
		SELECT count(*) FROM generate_series(skald.clock() - interval '7 days', skald.clock() + interval '42 days', interval '1 hour') AS t(at)
		WHERE NOT EXISTS (
			SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			WHERE i.inhparent = 'skald.sagas'::regclass
				AND c.relname = 'sagas_' || to_char(date_trunc('week', t.at, 'UTC') AT TIME ZONE 'UTC', 'YYYYMMDD'))`).Scan(&gaps)
	require.NoError(t, err)
	require.Zero(t, gaps)
	_, err = conn.Exec(t.Context(), `SELECT skald.make_partitions(1000)`)
	require.ErrorContains(t, err, "want 1 to 26")
}

// The engine's role makes partitions and adds to the audit without a right to make tables or to change the audit.
func TestRoleOfTheEngine(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	conn := connect(t, dsn)
	exec := func(sql string) error {
		_, err := conn.Exec(t.Context(), sql)
		return err
	}
	const role = "skald_engine_of_a_test"
	_ = exec(`CREATE ROLE ` + role) // roles belong to the server: another test run may have made it
	require.NoError(t, exec(`GRANT USAGE ON SCHEMA skald TO `+role))
	require.NoError(t, exec(`GRANT SELECT ON ALL TABLES IN SCHEMA skald TO `+role))
	asRole := dsn + "&options=-c%20role%3D" + role
	applied, err := migrations.Up(t.Context(), asRole)
	require.NoError(t, err, "a replica that is told to migrate needs no right where nothing is to do")
	require.Empty(t, applied)
	require.NoError(t, exec(`SET ROLE `+role))
	for _, sql := range []string{
		`SELECT skald.make_partitions(6)`, `SELECT skald.append_audit('default', now(), 'ada', 'pause', NULL, '', '\x01')`,
		`SELECT skald.start_saga('errand', '{}')`, `SELECT skald.start_status('x')`, `SELECT skald.start_tenant()`,
	} {
		require.ErrorContains(t, exec(sql), "permission denied for function", "who may look into the schema forges no audit, and starts nothing")
	}
	require.NoError(t, exec(`RESET ROLE`))
	require.NoError(t, exec(`GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA skald TO `+role))
	require.NoError(t, exec(`SET ROLE `+role))
	require.NoError(t, exec(`SELECT skald.make_partitions(6)`))
	require.NoError(t, exec(`SELECT skald.append_audit('default', now(), 'ada', 'pause', NULL, '', '\x01')`))
	require.ErrorContains(t, exec(`UPDATE skald.audit SET actor = 'bob'`), "permission denied")
	require.ErrorContains(t, exec(`CREATE TABLE skald.mine ()`), "permission denied")

	require.NoError(t, exec(`RESET ROLE`))
	for _, sql := range []string{`UPDATE skald.audit SET actor = 'bob'`, `DELETE FROM skald.audit`, `TRUNCATE skald.audit`} {
		require.ErrorContains(t, exec(sql), "it can only be added to", "not even its owner changes the audit by mistake")
	}
	require.NoError(t, exec(`DROP OWNED BY `+role))
}
