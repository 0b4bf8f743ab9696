package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

func TestMaintain_OneReplicaAtATime(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := newStore(t, dsn)
	other := connect(t, dsn)
	tx, err := other.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock(x'736b616c6b'::bigint)`)
	require.NoError(t, err)
	done, err := s.Maintain(t.Context())
	require.NoError(t, err)
	require.False(t, done.Ran)
	require.NoError(t, tx.Rollback(t.Context()))
	done, err = s.Maintain(t.Context())
	require.NoError(t, err)
	require.True(t, done.Ran)
}

func TestMaintain_MakesPartitionsAgain(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := newStore(t, dsn)
	before, err := s.PartitionsUntil(t.Context())
	require.NoError(t, err)
	exec(t, dsn, `DO $$ BEGIN EXECUTE (
		SELECT 'DROP TABLE skald.' || max(c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'skald.receipts'::regclass
	); END $$`)
	fewer, err := s.PartitionsUntil(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.Add(-7*24*time.Hour), fewer, "the least of the tables counts")
	done, err := s.Maintain(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, done.PartitionsMade)
	require.Equal(t, before, done.PartitionsUntil)
	again, err := s.PartitionsUntil(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, again)
}

func TestMaintain_RemovesFences(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := newStore(t, dsn)
	b := newSaga()
	b.ID = saga.BatchID(saga.NewID(time.Now().Add(-2*time.Hour), 0, 1))
	committed, err := s.Committed(t.Context(), b.ID, b.Writes[0])
	require.NoError(t, err)
	require.False(t, committed)
	depth, err := s.OutboxDepth(t.Context(), 10)
	require.NoError(t, err)
	require.Zero(t, depth, "a fence is nothing that waits to be published")
	_, err = s.Maintain(t.Context())
	require.NoError(t, err)
	var rows int
	require.NoError(t, connect(t, dsn).QueryRow(t.Context(), `SELECT count(*) FROM skald.outbox`).Scan(&rows))
	require.Zero(t, rows)
}

// Retention: a week leaves as a whole once no saga in it is live, and nothing else notices.
func TestDetachBefore(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := newStore(t, dsn)
	conn := connect(t, dsn)
	lastWeek := time.Now().Add(-7 * 24 * time.Hour)
	old, fresh := newSaga(), newSaga()
	old.Writes[0].Next.ID = saga.NewID(lastWeek, 1, 1)
	old.ID = saga.BatchID(saga.NewID(lastWeek, 1, 1))
	require.NoError(t, begin(t, s).Commit(t.Context(), old))
	require.NoError(t, begin(t, s).Commit(t.Context(), fresh))

	detached, err := postgres.DetachBefore(t.Context(), conn, lastWeek)
	require.NoError(t, err)
	require.Empty(t, detached, "the week is not wholly past that time")
	past := time.Now().UTC().Truncate(24 * time.Hour)
	for past.Weekday() != time.Monday {
		past = past.Add(-24 * time.Hour)
	}
	detached, err = postgres.DetachBefore(t.Context(), conn, past)
	require.NoError(t, err)
	require.Equal(t, []string{}, append([]string{}, keepTable(detached, "sagas_")...), "a live saga keeps its week")

	ended := following(old)
	ended.Writes[0].Next.Status, ended.Writes[0].WakeAt = saga.Completed, time.Time{}
	require.NoError(t, begin(t, s, old.Writes[0].Next.ID).Commit(t.Context(), ended))
	detached, err = postgres.DetachBefore(t.Context(), conn, past)
	require.NoError(t, err)
	require.Len(t, keepTable(detached, "sagas_"), 1)
	require.Len(t, keepTable(detached, "history_"), 1)
	_, err = s.Saga(t.Context(), "default", old.Writes[0].Next.ID)
	require.ErrorIs(t, err, orchestrator.ErrNotFound)
	require.Equal(t, int64(1), revision(t, s, fresh.Writes[0].Next.ID))
	var kept int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM skald.`+pgx.Identifier{keepTable(detached, "sagas_")[0]}.Sanitize()).Scan(&kept))
	require.Equal(t, 1, kept, "what was detached is a table of its own, to archive or drop")
	_, err = s.Maintain(t.Context())
	require.NoError(t, err)
}

func keepTable(tables []string, prefix string) []string {
	var out []string
	for _, t := range tables {
		if len(t) > len(prefix) && t[:len(prefix)] == prefix {
			out = append(out, t)
		}
	}
	return out
}

func TestKeys_MadeOnce(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := newStore(t, dsn)
	var group errgroup.Group
	rings := make([][]wire.Key, 10)
	for i := range rings {
		group.Go(func() (err error) {
			rings[i], err = s.Keys(context.Background(), wire.Key{ID: "k" + string(rune('0'+i)), Secret: []byte("0123456789abcdef\x00")})
			return err
		})
	}
	require.NoError(t, group.Wait())
	for _, ring := range rings {
		require.Len(t, ring, 1)
		require.Equal(t, rings[0], ring, "replicas that start at once sign with the same key")
	}
	require.Equal(t, []byte("0123456789abcdef\x00"), rings[0][0].Secret)
	exec(t, dsn, `INSERT INTO skald.keys (kid, secret) VALUES ('newer', '\x01ffff')`)
	ring, err := s.Keys(t.Context(), wire.Key{})
	require.NoError(t, err)
	require.Len(t, ring, 2)
	require.Equal(t, "newer", ring[0].ID, "the newest signs, all verify")
}

func TestAudit_TamperingShows(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := newStore(t, dsn)
	for range 3 {
		require.NoError(t, begin(t, s).Commit(t.Context(), newSaga()))
	}
	require.NoError(t, s.VerifyAudit(t.Context(), "default"))
	tamper := func(sql string) {
		exec(t, dsn, `SET session_replication_role = replica; `+sql)
	}
	tamper(`DELETE FROM skald.audit WHERE seq = 3`)
	require.ErrorContains(t, s.VerifyAudit(t.Context(), "default"), "the chain ends at 2")
	tamper(`UPDATE skald.audit SET entry = entry || '\x20' WHERE seq = 2`)
	require.ErrorContains(t, s.VerifyAudit(t.Context(), "default"), "entry 2 does not fit")
	tamper(`DELETE FROM skald.audit WHERE seq = 1`)
	require.ErrorContains(t, s.VerifyAudit(t.Context(), "default"), "entry 1 does not fit")
}

// The hash covers the entry; the columns that lists filter by must say the same, or a row could be hidden from those who look.
func TestAudit_TamperedColumnShows(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := newStore(t, dsn)
	for range 5 {
		require.NoError(t, begin(t, s).Commit(t.Context(), newSaga()))
	}
	require.NoError(t, s.VerifyAudit(t.Context(), "default"))
	for i, c := range [][2]string{
		{"actor", `'eve'`}, {"action", `'saga.resume'`}, {"target", `'elsewhere'`}, {"at", `at - interval '1 day'`}, {"saga_id", `gen_random_uuid()`},
	} { // from the newest on: the first that does not fit is told
		exec(t, dsn, fmt.Sprintf(`SET session_replication_role = replica; UPDATE skald.audit SET %s = %s WHERE seq = %d`, c[0], c[1], 5-i))
		require.ErrorContains(t, s.VerifyAudit(t.Context(), "default"), fmt.Sprintf("entry %d says otherwise than its column %s", 5-i, c[0]))
	}
}

func TestOpenPool_Parameters(t *testing.T) {
	t.Parallel()
	pool := openPool(t, postgres.PoolConfig{DSN: migrated(t), Role: postgres.RoleAPI, StatementTimeout: 1500 * time.Millisecond})
	for name, want := range map[string]string{
		"application_name":                    "skald-api",
		"statement_timeout":                   "1500ms",
		"lock_timeout":                        "1s",
		"idle_in_transaction_session_timeout": "5s",
	} {
		var got string
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&got))
		require.Equal(t, want, got, name)
	}
	_, err := postgres.OpenPool(t.Context(), postgres.PoolConfig{DSN: "postgres://%"})
	require.Error(t, err)
}

// Counting stops; live sagas are counted all the same (design section 8).
func TestSagas_CountStops(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := postgres.New(postgres.Config{
		Engine:       openPool(t, postgres.PoolConfig{DSN: dsn, Role: postgres.RoleEngine}),
		API:          openPool(t, postgres.PoolConfig{DSN: dsn, Role: postgres.RoleAPI}),
		CountTimeout: time.Millisecond,
	})
	require.NoError(t, begin(t, s).Commit(t.Context(), newSaga()))
	exec(t, dsn, `
		INSERT INTO skald.sagas (shard, id, tenant, saga, version, key, status, revision, created_at, wake_at, attention, causes, batches, instance)
		SELECT 0, skald.uuid_at(skald.clock() + n * interval '1 millisecond'), 'default', 'order', 1, '', 'running', 1, skald.clock(),
			skald.clock(), '{}', '{}', '{}', instance
		FROM generate_series(1, 20000) AS n, (SELECT instance FROM skald.sagas) AS s`)
	q := orchestrator.SagaQuery{Tenant: "default", Limit: 1, Count: true}
	page, err := s.Sagas(t.Context(), q)
	require.NoError(t, err)
	require.False(t, page.Exact)
	require.Positive(t, page.Count)
	require.Less(t, page.Count, int64(20001))
	q.Statuses = []saga.Status{saga.Running}
	page, err = s.Sagas(t.Context(), q)
	require.NoError(t, err)
	require.True(t, page.Exact)
	require.Equal(t, int64(20001), page.Count)
}
