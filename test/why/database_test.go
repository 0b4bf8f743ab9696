package why

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/cmd/skald/embedded"
	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/apachekafka"
	"github.com/skaldhq/skald/test/stack"
)

// databaseDown: Postgres is away while a saga waits. Whoever asks meanwhile is told that; when it is back, the saga's own cause is named
// again, and a person ends it.
func databaseDown() scenario {
	var stop, start func()
	return scenario{
		name:  "DatabaseDown",
		onset: "Postgres takes connections again",
		own: func(t *testing.T) *site {
			var dsn string
			dsn, start, stop = ownPostgres(t)
			return newSite(t, stack.On(t, dsn, embeddedtest.Kafka(t)))
		},
		bring: func(t *testing.T, s *site) (string, time.Time) {
			id := s.order(t, stack.Order{ShipTo: "nowhere"})
			s.tap.answered(t, id, "create-shipment", wire.Execute, wire.Failed)
			s.reaches(t, id, "create-shipment", "backing_off")
			stop()
			down := time.Now()
			why := s.skald(t, "saga", "why", id)
			require.LessOrEqual(t, time.Since(down), soon, "the database's absence is named at once, too")
			require.Equal(t, 3, why.ExitCode(), "nobody there who takes requests now")
			require.Contains(t, why.Err.String(), "the database")
			start()
			return id, time.Now()
		},
		named:  shippingFails,
		says:   []string{"create-shipment failed and is tried again: CreateShipment.v1 to shipping.", "no carrier goes to nowhere"},
		mend:   shipByHand,
		status: client.Completed, verdict: "committed",
	}
}

// ownPostgres is a running server that the test may stop and start again.
func ownPostgres(t *testing.T) (dsn string, start, stop func()) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755)) // the server runs as another user, who must be able to enter it
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	port, err := apachekafka.FreePort()
	require.NoError(t, err)
	var server *embedded.Postgres
	start = func() {
		server, err = embedded.StartPostgres(context.Background(), embedded.PostgresConfig{DataDir: dir, Port: port})
		require.NoError(t, err)
	}
	stop = func() { require.NoError(t, server.Stop()) }
	start()
	t.Cleanup(func() { stop() })
	return server.DSN(), start, stop
}
