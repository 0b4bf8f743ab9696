package migrations_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
)

// A build whose migrations read differently leaves the database alone, and says which.
func TestUp_AMigrationWithAnotherText(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	conn := connect(t, dsn)
	_, err = conn.Exec(t.Context(), `UPDATE skald.schema_version SET sha256 = repeat('0', 64) WHERE version_id = 3`)
	require.NoError(t, err)

	_, err = migrations.Up(t.Context(), dsn)
	require.ErrorIs(t, err, migrations.ErrOtherText)
	require.ErrorContains(t, err, "00003_requests.sql")
	_, err = migrations.Down(t.Context(), dsn)
	require.ErrorIs(t, err, migrations.ErrOtherText)
	_, err = migrations.Status(t.Context(), dsn)
	require.ErrorIs(t, err, migrations.ErrOtherText)

	_, err = conn.Exec(t.Context(), `UPDATE skald.schema_version SET sha256 = NULL WHERE version_id = 3`)
	require.NoError(t, err)
	_, err = migrations.Up(t.Context(), dsn)
	require.NoError(t, err, "what nobody noted is not compared, and noted")
	var noted bool
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT bool_and(sha256 <> '') FROM skald.schema_version WHERE version_id > 0`).Scan(&noted))
	require.True(t, noted)
}
