package postgres_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// newSaga is a batch that stores a new saga.
func newSaga() orchestrator.Batch {
	now := time.Now().UTC().Truncate(time.Microsecond)
	in := saga.Instance{
		ID:        saga.NewID(now, uint16(rand.Uint32()), rand.Uint64()),
		Tenant:    "default",
		Saga:      "order",
		Version:   1,
		Status:    saga.Running,
		CreatedAt: now,
		UpdatedAt: now,
		Revision:  1,
		Seq:       1,
		Input:     json.RawMessage(`{}`),
	}
	return orchestrator.Batch{
		ID:      saga.BatchID(saga.NewID(now, 0, rand.Uint64())),
		RetryIn: time.Hour,
		Writes: []orchestrator.Write{{
			Next:   in,
			WakeAt: now.Add(time.Minute),
			Facts:  []saga.Fact{{Seq: 1, At: now, Type: saga.SagaStarted}},
		}},
		Outbox: []orchestrator.Record{{Kind: orchestrator.RecordEvent, Topic: "skald.events", Key: []byte("k")}},
		Audit:  []orchestrator.Audit{{Tenant: "default", Actor: "ada", Action: "start"}},
	}
}

// following is a batch that stores the next revision of the saga of b.
func following(b orchestrator.Batch) orchestrator.Batch {
	n := newSaga()
	w := &n.Writes[0]
	w.Next = b.Writes[0].Next
	w.Next.Revision++
	w.Next.Seq++
	w.Facts[0].Seq = w.Next.Seq
	return n
}

func begin(t *testing.T, s *postgres.Store, ids ...saga.ID) orchestrator.Tx {
	t.Helper()
	tx, err := s.Begin(t.Context(), orchestrator.Need{Sagas: ids})
	require.NoError(t, err)
	t.Cleanup(func() { tx.Rollback(context.Background()) })
	return tx
}

func revision(t *testing.T, s *postgres.Store, id saga.ID) int64 {
	t.Helper()
	got, err := s.Revisions(t.Context(), []saga.ID{id})
	require.NoError(t, err)
	return got[id]
}

// lossy is a store whose way to the server loses what the proxy is told to, and one beside it whose way is good.
func lossy(t *testing.T, cfg postgres.PoolConfig, commit time.Duration) (p *proxy, bad, good *postgres.Store, dsn string) {
	t.Helper()
	dsn = migrated(t)
	p, cfg.DSN = newProxy(t, dsn)
	cfg.Role = postgres.RoleEngine
	bad = postgres.New(postgres.Config{Engine: openPool(t, cfg), CommitTimeout: commit})
	good = postgres.New(postgres.Config{Engine: openPool(t, postgres.PoolConfig{DSN: dsn, Role: postgres.RoleEngine, LockTimeout: 100 * time.Millisecond})})
	return p, bad, good, dsn
}

func TestCommit_LostOnTheWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose      loss
		committed bool
	}{
		"RequestLost": {requests, false},
		"AnswerLost":  {answers, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, bad, good, _ := lossy(t, postgres.PoolConfig{}, 0)
			warm := begin(t, bad) // statements are prepared in a round trip of their own, the first time
			require.NoError(t, warm.Commit(t.Context(), newSaga()))

			tx := begin(t, bad)
			b := newSaga()
			p.set(c.lose, true)
			require.ErrorIs(t, tx.Commit(t.Context(), b), orchestrator.ErrUnknown)
			committed, err := good.Committed(t.Context(), b.ID, b.Writes[0])
			require.NoError(t, err)
			require.Equal(t, c.committed, committed)
			require.Equal(t, committed, revision(t, good, b.Writes[0].Next.ID) == 1)
			again, err := good.Committed(t.Context(), b.ID, b.Writes[0])
			require.NoError(t, err)
			require.Equal(t, committed, again, "asking changes nothing")

			p.set(nothing, false)
			require.Eventually(t, func() bool { // the pool notices that its connections are gone
				tx, err := bad.Begin(t.Context(), orchestrator.Need{})
				if err != nil {
					return false
				}
				defer tx.Rollback(t.Context())
				return tx.Commit(t.Context(), newSaga()) == nil
			}, 5*time.Second, 10*time.Millisecond, "the store heals without a restart")
		})
	}
}

func TestBegin_ConnectionLost(t *testing.T) {
	t.Parallel()
	p, bad, good, _ := lossy(t, postgres.PoolConfig{}, 0)
	b := newSaga()
	require.NoError(t, begin(t, bad).Commit(t.Context(), b))
	p.set(answers, true)
	_, err := bad.Begin(t.Context(), orchestrator.Need{Sagas: []saga.ID{b.Writes[0].Next.ID}})
	require.Error(t, err)
	require.NotErrorIs(t, err, orchestrator.ErrUnknown)
	require.Eventually(t, func() bool {
		tx := begin(t, good, b.Writes[0].Next.ID)
		defer tx.Rollback(t.Context())
		return tx.Row(b.Writes[0].Next.ID).State == orchestrator.RowLoaded
	}, 5*time.Second, 10*time.Millisecond, "the server gives the locks of a lost connection back")
}

// The connection is lost while the server is still at it: nobody may say that it is not committed.
func TestCommit_LostWhileUnderWay(t *testing.T) {
	t.Parallel()
	p, bad, good, dsn := lossy(t, postgres.PoolConfig{LockTimeout: 20 * time.Second, StatementTimeout: 30 * time.Second}, 300*time.Millisecond)
	require.NoError(t, begin(t, bad).Commit(t.Context(), newSaga()))

	blocker := connect(t, dsn)
	hold, err := blocker.Begin(t.Context())
	require.NoError(t, err)
	_, err = hold.Exec(t.Context(), `UPDATE skald.audit_heads SET seq = seq`)
	require.NoError(t, err)

	b := newSaga()
	tx := begin(t, bad)
	p.set(nothing, true) // the request to cancel must not get through either
	require.ErrorIs(t, tx.Commit(t.Context(), b), orchestrator.ErrUnknown)
	_, err = good.Committed(t.Context(), b.ID, b.Writes[0])
	require.Error(t, err, "still under way: neither yes nor no")

	require.NoError(t, hold.Rollback(t.Context()))
	var committed bool
	require.Eventually(t, func() bool {
		committed, err = good.Committed(t.Context(), b.ID, b.Writes[0])
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, committed, revision(t, good, b.Writes[0].Next.ID) == 1, "the answer is what is stored")
	require.True(t, committed, "nothing stopped it")
}

// A server that ends the session says so with an error that is no answer about the commit.
func TestCommit_SessionEnded(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := newStore(t, dsn)
	tx := begin(t, s)
	b := newSaga()
	exec(t, dsn, `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'skald-engine'`)
	require.Error(t, tx.Commit(t.Context(), b))
	committed, err := s.Committed(t.Context(), b.ID, b.Writes[0])
	require.NoError(t, err)
	require.False(t, committed)
}

// S17: a replica that was paused or cut off can write nothing stale.
func TestCommit_ZombieIsRefused(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	paused := postgres.New(postgres.Config{Engine: openPool(t, postgres.PoolConfig{DSN: dsn, Role: postgres.RoleEngine, IdleInTx: 50 * time.Millisecond})})
	s := newStore(t, dsn)
	b := newSaga()
	id := b.Writes[0].Next.ID
	require.NoError(t, begin(t, s).Commit(t.Context(), b))

	zombie := begin(t, paused, id)
	require.Equal(t, orchestrator.RowLoaded, zombie.Row(id).State)
	require.Eventually(t, func() bool { // the server ends the idle transaction, and others go on
		tx := begin(t, s, id)
		if tx.Row(id).State != orchestrator.RowLoaded {
			tx.Rollback(t.Context())
			return false
		}
		return tx.Commit(t.Context(), following(b)) == nil
	}, 10*time.Second, 10*time.Millisecond)
	stale := following(b)
	require.Error(t, zombie.Commit(t.Context(), stale))
	committed, err := s.Committed(t.Context(), stale.ID, stale.Writes[0])
	require.NoError(t, err)
	require.False(t, committed)
	require.Equal(t, int64(2), revision(t, s, id))

	// Even with a connection that lives: the revision is no longer what it was.
	require.ErrorIs(t, begin(t, s, id).Commit(t.Context(), following(b)), orchestrator.ErrConflict)
	require.Equal(t, int64(2), revision(t, s, id))
}

// A missing partition is nothing that is wrong with the content: bisecting would suspend sagas for it.
func TestCommit_MissingPartition(t *testing.T) {
	t.Parallel()
	s := newStore(t, migrated(t))
	b := newSaga()
	far := time.Now().Add(400 * 24 * time.Hour)
	b.Writes[0].Next.ID = saga.NewID(far, 1, 1)
	err := begin(t, s).Commit(t.Context(), b)
	require.ErrorContains(t, err, "no partition of relation")
	for _, sentinel := range []error{orchestrator.ErrData, orchestrator.ErrConflict, orchestrator.ErrUnknown, orchestrator.ErrClaimTimeout} {
		require.NotErrorIs(t, err, sentinel)
	}
}

// Statements that fail in the second round trip leave a connection that is used again.
func TestCommit_FailedLeavesTheConnectionGood(t *testing.T) {
	t.Parallel()
	s := postgres.New(postgres.Config{Engine: openPool(t, postgres.PoolConfig{DSN: migrated(t), Role: postgres.RoleEngine, MaxConns: 1})})
	for range 3 {
		require.ErrorIs(t, begin(t, s).Commit(t.Context(), following(newSaga())), orchestrator.ErrConflict)
	}
	require.NoError(t, begin(t, s).Commit(t.Context(), newSaga()))
}
