package postgres

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/orchestrator"
)

// A server that nobody can reach, and a session that ends, are told from everything else; time that runs out says nothing.
func TestTranslate_Unavailable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, refused := pgconn.Connect(t.Context(), "postgres://nobody@"+l.Addr().String()+"/none?sslmode=disable")
	require.Error(t, refused)
	require.ErrorIs(t, translate("read", refused), orchestrator.ErrUnavailable)

	conn, err := pgconn.Connect(t.Context(), embeddedtest.Database(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // it was ended
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	late := conn.Exec(ctx, "SELECT pg_sleep(10)").Close()
	require.Error(t, late)
	require.NotErrorIs(t, translate("read", late), orchestrator.ErrUnavailable)

	conn, err = pgconn.Connect(t.Context(), embeddedtest.Database(t))
	require.NoError(t, err)
	ended := conn.Exec(t.Context(), "SELECT pg_terminate_backend(pg_backend_pid())").Close()
	require.Error(t, ended)
	require.ErrorIs(t, translate("read", ended), orchestrator.ErrUnavailable)

	require.NotErrorIs(t, translate("read", errors.New("anything")), orchestrator.ErrUnavailable)
	require.NotErrorIs(t, translate("read", &pgconn.PgError{Code: "42P01"}), orchestrator.ErrUnavailable)
}
