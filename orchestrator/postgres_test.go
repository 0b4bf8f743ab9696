package orchestrator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// databaseBundle is a live engine on Postgres, and somebody else's connection.
type databaseBundle struct {
	*running
	store  *postgres.Store
	faulty *faultyStore
	broker *fakeBroker
	other  *pgx.Conn
}

func database(t *testing.T) *databaseBundle {
	t.Helper()
	dsn := embeddedtest.Database(t)
	ctx := context.Background()
	_, err := migrations.Up(ctx, dsn)
	require.NoError(t, err)
	cfg := postgres.Config{}
	for role, pool := range map[postgres.Role]**pgxpool.Pool{postgres.RoleEngine: &cfg.Engine, postgres.RoleAPI: &cfg.API} {
		*pool, err = postgres.OpenPool(ctx, postgres.PoolConfig{DSN: dsn, Role: role})
		require.NoError(t, err)
		t.Cleanup((*pool).Close)
	}
	b := &databaseBundle{store: postgres.New(cfg), broker: &fakeBroker{now: time.Now}}
	b.faulty = &faultyStore{Store: b.store}
	b.other, err = pgx.Connect(ctx, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.other.Close(ctx)) })
	b.running = run(t, config(t, b.faulty, b.store, b.store, b.broker))
	for _, src := range []string{orderDefinition, errandDefinition} {
		_, _, err := b.PutDefinition(ctx, tenant, []byte(src), true, "tester", "")
		require.NoError(t, err)
	}
	return b
}

func (b *databaseBundle) saga(t *testing.T, id saga.ID) saga.Instance {
	t.Helper()
	view, err := b.store.Saga(t.Context(), tenant, id)
	require.NoError(t, err)
	return view.Instance
}

// together asks for starts that one batch takes, and answers how each went and how long it took.
func (b *databaseBundle) together(t *testing.T, reqs ...orchestrator.StartRequest) (answers []outcome, took []time.Duration) {
	t.Helper()
	answers, took = make([]outcome, len(reqs)), make([]time.Duration, len(reqs))
	first := newGate() // holds the committer up while the others gather
	hold := errand()
	b.faulty.mu.Lock()
	b.faulty.held = first
	b.faulty.mu.Unlock()
	var all sync.WaitGroup
	all.Go(func() {
		_, err := b.Start(context.Background(), hold)
		require.NoError(t, err)
	})
	<-first.reached
	var began time.Time
	var beginning sync.RWMutex
	beginning.Lock()
	for i, req := range reqs {
		all.Go(func() {
			var err error
			answers[i].started, err = b.Start(context.Background(), req)
			beginning.RLock()
			defer beginning.RUnlock()
			answers[i].err, took[i] = err, time.Since(began)
		})
	}
	await(t, "all wait", func() bool { return b.Intake() == len(reqs) })
	began = time.Now()
	beginning.Unlock()
	first.release()
	all.Wait()
	return answers, took
}

func TestPostgres_KeyThatAnOpenTransactionHolds(t *testing.T) {
	t.Parallel()
	b := database(t)
	ctx := t.Context()
	open, err := b.other.Begin(ctx)
	require.NoError(t, err)
	_, err = open.Exec(ctx, `INSERT INTO skald.business_keys (tenant, saga, key, id, hash) VALUES ($1, 'order', 'A-held', gen_random_uuid(), '\x00')`, tenant)
	require.NoError(t, err)
	reqs := []orchestrator.StartRequest{order("A-held", 1)}
	for n := range 5 {
		reqs = append(reqs, order(fmt.Sprintf("A-%d", n), 1), errand())
	}
	answers, took := b.together(t, reqs...)
	var busy *orchestrator.OverloadedError
	require.ErrorAs(t, answers[0].err, &busy)
	for i, a := range answers[1:] {
		require.NoError(t, a.err)
		// lock_timeout is 100 ms: once for all, and once for the start whose key is held.
		require.Less(t, took[i+1], 2*time.Second, "nobody waits for the open transaction")
	}
	require.NoError(t, open.Rollback(ctx))
	_, err = b.Start(ctx, order("A-held", 1))
	require.NoError(t, err, "later it works")
}

func TestPostgres_ALockedSagaWaitsAlone(t *testing.T) {
	t.Parallel()
	b := database(t)
	ctx := t.Context()
	var ids [2]saga.ID
	for i := range ids {
		s, err := b.Start(ctx, errand())
		require.NoError(t, err)
		ids[i] = s.ID
	}
	open, err := b.other.Begin(ctx)
	require.NoError(t, err)
	_, err = open.Exec(ctx, `SELECT 1 FROM skald.sagas WHERE id = $1 FOR UPDATE`, ids[0].String())
	require.NoError(t, err)
	offsets := b.broker.send(reply(ids[0], "run", saga.ReplySucceeded), reply(ids[1], "run", saga.ReplySucceeded))
	await(t, "the other reply is committed", func() bool { return b.broker.marks()[offsets[1]] == 1 })
	require.Equal(t, saga.Succeeded, b.saga(t, ids[1]).Steps[0].Status)
	require.Equal(t, saga.InFlight, b.saga(t, ids[0]).Steps[0].Status)
	require.Zero(t, b.broker.marks()[offsets[0]])
	require.NoError(t, open.Rollback(ctx))
	await(t, "the reply is committed once the row is free", func() bool { return b.broker.marks()[offsets[0]] == 1 })
	require.Equal(t, saga.Succeeded, b.saga(t, ids[0]).Steps[0].Status)
}

func TestPostgres_ContentThatIsRefused(t *testing.T) {
	t.Parallel()
	b := database(t)
	bad := errand()
	bad.Key = "\xff"
	reqs := []orchestrator.StartRequest{errand(), bad, order("A-1", 1), errand()}
	answers, _ := b.together(t, reqs...)
	for i, a := range answers {
		if i == 1 {
			var wrong *orchestrator.InputError
			require.ErrorAs(t, a.err, &wrong, "start %d", i)
			continue
		}
		require.NoError(t, a.err, "start %d", i)
	}
	id := answers[0].started.ID
	unreadable := action(id, saga.ActionPause)
	unreadable.IdempotencyKey = "\xff"
	_, err := b.Act(t.Context(), unreadable)
	var wrong *orchestrator.InputError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, saga.Running, b.saga(t, id).Status, "its saga goes on")
	require.Nil(t, b.saga(t, id).Pause)

	poison := reply(id, "run", saga.ReplySucceeded, func(d *orchestrator.Delivery) {
		d.Reply.Code, d.Reply.Message, d.Reply.Value = "a\x00b", "\xff", json.RawMessage(`{"text":"\u0000"}`)
	})
	offsets := b.broker.send(poison)
	await(t, "it is dealt with", func() bool { return b.broker.marks()[offsets[0]] == 1 })
	status := b.saga(t, id).Steps[0].Status
	list, err := b.store.Quarantine(t.Context(), orchestrator.QuarantineQuery{Tenant: tenant, Limit: 10})
	require.NoError(t, err)
	require.True(t, status == saga.Succeeded && len(list) == 0 || status == saga.InFlight && len(list) == 1, "applied or quarantined: %s, %v", status, list)
}

func TestPostgres_ReplaysAndKeys(t *testing.T) {
	t.Parallel()
	b := database(t)
	ctx := t.Context()
	req := order("A-1", 1)
	req.IdempotencyKey, req.RequestID = "k-1", "r-1"
	first, err := b.Start(ctx, req)
	require.NoError(t, err)
	req.RequestID = "r-2"
	replay, err := b.Start(ctx, req)
	require.NoError(t, err)
	require.True(t, replay.Replayed)
	replay.Replayed = false
	require.Equal(t, first, replay, "a replay answers the same, to the microsecond")
	other := order("A-2", 1)
	other.IdempotencyKey = "k-1"
	_, err = b.Start(ctx, other)
	require.ErrorIs(t, err, orchestrator.ErrIdempotency)
	again, err := b.Start(ctx, order("A-1", 1))
	require.NoError(t, err)
	require.True(t, again.Existing)
	_, err = b.Start(ctx, order("A-1", 2))
	requireInUse(t, err, first.ID, saga.Running)
}
