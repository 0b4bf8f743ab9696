package crashpoint

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/orchestrator/saga"
)

const tables = `
CREATE SCHEMA skald;
CREATE TABLE skald.sagas (n integer);
CREATE TABLE skald.history (n integer);
CREATE TABLE skald.outbox (n integer);
INSERT INTO skald.sagas VALUES (1)`

// pipeline is the shape of the engine's second round trip.
func pipeline() []string {
	return []string{
		`UPDATE skald.sagas SET n = 2`, `INSERT INTO skald.history VALUES (1)`, `INSERT INTO skald.outbox VALUES (1)`,
		`DELETE FROM skald.outbox WHERE n = 7`, `COMMIT`,
	}
}

// TestConn: at a point behind a statement the server has executed exactly what stands before it, in a transaction that is open;
// when the connection goes, nothing of it is left.
func TestConn(t *testing.T) {
	t.Parallel()
	for p, want := range map[Point]struct {
		last      string // executed
		committed bool
	}{
		ReplyBegun:   {last: `BEGIN ISOLATION LEVEL READ COMMITTED`},
		ReplyUpdated: {last: pipeline()[0]},
		ReplyHistory: {last: pipeline()[1]},
		ReplyOutbox:  {last: pipeline()[2]},
		ReplyWritten: {last: pipeline()[3]},
		ReplyUnknown: {last: pipeline()[4], committed: true}, // here the server lives to read it
	} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			dsn := embeddedtest.Database(t)
			watcher, err := pgx.Connect(ctx, dsn)
			require.NoError(t, err)
			defer watcher.Close(ctx)
			_, err = watcher.Exec(ctx, tables)
			require.NoError(t, err)

			died := make(chan Point, 1)
			var raw net.Conn
			tap := New(Config{
				Hit: func(at Point, _ []Phase) bool { return at == p }, Wire: true,
				Die: func(at Point) { died <- at; runtime.Goexit() },
			})
			cfg, err := pgx.ParseConfig(dsn)
			require.NoError(t, err)
			dial := cfg.DialFunc
			cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
				inner, err := dial(ctx, network, addr)
				raw = inner
				return tap.Conn(inner), err
			}
			victim, err := pgx.ConnectConfig(ctx, cfg)
			require.NoError(t, err)
			backend := victim.PgConn().PID()

			one := []saga.ID{{1}}
			ended := make(chan string, 1)
			go func() { // it dies, or says how far it came
				said := "died"
				defer func() { ended <- said }()
				tap.expect(statements{began: one})
				if err := send(victim, `BEGIN ISOLATION LEVEL READ COMMITTED`); err != nil {
					said = err.Error()
					return
				}
				tap.expect(statements{replies: one, outbox: true})
				if err := send(victim, pipeline()...); err != nil {
					said = err.Error()
					return
				}
				said = "died"
			}()
			require.Equal(t, "died", <-ended)
			require.Equal(t, p, <-died)

			var last string
			var inTransaction bool
			const activity = `SELECT query, xact_start IS NOT NULL FROM pg_stat_activity WHERE pid = $1`
			eventually(t, func() bool {
				require.NoError(t, watcher.QueryRow(ctx, activity, backend).Scan(&last, &inTransaction))
				return last == want.last && inTransaction != want.committed
			}, func() string {
				return fmt.Sprintf("the server has executed %q last, in a transaction: %t", last, inTransaction)
			})

			require.NoError(t, raw.Close())
			alive := 1
			eventually(t, func() bool {
				require.NoError(t, watcher.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE pid = $1`, backend).Scan(&alive))
				return alive == 0
			}, func() string { return "its session is still there" })
			var left string
			require.NoError(t, watcher.QueryRow(ctx, `SELECT (SELECT max(n) FROM skald.sagas) || ' ' || (SELECT count(*) FROM skald.history) || ' ' || (SELECT count(*) FROM skald.outbox)`).Scan(&left))
			require.Equal(t, map[bool]string{false: "1 0 0", true: "2 1 1"}[want.committed], left)
		})
	}
}

// eventually asks the server for what another session of it is at.
func eventually(t *testing.T, what func() bool, but func() string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !what(); <-tick.C {
		if time.Since(began) > 5*time.Second {
			t.Fatal(but())
		}
	}
}

func send(conn *pgx.Conn, statements ...string) error {
	b := &pgx.Batch{}
	for _, s := range statements {
		b.Queue(s)
	}
	if err := conn.SendBatch(context.Background(), b).Close(); err != nil {
		return fmt.Errorf("send %v: %w", statements, err)
	}
	return nil
}

// TestConn_ReadBeside: a read that pgx began beside a slow write takes nothing of what the dying process waits for.
func TestConn_ReadBeside(t *testing.T) {
	t.Parallel()
	server, client := net.Pipe()
	defer server.Close()
	died := make(chan Point, 1)
	tap := New(Config{Hit: func(Point, []Phase) bool { return true }, Wire: true, Die: func(p Point) { died <- p; runtime.Goexit() }})
	tap.expect(statements{began: []saga.ID{{1}}})
	c := tap.Conn(client).(*conn)
	c.started = true
	go func() { _, _ = c.Read(make([]byte, 100)) }() // for ever, as that of a process that is gone
	for c.reading.TryLock() {
		c.reading.Unlock()
		runtime.Gosched()
	}
	go func() {
		_, _ = c.Write([]byte("P\x00\x00\x00\x17\x00BEGIN ISOLATION\x00\x00\x00B\x00\x00\x00\x06\x00\x00E\x00\x00\x00\x04"))
	}()
	buf := make([]byte, 100)
	n, err := server.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "H\x00\x00\x00\x04", string(buf[n-5:n]), "it has to ask for the answer")
	_, err = server.Write([]byte("C\x00\x00\x00\x0aBEGIN\x00"))
	require.NoError(t, err)
	require.Equal(t, ReplyBegun, <-died)
}
