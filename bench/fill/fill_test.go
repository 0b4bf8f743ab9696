package fill

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Each story ends where its name says.
func TestTemplates(t *testing.T) {
	t.Parallel()
	all, err := templates(time.Now().UTC().Truncate(time.Microsecond))
	require.NoError(t, err)
	type end struct {
		status saga.Status
		cause  saga.Cause
	}
	got := map[state]end{}
	for _, each := range all {
		last := each.writes[len(each.writes)-1]
		e := end{status: last.Next.Status}
		if len(last.Blocked) > 0 {
			e.cause = last.Blocked[0].Cause
		}
		require.Equal(t, last.Next.Status.Terminal(), last.WakeAt.IsZero())
		require.EqualValues(t, len(each.writes), last.Next.Revision)
		got[each.state] = e
	}
	require.Equal(t, map[state]end{
		completed: {saga.Completed, ""}, compensated: {saga.Compensated, ""}, abandoned: {saga.Abandoned, ""},
		waitingOne: {saga.Running, saga.CauseReply}, waitingTwo: {saga.Running, saga.CauseReply}, waitingThree: {saga.Running, saga.CauseReply},
		backingOff: {saga.Running, saga.CauseBackoff}, held: {saga.Running, saga.CauseHold},
		undoing: {saga.Compensating, saga.CauseReply}, suspended: {saga.Suspended, saga.CauseAttention},
	}, got)
}

func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	for _, bad := range []Config{{Weeks: 1}, {Stored: 1, Waiting: 2, Weeks: 1}, {Stored: 1}, {Stored: 1, Weeks: 21}} {
		require.Error(t, Run(t.Context(), bad), "%+v", bad)
	}
}

// What was filled in is what the engine reads.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	t.Parallel()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	var told int
	require.NoError(t, Run(t.Context(), Config{DSN: dsn, Stored: 6000, Waiting: 1500, Weeks: 3, Progress: func(n int) { told = n }}))
	require.Equal(t, 6000, told)
	pool, err := postgres.OpenPool(t.Context(), postgres.PoolConfig{DSN: dsn, Role: postgres.RoleAPI})
	require.NoError(t, err)
	defer pool.Close()
	store := postgres.New(postgres.Config{Engine: pool, CountTimeout: time.Minute})
	const originals = 10
	count := func(q orchestrator.SagaQuery) int {
		q.Tenant, q.Limit, q.Count = Tenant, 1, true
		page, err := store.Sagas(t.Context(), q)
		require.NoError(t, err)
		return int(page.Count)
	}
	live := []saga.Status{saga.Running, saga.Compensating, saga.Suspended}
	require.Equal(t, 6000+originals, count(orchestrator.SagaQuery{}))
	require.Equal(t, 1500+7, count(orchestrator.SagaQuery{Statuses: live}))
	require.Equal(t, 2+1, count(orchestrator.SagaQuery{Attention: "any"}))
	require.Equal(t, 15+1, count(orchestrator.SagaQuery{BlockedOn: saga.CauseBackoff}))
	require.Equal(t, 1500+7, count(orchestrator.SagaQuery{Participant: "bench"}))
	require.Equal(t, 200, count(orchestrator.SagaQuery{Labels: map[string]string{"customer": Customer(5, 6000)}}))
	require.Equal(t, 1, count(orchestrator.SagaQuery{Saga: Rare}))
	page, err := store.Sagas(t.Context(), orchestrator.SagaQuery{Tenant: Tenant, Key: Key(4000), Limit: 5})
	require.NoError(t, err)
	require.Len(t, page.Sagas, 1)
	one := page.Sagas[0].Instance
	require.Equal(t, Key(4000), one.Key)
	entries, err := store.History(t.Context(), Tenant, one.ID, 0, 100)
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	due, err := store.Due(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, due, "nothing comes due while somebody measures")

	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	var weeks int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(DISTINCT tableoid) FROM skald.sagas`).Scan(&weeks))
	require.GreaterOrEqual(t, weeks, 3)
}
