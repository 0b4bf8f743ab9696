package postgres_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// A load may find that its row was changed after the statement began. What it locks it must read as it is now, and what it says
// of the outbox must be no older than that: else a write would be refused, or a command that waits would seem published.
func TestBegin_ReadsTheNewestVersion(t *testing.T) {
	t.Parallel()
	s := newStore(t, migrated(t))
	first := newSaga()
	id := first.Writes[0].Next.ID
	first.Writes[0].Next.Steps = []saga.StepState{{Status: saga.InFlight, Effect: saga.EffectPossible, Forward: saga.Leg{Created: true, Batch: first.ID}}}
	require.NoError(t, begin(t, s).Commit(t.Context(), first))

	var group errgroup.Group
	var written atomic.Int64
	until := time.Now().Add(time.Second)
	for range 4 {
		group.Go(func() error {
			for time.Now().Before(until) {
				if err := advance(t, s, id, &written); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, 1+written.Load(), revision(t, s, id))
	require.Greater(t, written.Load(), int64(10))
}

func advance(t *testing.T, s *postgres.Store, id saga.ID, written *atomic.Int64) error {
	tx, err := s.Begin(t.Context(), orchestrator.Need{Sagas: []saga.ID{id}})
	if err != nil {
		return err
	}
	defer tx.Rollback(t.Context())
	row := tx.Row(id)
	if row.State == orchestrator.RowBusy {
		return nil
	}
	if row.State != orchestrator.RowLoaded {
		return fmt.Errorf("state %d of a saga that is there", row.State)
	}
	if !row.Sent[0].Unpublished {
		return errors.New("nothing was settled: the command is in the outbox")
	}
	b := newSaga()
	b.ID = saga.BatchID(saga.NewID(time.Now(), 0, rand.Uint64()))
	w := &b.Writes[0]
	w.Next = row.Instance
	w.Next.Revision++
	w.Next.Seq++
	w.Next.Steps[0].Forward.Batch = b.ID
	w.Facts[0].Seq = w.Next.Seq
	b.Audit = nil
	if err := tx.Commit(t.Context(), b); err != nil {
		return err
	}
	written.Add(1)
	return nil
}

// A commit whose wait for a synchronous replica is cut short answers COMMIT, and says so with a warning alone.
func TestCommit_WithAWarningIsUnknown(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := newStore(t, dsn)
	exec(t, dsn, `
		CREATE FUNCTION public.warn() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE WARNING 'not replicated'; RETURN NULL; END$$;
		CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON skald.outbox DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.waiting <> '{}') EXECUTE FUNCTION public.warn()`)
	b := newSaga()
	err := begin(t, s).Commit(t.Context(), b)
	require.ErrorIs(t, err, orchestrator.ErrUnknown)
	require.ErrorContains(t, err, "not replicated")
	committed, err := s.Committed(t.Context(), b.ID, b.Writes[0])
	require.NoError(t, err)
	require.True(t, committed)

	b = newSaga()
	b.Outbox = nil
	require.NoError(t, begin(t, s).Commit(t.Context(), b), "the warning of an earlier transaction says nothing about this one")
}
