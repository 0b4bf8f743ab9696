package sim

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/memory"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/orchestrator/storetest"
)

// TestStore: without faults the layer of faults is not there to be seen.
func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Fixture {
		var ahead time.Duration
		s := newLoneStore(Options{Seed: 1, Calm: true}, memory.Config{
			Now:             func() time.Time { return time.Now().Add(ahead) },
			QuarantineBytes: storetest.QuarantineBytes,
		})
		return storetest.Fixture{Store: s, Age: func(_ testing.TB, d time.Duration) { ahead += d }}
	})
}

// newLoneStore is the store of one replica in a world without engines.
func newLoneStore(opt Options, cfg memory.Config) *faultyStore {
	w := newWorld(opt)
	w.database.store = memory.New(cfg)
	w.committed = func(*replica, orchestrator.Batch) {}
	return &faultyStore{Store: w.database.store, w: w, r: &replica{w: w, name: "lone", life: 1}}
}

// TestStore_CommitUnknown: of a commit whose answer is lost, what is stored and what Committed says are one, as
// orchestrator/postgres has it, and asking changes nothing but that a commit under way may not happen any more.
func TestStore_CommitUnknown(t *testing.T) {
	t.Parallel()
	for fault, committed := range map[Fault]bool{FaultCommitLostThere: false, FaultCommitLostBack: true, FaultCommitLate: false} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			s := newLoneStore(Options{Seed: 1, Only: []Hit{{fault, 1}}}, memory.Config{})
			b := newSaga()
			require.ErrorIs(t, s.begin(t).Commit(t.Context(), b), orchestrator.ErrUnknown)
			for range 2 {
				got, err := s.Committed(t.Context(), b.ID, b.Writes[0])
				require.NoError(t, err)
				require.Equal(t, committed, got)
				require.Equal(t, committed, s.revision(t, b) == 1, "the answer is what is stored")
			}
			s.w.until(s.w.now.Add(time.Minute), nil)
			require.Equal(t, committed, s.revision(t, b) == 1, "and stays so")
			require.NoError(t, s.begin(t).Commit(t.Context(), newSaga()), "the next one is as any other")
		})
	}
}

// TestStore_CommitLateArrives: nobody asks, so it happens.
func TestStore_CommitLateArrives(t *testing.T) {
	t.Parallel()
	s := newLoneStore(Options{Seed: 1, Only: []Hit{{FaultCommitLate, 1}}}, memory.Config{})
	b := newSaga()
	require.ErrorIs(t, s.begin(t).Commit(t.Context(), b), orchestrator.ErrUnknown)
	require.Zero(t, s.revision(t, b))
	s.w.until(s.w.now.Add(time.Minute), nil)
	require.Equal(t, int64(1), s.revision(t, b))
	got, err := s.Committed(t.Context(), b.ID, b.Writes[0])
	require.NoError(t, err)
	require.True(t, got)
}

// TestStore_CommitFailed: nothing of a commit that fails for certain is stored, and no lock stays.
func TestStore_CommitFailed(t *testing.T) {
	t.Parallel()
	for fault, want := range map[Fault]error{FaultStatement: errConnection, FaultConflict: orchestrator.ErrConflict, FaultSessionEnded: errConnection} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			s := newLoneStore(Options{Seed: 1, Only: []Hit{{fault, 2}}}, memory.Config{})
			b := newSaga()
			b.Outbox, b.Audit = nil, nil
			if fault == FaultStatement { // its second opportunity is the history
				require.Error(t, s.begin(t).Commit(t.Context(), b))
				require.Zero(t, s.revision(t, b))
				require.NoError(t, s.begin(t).Commit(t.Context(), b))
				return
			}
			require.NoError(t, s.begin(t).Commit(t.Context(), b))
			next := following(b)
			err := s.begin(t, b.Writes[0].Next.ID).Commit(t.Context(), next)
			require.ErrorIs(t, err, want)
			require.NotErrorIs(t, err, orchestrator.ErrUnknown)
			got, err := s.Committed(t.Context(), next.ID, next.Writes[0])
			require.NoError(t, err)
			require.False(t, got)
			require.Equal(t, int64(1), s.revision(t, b))
			require.NoError(t, s.begin(t, b.Writes[0].Next.ID).Commit(t.Context(), following(b)))
			require.Equal(t, int64(2), s.revision(t, b))
		})
	}
}

// TestStore_ZombieIsRefused: a transaction that the database has ended writes nothing, and others had the row meanwhile (S17).
func TestStore_ZombieIsRefused(t *testing.T) {
	t.Parallel()
	s := newLoneStore(Options{Seed: 1, Calm: true}, memory.Config{})
	b := newSaga()
	id := b.Writes[0].Next.ID
	require.NoError(t, s.begin(t).Commit(t.Context(), b))
	zombie := s.begin(t, id)
	require.Equal(t, orchestrator.RowLoaded, zombie.Row(id).State)
	require.Equal(t, orchestrator.RowBusy, s.begin(t, id).Row(id).State)
	s.r.sever() // idle_in_transaction_session_timeout
	require.NoError(t, s.begin(t, id).Commit(t.Context(), following(b)))
	stale := following(b)
	require.Error(t, zombie.Commit(t.Context(), stale))
	got, err := s.Committed(t.Context(), stale.ID, stale.Writes[0])
	require.NoError(t, err)
	require.False(t, got)
	require.ErrorIs(t, s.begin(t, id).Commit(t.Context(), following(b)), orchestrator.ErrConflict)
	require.Equal(t, int64(2), s.revision(t, b))
}

func (s *faultyStore) begin(t *testing.T, ids ...saga.ID) orchestrator.Tx {
	t.Helper()
	tx, err := s.Begin(t.Context(), orchestrator.Need{Sagas: ids})
	require.NoError(t, err)
	t.Cleanup(func() { tx.Rollback(context.Background()) })
	return tx
}

func (s *faultyStore) revision(t *testing.T, b orchestrator.Batch) int64 {
	t.Helper()
	id := b.Writes[0].Next.ID
	got, err := s.Revisions(t.Context(), []saga.ID{id})
	require.NoError(t, err)
	return got[id]
}

// newSaga is a batch that stores a new saga.
func newSaga() orchestrator.Batch {
	now := time.Now().UTC().Truncate(time.Microsecond)
	in := saga.Instance{
		ID: saga.ID(newBatchID(now)), Tenant: "default", Saga: "order", Version: 1, Status: saga.Running,
		CreatedAt: now, UpdatedAt: now, Revision: 1, Seq: 1, Input: json.RawMessage(`{}`),
	}
	return orchestrator.Batch{
		ID: newBatchID(now), RetryIn: time.Hour,
		Writes: []orchestrator.Write{{Next: in, WakeAt: now.Add(time.Minute), Facts: []saga.Fact{{Seq: 1, At: now, Type: saga.SagaStarted}}}},
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

func newBatchID(now time.Time) saga.BatchID {
	return saga.BatchID(saga.NewID(now, uint16(rand.Uint32()), rand.Uint64()))
}
