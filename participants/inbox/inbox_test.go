package inbox_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/inbox"
	"github.com/skaldhq/skald/participants/participanttest"
	"github.com/skaldhq/skald/participants/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database gives a test a pool on a database of its own.
func database(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), embeddedtest.Database(t))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestInbox_BarrierSuite(t *testing.T) {
	t.Parallel()
	pool := database(t)
	var mu sync.Mutex
	schemas := 0
	participanttest.RunBarrierSuite(t, func(t testing.TB) participanttest.World {
		mu.Lock()
		schemas++
		schema := fmt.Sprintf("Team's \"%d\"", schemas)
		mu.Unlock()
		require.NoError(t, inbox.Migrate(t.Context(), pool, schema))
		table := pgx.Identifier{schema, "effects"}.Sanitize()
		_, err := pool.Exec(t.Context(), `CREATE TABLE `+table+` (id bigserial PRIMARY KEY, name text NOT NULL)`)
		require.NoError(t, err)
		return participanttest.World{
			Barrier: inbox.New(pool, schema),
			Effect: func(ctx context.Context, tx any, name string) error {
				_, err := tx.(pgx.Tx).Exec(ctx, `INSERT INTO `+table+` (name) VALUES ($1)`, name)
				return err
			},
			Break: func(ctx context.Context, tx any) error {
				_, err := tx.(pgx.Tx).Exec(ctx, `INSERT INTO `+table+` (name) VALUES (NULL)`)
				return err
			},
			Effects: func() []string {
				rows, err := pool.Query(t.Context(), `SELECT name FROM `+table+` ORDER BY id`)
				require.NoError(t, err)
				names, err := pgx.CollectRows(rows, pgx.RowTo[string])
				require.NoError(t, err)
				return names
			},
		}
	})
}

// bundle is a participant whose handler is the test's.
type bundle struct {
	*participanttest.Saga
	pool *pgxpool.Pool
}

func setup(t *testing.T, do inbox.HandlerFunc) bundle {
	t.Helper()
	pool := database(t)
	require.NoError(t, inbox.Migrate(t.Context(), pool, "team"))
	_, err := pool.Exec(t.Context(), `CREATE TABLE team.effects (name text PRIMARY KEY)`)
	require.NoError(t, err)
	p := participants.New("tester", inbox.New(pool, "team"), participants.Config{})
	p.Handle("Do.v1", inbox.Handler(do), nil)
	return bundle{Saga: participanttest.New(t, p), pool: pool}
}

func (b bundle) count(t *testing.T, table string) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*) FROM team.`+table).Scan(&n))
	return n
}

func effect(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `INSERT INTO team.effects VALUES ('done')`)
	return err
}

func TestInbox_BackendKilledInTheHandler(t *testing.T) {
	t.Parallel()
	kill := true
	var b bundle
	b = setup(t, func(ctx context.Context, tx pgx.Tx, req *participants.Request) (participants.Result, error) {
		if err := effect(ctx, tx); err != nil {
			return participants.Result{}, err
		}
		if kill {
			kill = false
			_, err := b.pool.Exec(ctx, `SELECT pg_terminate_backend($1)`, tx.Conn().PgConn().PID())
			require.NoError(t, err)
		}
		return participants.Succeed(nil)
	})
	reply := b.Execute("Do.v1", nil)
	require.Equal(t, []string{"failed", wire.CodeBarrierUnavailable}, []string{string(reply.Outcome), reply.Code})
	require.Zero(t, b.count(t, "effects"))
	require.Zero(t, b.count(t, "barrier"))
	require.Equal(t, wire.Succeeded, b.Execute("Do.v1", nil, participanttest.Attempt(2)).Outcome)
	require.Equal(t, 1, b.count(t, "effects"))
}

func TestInbox_HandlerCannotEndTheTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t, func(ctx context.Context, tx pgx.Tx, _ *participants.Request) (participants.Result, error) {
		if err := effect(ctx, tx); err != nil {
			return participants.Result{}, err
		}
		require.Error(t, tx.Rollback(ctx))
		return participants.Result{}, tx.Commit(ctx)
	})
	reply := b.Execute("Do.v1", nil)
	require.Equal(t, wire.CodeError, reply.Code)
	require.Contains(t, reply.Message, "must not end")
	require.Zero(t, b.count(t, "effects"))
}

func TestInbox_HandlersOwnSavepoints(t *testing.T) {
	t.Parallel()
	b := setup(t, func(ctx context.Context, tx pgx.Tx, _ *participants.Request) (participants.Result, error) {
		if err := effect(ctx, tx); err != nil {
			return participants.Result{}, err
		}
		err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return effect(ctx, tx) })
		require.ErrorContains(t, err, "duplicate key")
		return participants.Succeed(nil)
	})
	require.Equal(t, wire.Succeeded, b.Execute("Do.v1", nil).Outcome)
	require.Equal(t, 1, b.count(t, "effects"))
}

func TestInbox_MessagesWithNUL(t *testing.T) {
	t.Parallel()
	b := setup(t, func(context.Context, pgx.Tx, *participants.Request) (participants.Result, error) {
		return participants.Reject("no", "a\x00b")
	})
	reply := b.Execute("Do.v1", nil)
	require.Equal(t, []string{"rejected", "no", "a b"}, []string{string(reply.Outcome), reply.Code, reply.Message})
	require.Equal(t, reply.Message, b.Execute("Do.v1", nil).Message)
}

func TestInbox_ContextEndsWhileItWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, func(context.Context, pgx.Tx, *participants.Request) (participants.Result, error) {
		return participants.Succeed(nil)
	})
	c := b.Command(wire.Execute, "Do.v1", nil)
	holder, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer holder.Rollback(t.Context())
	_, err = holder.Exec(t.Context(), `INSERT INTO team.barrier (saga_id, step, verb, command_id, edition, state)
		VALUES ($1, $2, 'execute', $1, 0, 'claimed')`, c.SagaID.String(), c.Step)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = b.Answer(ctx, c)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, holder.Rollback(t.Context()))
	require.Equal(t, wire.Succeeded, b.Execute("Do.v1", nil).Outcome)
}

func TestInbox_DatabaseIsDown(t *testing.T) {
	t.Parallel()
	b := setup(t, func(context.Context, pgx.Tx, *participants.Request) (participants.Result, error) {
		return participants.Succeed(nil)
	})
	b.pool.Close()
	reply := b.Execute("Do.v1", nil)
	require.Equal(t, []string{"failed", wire.CodeBarrierUnavailable}, []string{string(reply.Outcome), reply.Code})
}

func TestHandler_UnderAnotherBarrier(t *testing.T) {
	t.Parallel()
	p := participants.New("tester", &participants.Memory{}, participants.Config{})
	p.Handle("Do.v1", inbox.Handler(func(context.Context, pgx.Tx, *participants.Request) (participants.Result, error) {
		return participants.Succeed(nil)
	}), nil)
	reply := participanttest.New(t, p).Execute("Do.v1", nil)
	require.Equal(t, wire.CodeError, reply.Code)
	require.Contains(t, reply.Message, "*participants.MemoryEffects, not Postgres's")
}

func TestMigrate_ConcurrentlyAndAgain(t *testing.T) {
	t.Parallel()
	pool := database(t)
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() { errs[i] = inbox.Migrate(t.Context(), pool, "team") })
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.NoError(t, inbox.Migrate(t.Context(), pool, "team"))
}

func TestMigrate_NeedsNoRightsWhereAllIsThere(t *testing.T) {
	t.Parallel()
	pool := database(t)
	require.NoError(t, inbox.Migrate(t.Context(), pool, "team"))
	role := "skald_app_" + wire.RandomID().String()[:8]
	_, err := pool.Exec(t.Context(), `CREATE ROLE `+role+` LOGIN`)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := pool.Exec(context.Background(), `DROP OWNED BY `+role+`; DROP ROLE `+role)
		require.NoError(t, err)
	})
	_, err = pool.Exec(t.Context(), `GRANT USAGE ON SCHEMA team TO `+role)
	require.NoError(t, err)
	config := pool.Config()
	config.MaxConns = 1
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SET ROLE `+role)
		return err
	}
	limited, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	defer limited.Close()
	require.NoError(t, inbox.Migrate(t.Context(), limited, "team"))
	require.ErrorContains(t, inbox.Migrate(t.Context(), limited, "other"), "create barrier of schema other")
}

func TestSchema_IsWhatMigrateMakes(t *testing.T) {
	t.Parallel()
	pool := database(t)
	_, err := pool.Exec(t.Context(), `CREATE SCHEMA team`)
	require.NoError(t, err)
	for _, sql := range inbox.Schema("team") {
		_, err := pool.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	require.NoError(t, inbox.Migrate(t.Context(), pool, "team"))
}

func TestPurge_DropsOldAnsweredRows(t *testing.T) {
	t.Parallel()
	b := setup(t, func(context.Context, pgx.Tx, *participants.Request) (participants.Result, error) {
		return participants.Succeed(nil)
	})
	for _, step := range []string{"a", "b", "c", "claimed", "fresh"} {
		b.At(step).Execute("Do.v1", nil)
	}
	_, err := b.pool.Exec(t.Context(), `UPDATE team.barrier SET created_at = created_at - interval '31 days' WHERE step <> 'fresh'`)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `UPDATE team.barrier SET state = 'claimed' WHERE step = 'claimed'`)
	require.NoError(t, err)
	in := inbox.New(b.pool, "team")
	for _, want := range []int64{2, 1, 0} {
		n, err := in.Purge(t.Context(), 30*24*time.Hour, 2)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Equal(t, 2, b.count(t, "barrier"), "a claim is never forgotten")
}
