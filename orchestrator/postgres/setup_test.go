package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// migrated is a database with schema skald.
func migrated(t testing.TB) string {
	t.Helper()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(context.Background(), dsn)
	require.NoError(t, err)
	return dsn
}

// emptied makes a migrated database like new. Making one for each case would take longer than all cases.
func emptied(t testing.TB, dsn string) {
	t.Helper()
	exec(t, dsn, `
		SET session_replication_role = replica; -- the audit refuses DELETE
		DO $$
		DECLARE
			t regclass;
		BEGIN
			FOR t IN
				SELECT oid FROM pg_class
				WHERE relnamespace = 'skald'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT IN ('schema_version', 'keys')
			LOOP
				EXECUTE format('DELETE FROM %s', t);
			END LOOP;
		END
		$$;
		CREATE OR REPLACE FUNCTION skald.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()'`)
}

func openPool(t testing.TB, cfg postgres.PoolConfig) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.OpenPool(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func newStore(t testing.TB, dsn string) *postgres.Store {
	t.Helper()
	return postgres.New(postgres.Config{
		Engine:          openPool(t, postgres.PoolConfig{DSN: dsn, Role: postgres.RoleEngine}),
		API:             openPool(t, postgres.PoolConfig{DSN: dsn, Role: postgres.RoleAPI}),
		QuarantineBytes: storetest.QuarantineBytes,
	})
}

func connect(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t testing.TB, dsn, sql string, args ...any) {
	t.Helper()
	_, err := connect(t, dsn).Exec(context.Background(), sql, args...)
	require.NoError(t, err)
}

func TestStore(t *testing.T) {
	t.Parallel()
	free := make(chan string, 3)
	for range cap(free) {
		free <- migrated(t)
	}
	storetest.Run(t, func(t *testing.T) storetest.Fixture {
		dsn := <-free
		t.Cleanup(func() { free <- dsn })
		emptied(t, dsn)
		var ahead time.Duration
		return storetest.Fixture{
			Store: newStore(t, dsn),
			Age: func(t testing.TB, d time.Duration) {
				ahead += d
				exec(t, dsn, fmt.Sprintf(`
					CREATE OR REPLACE FUNCTION skald.clock() RETURNS timestamptz LANGUAGE sql VOLATILE
					AS $$SELECT clock_timestamp() + interval '%d microseconds'$$`, ahead.Microseconds()))
			},
		}
	})
}
