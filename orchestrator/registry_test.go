package orchestrator_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// countedDefinitions counts reads, and has not got those that are lost.
type countedDefinitions struct {
	orchestrator.Definitions
	reads int
	lost  string
}

func (d *countedDefinitions) Definition(ctx context.Context, tenant, name string, version int) (orchestrator.DefinitionRow, error) {
	d.reads++
	if name == d.lost {
		return orchestrator.DefinitionRow{}, orchestrator.ErrNotFound
	}
	return d.Definitions.Definition(ctx, tenant, name, version)
}

func TestRegistry_CompilesOnce(t *testing.T) {
	t.Parallel()
	rows := &countedDefinitions{}
	b := setup(t, func(cfg *orchestrator.Config) {
		rows.Definitions = cfg.Definitions
		cfg.Definitions = rows
	})
	rows.reads = 0
	var first *saga.Definition
	for range 3 {
		def, err := b.engine.Definition(t.Context(), tenant, "errand", 1)
		require.NoError(t, err)
		if first == nil {
			first = def
		}
		require.Same(t, first, def)
	}
	require.Equal(t, 1, rows.reads)
	newest, err := b.engine.Definition(t.Context(), tenant, "errand", 0)
	require.NoError(t, err)
	require.Same(t, first, newest)
	b.start(errand())
	b.start(errand())
	require.Equal(t, 2, rows.reads, "one more for which version is active")
}

func TestRegistry_ActivatingReachesOtherReplicasWithin2s(t *testing.T) {
	t.Parallel()
	b := setup(t)
	here := b.engine
	there := b.replica()
	version := func(e *orchestrator.Engine) int {
		def, err := e.Definition(t.Context(), tenant, "errand", 0)
		require.NoError(t, err)
		return def.Version
	}
	require.Equal(t, 1, version(here))
	require.Equal(t, 1, version(there))
	second := strings.Replace(errandDefinition, "version: 1", "version: 2", 1)
	_, created, err := here.PutDefinition(t.Context(), tenant, []byte(second), false, "tester", "")
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, 1, version(here), "registered, not active")
	require.NoError(t, here.SetDefinitionState(t.Context(), tenant, "errand", 2, orchestrator.DefinitionActive, "tester", "test", ""))
	require.Equal(t, 2, version(here), "at once where it was asked for")
	require.Equal(t, 1, version(there))
	b.machine.now = b.machine.now.Add(2 * time.Second)
	require.Equal(t, 2, version(there))
}

func TestRegistry_AMissingDefinitionDelaysOnlyItsSaga(t *testing.T) {
	t.Parallel()
	rows := &countedDefinitions{}
	b := setup(t, func(cfg *orchestrator.Config) {
		rows.Definitions = cfg.Definitions
		cfg.Definitions = rows
	})
	victim, other := b.start(order("A-1", 1)), b.start(errand())
	rows.lost = "order"
	b.engine.Forget(tenant, "order", 1)
	offsets := b.broker.send(reply(victim, "reserve", saga.ReplySucceeded), reply(other, "run", saga.ReplySucceeded))
	b.receive()
	paused := b.offerAct(action(victim, saga.ActionPause))
	b.store.transactions()
	b.turn()
	require.Equal(t, 1, b.store.transactions())
	require.Equal(t, saga.Succeeded, b.saga(other).Steps[0].Status)
	require.Equal(t, saga.Running, b.saga(victim).Status)
	require.ErrorIs(t, paused.err, orchestrator.ErrUnknownSagaType)
	list := b.quarantined()
	require.Len(t, list, 1)
	require.Equal(t, "definition_missing", list[0].Reason)
	require.Equal(t, victim, list[0].Saga)
	require.Equal(t, map[int64]int{offsets[0]: 1, offsets[1]: 1}, b.broker.marks())

	rows.lost = "" // it is there again
	b.machine.now = b.machine.now.Add(orchestrator.PreciseWithin)
	b.engine.Sweep(t.Context())
	b.turn()
	require.Equal(t, 2, b.saga(victim).Steps[0].Forward.Attempt, "its attempt timed out meanwhile")
}

// A request that fails for a reason that passes leaves its Idempotency-Key free: the same request may come again (S2).
func TestRegistry_AMissingDefinitionKeepsNoKey(t *testing.T) {
	t.Parallel()
	rows := &countedDefinitions{}
	b := setup(t, func(cfg *orchestrator.Config) {
		rows.Definitions = cfg.Definitions
		cfg.Definitions = rows
	})
	victim := b.start(order("A-1", 1))
	rows.lost = "order"
	b.engine.Forget(tenant, "order", 1)
	pause := action(victim, saga.ActionPause)
	pause.IdempotencyKey = "pause-1"
	failed, other := b.offerAct(pause), b.offer(errand())
	b.turn()
	require.Equal(t, 1, failed.times)
	require.ErrorIs(t, failed.err, orchestrator.ErrUnknownSagaType)
	require.NoError(t, other.err, "it delays only itself (L5)")

	rows.lost = ""
	require.NoError(t, b.act(pause).err, "its key was not kept without an answer")
	require.NotNil(t, b.saga(victim).Pause)
	again := b.act(pause)
	require.NoError(t, again.err)
	require.True(t, again.got.Replayed)
}

func TestPutDefinition_OtherContent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, created, err := b.engine.PutDefinition(t.Context(), tenant, []byte(errandDefinition), true, "tester", "")
	require.NoError(t, err)
	require.False(t, created, "the same content is a no-op")
	_, _, err = b.engine.PutDefinition(t.Context(), tenant, []byte(strings.Replace(errandDefinition, "5s", "6s", 1)), true, "tester", "")
	require.ErrorIs(t, err, orchestrator.ErrConflict)
	require.Error(t, b.engine.CheckDefinition([]byte("saga: x\n")))
}
