package orchestrator_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestSweep_WakesWhatADeadReplicaLeft(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	b.turn()
	b.broker.commands()
	b.engine = b.replica() // its timers are those of nobody
	require.Zero(t, b.engine.Timers())
	b.engine.Sweep(t.Context())
	require.Zero(t, b.engine.Intake(), "it is not due yet")
	b.machine.now = b.machine.now.Add(5*time.Second + orchestrator.Grid)
	b.engine.Sweep(t.Context())
	require.Equal(t, 1, b.engine.Intake())
	b.turn()
	require.Equal(t, 2, b.saga(id).Steps[0].Forward.Attempt)
	b.publish()
	require.Len(t, b.broker.commands(), 1)
}

func TestSweep_PublishesWhatADeadReplicaCommitted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.offer(errand())
	b.turn()
	require.Equal(t, 1, b.engine.ForgetOutgoing())
	b.engine = b.replica()
	b.machine.now = b.machine.now.Add(8*time.Second - time.Millisecond)
	b.engine.Sweep(t.Context())
	require.Zero(t, b.engine.Outgoing(), "its owner has until commit + 8 s")
	b.machine.now = b.machine.now.Add(time.Millisecond)
	b.engine.Sweep(t.Context())
	require.Equal(t, 1, b.engine.Outgoing())
	b.engine.Sweep(t.Context())
	require.Equal(t, 1, b.engine.Outgoing(), "taken for 10 s")
	b.publish()
	commands := b.broker.commands()
	require.Len(t, commands, 1)
	require.Equal(t, a.got.ID, commands[0].Saga)
	b.turn()
	require.Zero(t, b.outbox())
}

func TestSweep_AFullOutboxRefusesStartsOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *orchestrator.Config) { cfg.OutboxLimit = 2 })
	b.decide(unknown, unknown)
	first, _ := b.start(errand()), b.start(errand())
	b.engine.Sweep(t.Context())
	var over *orchestrator.OverloadedError
	require.ErrorAs(t, b.refusal(errand()), &over)
	require.Positive(t, over.RetryAfter)
	require.NotEmpty(t, over.Why)

	b.broker.send(reply(first, "run", saga.ReplySucceeded))
	b.receive()
	b.turn()
	require.Equal(t, saga.Succeeded, b.saga(first).Steps[0].Status, "replies are applied")
	require.NoError(t, b.act(action(first, saga.ActionPause)).err, "operators get through")

	b.decide(acked, acked)
	b.machine.now = b.machine.now.Add(10 * time.Second)
	b.engine.Sweep(t.Context())
	b.publish()
	b.turn()
	b.turn()
	b.engine.Sweep(t.Context())
	b.start(errand())
}

func TestTimer_FiresOnceAndInTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	b.turn() // the acknowledgement, without which nothing times out
	require.Equal(t, 1, b.engine.Timers())
	created := b.saga(id).CreatedAt
	b.machine.now = created.Add(5 * time.Second)
	require.Zero(t, b.engine.FireTimers(t.Context()), "never early (S21)")
	fired := b.untilFired()
	require.Equal(t, 1, fired)
	require.LessOrEqual(t, b.machine.now.Sub(created), 5*time.Second+20*time.Millisecond)
	b.turn()
	require.Zero(t, b.engine.FireTimers(t.Context()))
}

// untilFired lets time pass until a timer fires.
func (b *testBundle) untilFired() int {
	b.t.Helper()
	for range 10_000 {
		if n := b.engine.FireTimers(b.t.Context()); n > 0 {
			return n
		}
		b.machine.now = b.machine.now.Add(5 * time.Millisecond)
	}
	require.FailNow(b.t, "no timer fires")
	return 0
}

func TestTimer_ResendsWhatTimedOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	b.turn()
	for range 3 { // the timeout begins with the publish, which the stored wake time does not know of
		if b.saga(id).Steps[0].Forward.Attempt > 1 {
			break
		}
		b.untilFired()
		b.turn()
	}
	require.Equal(t, 2, b.saga(id).Steps[0].Forward.Attempt)
	require.Less(t, b.machine.now.Sub(b.saga(id).CreatedAt), 6*time.Second)
}

func TestTimer_OfASagaThatHasMovedOnIsDropped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	b.turn()
	b.machine.now = b.machine.now.Add(6 * time.Second)
	b.broker.send(reply(id, "run", saga.ReplySucceeded))
	b.receive()
	require.Equal(t, 1, b.engine.FireTimers(t.Context()), "it is due, and stands behind the reply")
	b.turn()
	in := b.saga(id)
	require.Equal(t, 1, in.Steps[0].Forward.Attempt)
	require.EqualValues(t, 2, in.Revision)
	require.Equal(t, 1, b.engine.Timers(), "that of the next step")
	require.Zero(t, b.engine.FireTimers(t.Context()), "which is not due")
}

func TestTimer_OfALockedSagaIsLeftToTheSweep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	b.turn()
	defer b.lock(id)()
	b.untilFired()
	b.turn()
	require.Zero(t, b.engine.Later())
}
