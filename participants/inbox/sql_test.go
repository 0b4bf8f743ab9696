package inbox

import (
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
)

func TestSQL_EveryStatementPrepares(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	pool, err := pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	defer pool.Close()
	require.NoError(t, Migrate(t.Context(), pool, "team"))
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	for name, sql := range map[string]string{
		"migrateLock": migrateLockSQL, "tableExists": tableExistsSQL, "schemaExists": schemaExistsSQL,
		"createSchema": createSchemaSQL, "createTable": createTableSQL, "createIndex": createIndexSQL,
		"insert": insertSQL, "lock": lockSQL, "update": updateSQL, "purge": purgeSQL, "savepoint": savepointSQL,
		"rollbackTo": rollbackToSQL, "lockTimeout": lockTimeoutSQL, "lockTimeoutDefault": lockTimeoutDefaultSQL,
	} {
		_, err := conn.Prepare(t.Context(), name, strings.ReplaceAll(sql, "{schema}", "team"))
		require.NoError(t, err, name)
	}
}

// The protocol's page has the barrier's statements in full, for those who write a participant without this package.
func TestSQL_IsThatOfTheProtocol(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/protocol.md")
	require.NoError(t, err)
	for _, sql := range []string{createTableSQL, createIndexSQL, insertSQL, lockSQL, updateSQL, purgeSQL, savepointSQL, rollbackToSQL, lockTimeoutDefaultSQL} {
		require.Contains(t, string(page), strings.ReplaceAll(sql, "{schema}", "team")+";\n")
	}
}
