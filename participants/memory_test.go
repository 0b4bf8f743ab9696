package participants_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/participanttest"
	"github.com/skaldhq/skald/participants/wire"
)

func memoryWorld(testing.TB) participanttest.World {
	var mu sync.Mutex
	var effects []string
	return participanttest.World{
		Barrier: &participants.Memory{},
		Effect: func(_ context.Context, tx any, name string) error {
			tx.(*participants.MemoryEffects).OnCommit(func() {
				mu.Lock()
				defer mu.Unlock()
				effects = append(effects, name)
			})
			return nil
		},
		Effects: func() []string {
			mu.Lock()
			defer mu.Unlock()
			return append([]string(nil), effects...)
		},
	}
}

func TestMemory_BarrierSuite(t *testing.T) {
	t.Parallel()
	participanttest.RunBarrierSuite(t, memoryWorld)
}

func TestMemory_NoWaitAnswersAtOnce(t *testing.T) {
	t.Parallel()
	m := &participants.Memory{NoWait: true}
	key := participants.RowKey{SagaID: wire.RandomID(), Step: "s", Verb: wire.Execute}
	first, err := m.Begin(t.Context(), 0)
	require.NoError(t, err)
	_, inserted, err := first.Insert(t.Context(), key, participants.Row{State: participants.Claimed})
	require.NoError(t, err)
	require.True(t, inserted)

	second, err := m.Begin(t.Context(), 0)
	require.NoError(t, err)
	_, _, err = second.Insert(t.Context(), key, participants.Row{})
	require.ErrorIs(t, err, participants.ErrRowOpen)
	require.Error(t, second.Update(t.Context(), key, participants.Row{}), "a row that is not locked is not to be changed")

	first.Rollback(t.Context())
	_, inserted, err = second.Insert(t.Context(), key, participants.Row{State: participants.Claimed})
	require.NoError(t, err)
	require.True(t, inserted)
	require.NoError(t, second.Commit(t.Context()))
	require.Error(t, second.Commit(t.Context()))
}

func TestMemory_SnapshotAndRestore(t *testing.T) {
	t.Parallel()
	m := &participants.Memory{}
	p := participants.New("tester", m, participants.Config{})
	runs := 0
	p.Handle("Do.v1", func(context.Context, *participants.Request) (participants.Result, error) {
		runs++
		return participants.Succeed(runs)
	}, nil)
	saga := participanttest.New(t, p)
	before := m.Snapshot()
	require.Equal(t, "1", string(saga.Execute("Do.v1", nil).Value))
	after := m.Snapshot()
	require.Len(t, after, 1)
	m.Restore(before)
	require.Equal(t, "2", string(saga.Execute("Do.v1", nil).Value), "the row is gone")
	m.Restore(after)
	require.Equal(t, "1", string(saga.Execute("Do.v1", nil).Value))
}

func TestMemory_LimitDropsTheOldest(t *testing.T) {
	t.Parallel()
	m := &participants.Memory{Limit: 2}
	p := participants.New("tester", m, participants.Config{})
	p.Handle("Do.v1", func(context.Context, *participants.Request) (participants.Result, error) {
		return participants.Succeed(nil)
	}, nil)
	var last *participanttest.Saga
	for range 5 {
		last = participanttest.New(t, p)
		last.Execute("Do.v1", nil)
	}
	rows := m.Snapshot()
	require.Len(t, rows, 2)
	require.Contains(t, rows, participants.RowKey{SagaID: last.ID, Step: "step", Verb: wire.Execute})
}
