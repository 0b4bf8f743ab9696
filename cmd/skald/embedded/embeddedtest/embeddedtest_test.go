package embeddedtest_test

import (
	"context"
	"testing"

	"github.com/IBM/sarama"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Sarama's meters share one goroutine that never ends.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

func TestDatabase_EmptyAndDroppedAtTheEnd(t *testing.T) {
	t.Parallel()
	var dsn string
	t.Run("use", func(t *testing.T) {
		dsn = embeddedtest.Database(t)
		require.NotEqual(t, dsn, embeddedtest.Database(t), "each call makes a database")
		conn, err := pgx.Connect(t.Context(), dsn)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close(context.Background()) }) // still open when the database is dropped
		var tables int
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`).Scan(&tables))
		require.Zero(t, tables)
	})
	_, err := pgx.Connect(t.Context(), dsn)
	require.ErrorContains(t, err, "does not exist")
}

func TestDatabase_OnAGivenServer(t *testing.T) {
	server := embeddedtest.Database(t)
	t.Setenv("SKALD_TEST_DATABASE_URL", server)
	given := embeddedtest.Database(t)
	a, err := pgx.ParseConfig(server)
	require.NoError(t, err)
	b, err := pgx.ParseConfig(given)
	require.NoError(t, err)
	require.Equal(t, a.Port, b.Port)
	require.NotEqual(t, a.Database, b.Database)
}

func TestKafka(t *testing.T) {
	t.Setenv("SKALD_TEST_KAFKA_BROKERS", "")
	first, second := embeddedtest.Kafka(t), embeddedtest.Kafka(t)
	require.NotEqual(t, first, second, "each call makes a broker")
	client, err := sarama.NewClient(first, nil)
	require.NoError(t, err)
	require.NoError(t, client.Close())

	t.Setenv("SKALD_TEST_KAFKA_BROKERS", "a:1,b:2")
	require.Equal(t, []string{"a:1", "b:2"}, embeddedtest.Kafka(t))
}
