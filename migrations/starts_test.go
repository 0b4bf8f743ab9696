package migrations_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
)

// An engine whose role is not the owner goes on over the migration that takes two functions from everybody.
func TestUp_TheEnginesRoleKeepsItsFunctions(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	conn := connect(t, dsn)
	exec := func(sql string) error {
		_, err := conn.Exec(t.Context(), sql)
		return err
	}
	for range 20 { // down to before it
		var there bool
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT to_regclass('skald.start_requests') IS NOT NULL`).Scan(&there))
		if !there {
			break
		}
		_, err = migrations.Down(t.Context(), dsn)
		require.NoError(t, err)
	}
	const role = "skald_engine_over_a_migration"
	_ = exec(`CREATE ROLE ` + role) // roles belong to the server: another test run may have made it
	require.NoError(t, exec(`GRANT USAGE ON SCHEMA skald TO `+role))
	require.NoError(t, exec(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA skald TO `+role))
	_, err = migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	require.NoError(t, exec(`SET ROLE `+role))
	require.NoError(t, exec(`SELECT skald.make_partitions(6)`))
	require.NoError(t, exec(`SELECT skald.append_audit('default', now(), 'ada', 'pause', NULL, '', '\x01')`))
	require.NoError(t, exec(`UPDATE skald.start_requests SET due_at = due_at`))
	require.ErrorContains(t, exec(`SELECT skald.start_saga('errand', '{}')`), "permission denied")
	require.NoError(t, exec(`RESET ROLE`))
	require.NoError(t, exec(`DROP OWNED BY `+role))
}
