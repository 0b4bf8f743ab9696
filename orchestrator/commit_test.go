package orchestrator_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// lock holds a saga's row as another transaction does, until the answer is called.
func (b *testBundle) lock(id saga.ID) (release func()) {
	b.t.Helper()
	tx, err := b.memory.Begin(b.t.Context(), orchestrator.Need{Sagas: []saga.ID{id}})
	require.NoError(b.t, err)
	require.Equal(b.t, orchestrator.RowLoaded, tx.Row(id).State)
	return func() { tx.Rollback(b.t.Context()) }
}

func TestCommit_ALockedSagaWaitsAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	busy, other := b.start(errand()), b.start(errand())
	release := b.lock(busy)
	offsets := b.broker.send(reply(busy, "run", saga.ReplySucceeded), reply(other, "run", saga.ReplySucceeded))
	b.receive()
	pause := action(busy, saga.ActionPause)
	pause.IdempotencyKey = "k-1"
	paused, started := b.offerAct(pause), b.offer(errand())
	b.turn()
	require.Equal(t, saga.Succeeded, b.saga(other).Steps[0].Status)
	require.Equal(t, 1, started.times)
	require.NoError(t, started.err)
	require.Equal(t, map[int64]int{offsets[1]: 1}, b.broker.marks(), "not marked before it is committed (S18)")
	require.Equal(t, 2, b.engine.Later())
	before := b.machine.now
	b.turn()
	require.Equal(t, 2, b.engine.Later(), "put off once, not twice")
	require.LessOrEqual(t, b.machine.now.Sub(before), 10*time.Millisecond)
	require.Zero(t, paused.times)
	release()
	b.turn()
	b.turn()
	require.Equal(t, 1, paused.times)
	require.NoError(t, paused.err)
	in := b.saga(busy)
	require.Equal(t, saga.Succeeded, in.Steps[0].Status)
	require.NotNil(t, in.Pause)
	require.Equal(t, map[int64]int{offsets[0]: 1, offsets[1]: 1}, b.broker.marks())
	require.Zero(t, b.engine.Later())
}

func TestCommit_AStartWaitsForTheSagaThatHasItsKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(order("A-1", 1))
	release := b.lock(id)
	again := order("A-1", 1)
	again.IdempotencyKey = "k-1"
	waiting, other := b.offer(again), b.offer(order("A-2", 1))
	b.turn()
	require.Equal(t, []int{0, 1}, []int{waiting.times, other.times})
	release()
	b.turn()
	require.NoError(t, waiting.err)
	require.Equal(t, id, waiting.got.ID)
	require.True(t, waiting.got.Existing)
}

func TestCommit_Unknown(t *testing.T) {
	t.Parallel()
	for name, happened := range map[string]bool{"Happened": true, "DidNotHappen": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			req := order("A-1", 1)
			req.IdempotencyKey = "k-1"
			a := b.offer(req)
			once := func(orchestrator.Batch) error {
				b.store.commit, b.store.committed = nil, nil
				return errors.Join(orchestrator.ErrUnknown, errors.New("connection lost"))
			}
			if happened {
				b.store.committed = once
			} else {
				b.store.commit = once
			}
			asked := 0
			b.store.ask = func(saga.BatchID) error {
				require.Zero(t, a.times, "nothing is promised before it is certain (S1)")
				if asked++; asked < 3 {
					return errors.New("still no connection")
				}
				return nil
			}
			b.turn()
			require.Equal(t, 3, asked)
			require.Equal(t, 1, a.times)
			require.NoError(t, a.err)
			require.False(t, a.got.Existing)
			page, err := b.memory.Sagas(t.Context(), orchestrator.SagaQuery{Tenant: tenant, Limit: 10})
			require.NoError(t, err)
			require.Len(t, page.Sagas, 1, "no second saga")
			require.Equal(t, a.got.ID, page.Sagas[0].Instance.ID)
			b.publish()
			require.Len(t, b.broker.commands(), 1)
		})
	}
}

func TestCommit_UnknownWithoutFactsRunsAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	offsets := b.broker.send(reply(saga.NewID(b.machine.now, 1, 1), "run", saga.ReplySucceeded))
	b.receive()
	b.store.committed = func(orchestrator.Batch) error {
		b.store.committed = nil
		return orchestrator.ErrUnknown
	}
	b.turn()
	require.Len(t, b.quarantined(), 1, "a record is quarantined once, however often it is written")
	require.Equal(t, map[int64]int{offsets[0]: 1}, b.broker.marks())
}

func TestCommit_PassingErrorsAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"Conflict": orchestrator.ErrConflict, "Connection": errors.New("connection refused")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.start(errand())
			offsets := b.broker.send(reply(id, "run", saga.ReplySucceeded))
			b.receive()
			a, again := b.offer(errand()), 0
			b.store.commit = func(orchestrator.Batch) error {
				if again++; again < 4 {
					require.Zero(t, a.times)
					require.Empty(t, b.broker.marks())
					return failure
				}
				return nil
			}
			before := b.machine.now
			b.turn()
			require.Equal(t, 4, again)
			require.Equal(t, 350*time.Millisecond, b.machine.now.Sub(before), "50, 100 and 200 ms")
			require.Equal(t, 1, a.times)
			require.NoError(t, a.err)
			require.Equal(t, saga.Succeeded, b.saga(id).Steps[0].Status)
			require.Equal(t, map[int64]int{offsets[0]: 1}, b.broker.marks())
			require.EqualValues(t, 2, b.saga(id).Revision)
		})
	}
}

func TestCommit_WhatIsPutOffIsPutOffOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *orchestrator.Config) { cfg.BatchBytes = 1000 })
	large := errand()
	large.Input = []byte(`"0123456789"`)
	for len(large.Input) < 200 {
		large.Input = append(large.Input, ' ')
	}
	first, second := b.offer(large), b.offer(large) // 800 bytes each, about
	fails := 2
	b.store.commit = func(orchestrator.Batch) error {
		if fails--; fails >= 0 {
			return orchestrator.ErrConflict
		}
		return nil
	}
	b.turn()
	require.Equal(t, []int{1, 0}, []int{first.times, second.times})
	require.Equal(t, 1, b.engine.Later())
	b.turn()
	require.Zero(t, b.turn())
	require.Equal(t, 1, second.times)
	require.NoError(t, second.err)
}

func TestCommit_BatchesAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *orchestrator.Config) { cfg.BatchEvents = 3 })
	for range 7 {
		b.offer(errand())
	}
	require.Equal(t, []int{3, 3, 1}, []int{b.turn(), b.turn(), b.turn()})
}

func TestCommit_RepliesGoBeforeStarts(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *orchestrator.Config) { cfg.BatchEvents = 1 })
	id := b.start(errand())
	a := b.offer(errand())
	b.broker.send(reply(id, "run", saga.ReplySucceeded))
	b.receive()
	b.turn()
	require.Zero(t, a.times)
	require.Equal(t, saga.Succeeded, b.saga(id).Steps[0].Status)
	b.turn()
	require.Equal(t, 1, a.times)
}
