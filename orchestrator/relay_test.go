package orchestrator_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// decide answers a publish outcome by the kind of record.
func (b *testBundle) decide(command, event orchestrator.PublishOutcome) {
	b.broker.outcome = func(r orchestrator.Record) orchestrator.Published {
		p := orchestrator.Published{Outcome: command, Partition: 3, Offset: 7, At: b.machine.now, Err: errors.New("the broker says so")}
		if r.Kind == orchestrator.RecordEvent {
			p.Outcome = event
		}
		return p
	}
}

const (
	acked   = orchestrator.PublishAcked
	unknown = orchestrator.PublishUnknown
	refused = orchestrator.PublishRefused
)

func TestRelay_UnknownStaysInTheOutbox(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.decide(unknown, unknown)
	id := b.start(errand())
	b.turn()
	require.Equal(t, 1, b.outbox())
	require.Empty(t, b.store.settled)
	b.machine.now = b.machine.now.Add(30 * time.Second)
	b.turn()
	b.engine.FireTimers(t.Context())
	b.turn()
	require.Equal(t, 1, b.saga(id).Steps[0].Forward.Attempt, "no timeout while the command is in the outbox")
	blocked, err := b.engine.Blocked(t.Context(), b.view(id))
	require.NoError(t, err)
	require.Equal(t, saga.CauseUnpublished, blocked[0].Cause)

	b.decide(acked, acked)
	b.broker.commands()
	b.engine.Sweep(t.Context())
	b.publish()
	require.Len(t, b.broker.commands(), 1)
	for range 3 {
		b.turn()
	}
	require.Zero(t, b.outbox())
}

func (b *testBundle) view(id saga.ID) orchestrator.View {
	b.t.Helper()
	view, err := b.memory.Saga(b.t.Context(), tenant, id)
	require.NoError(b.t, err)
	return view
}

func TestRelay_APartlyAcknowledgedRowIsRewritten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.decide(acked, unknown)
	id := b.start(errand())
	b.turn()
	require.Len(t, b.store.settled, 1)
	require.Equal(t, []orchestrator.Acked{{Index: 0, Partition: 3, Offset: 7, At: b.store.settled[0][0].Acked[0].At, CommittedAt: b.store.settled[0][0].Acked[0].At}}, b.store.settled[0][0].Acked)
	require.Equal(t, []int{1}, b.store.settled[0][0].Left)
	require.Equal(t, 1, b.outbox())
	require.False(t, b.view(id).Sent[0].Unpublished, "the command is out")
	b.decide(acked, acked)
	b.broker.published = nil
	b.machine.now = b.machine.now.Add(8 * time.Second)
	b.engine.Sweep(t.Context())
	b.publish()
	require.Len(t, b.broker.published, 1, "only what was left is sent again")
	require.Equal(t, orchestrator.RecordEvent, b.broker.published[0].Kind)
	for range 3 {
		b.turn()
	}
	require.Zero(t, b.outbox())
}

func TestRelay_ARefusedCommandIsToldToItsSaga(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.decide(refused, acked)
	id := b.start(errand())
	b.turn()
	in := b.saga(id)
	require.Equal(t, saga.Suspended, in.Status)
	require.Equal(t, saga.Stuck, in.Steps[0].Status)
	require.Equal(t, saga.EffectNone, in.Steps[0].Effect, "no attempt was ever acknowledged or unknown")
	require.Equal(t, saga.AttentionUnpublishable, in.Attention[0].Reason)
	b.decide(acked, acked)
	b.publish()
	b.turn()
	require.Zero(t, b.outbox(), "a refused record leaves its row")
}

// A crash between the acknowledgements' transaction and the event's must leave the row, so that somebody tells the saga (S6).
func TestRelay_ARefusedCommandStaysInTheOutboxUntilItsSagaIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.decide(refused, acked)
	id := b.start(errand())
	foreign, err := b.memory.Begin(t.Context(), orchestrator.Need{Sagas: []saga.ID{id}})
	require.NoError(t, err)
	b.publish()
	b.turn()
	b.turn()
	require.Equal(t, saga.Running, b.saga(id).Status, "its row is locked, so it cannot be told")
	require.Equal(t, 1, b.outbox(), "the refused command is all that says so")
	foreign.Rollback(t.Context())
	b.turn()
	require.Equal(t, saga.Suspended, b.saga(id).Status)
	b.publish()
	b.turn()
	b.turn()
	require.Zero(t, b.outbox())
}

func TestRelay_ACommandThatMayHaveBeenSentAndIsThenRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.decide(unknown, acked)
	id := b.start(errand())
	b.turn()
	b.decide(refused, acked)
	b.machine.now = b.machine.now.Add(8 * time.Second)
	b.engine.Sweep(t.Context())
	b.publish()
	b.turn()
	in := b.saga(id)
	require.Equal(t, saga.Stuck, in.Steps[0].Status)
	require.Equal(t, saga.EffectPossible, in.Steps[0].Effect)
}

func TestRelay_ARefusedEventIsLeftOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.decide(acked, refused)
	id := b.start(errand())
	b.turn()
	require.Zero(t, b.outbox())
	require.Equal(t, saga.Running, b.saga(id).Status)
	require.Empty(t, b.saga(id).Attention)
}

func TestRelay_AcknowledgementsRideOnTheNextTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start(errand())
	require.Equal(t, 1, b.outbox())
	b.offer(errand())
	b.turn()
	require.Len(t, b.store.batches[1].Settled, 1)
	require.Equal(t, b.store.batches[0].ID, b.store.batches[1].Settled[0].Batch)
	require.Empty(t, b.store.settled, "no transaction of their own")
	require.Equal(t, 1, b.outbox(), "that of the second start")
}

func TestRelay_AcknowledgementsComeBackWhenTheirTransactionFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start(errand())
	b.offer(errand())
	fails := 2
	b.store.commit = func(batch orchestrator.Batch) error {
		require.Len(t, batch.Settled, 1)
		if fails--; fails >= 0 {
			return orchestrator.ErrConflict
		}
		return nil
	}
	b.turn()
	require.Equal(t, -1, fails)
	require.Equal(t, 1, b.outbox())
}

func TestRelay_AcknowledgementsAreStoredAloneAfter200ms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.offer(errand())
	b.turn()
	require.NoError(t, a.err)
	var ackedAt time.Time
	b.machine.during = func(d time.Duration) { // the relay is done just after the committer began to wait for events
		b.machine.during = nil
		b.publish()
		ackedAt = b.machine.now.Add(-d)
	}
	for b.outbox() > 0 {
		b.turn()
		require.LessOrEqual(t, b.machine.now.Sub(ackedAt), 10*time.Second)
	}
	require.Len(t, b.store.settled, 1)
	require.LessOrEqual(t, b.machine.now.Sub(ackedAt), 400*time.Millisecond, "200 ms, and what was left of a wait before it")
}

func TestRelay_SettlingIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start(errand())
	fails := 2
	b.store.settle = func([]orchestrator.Settled) error {
		if fails--; fails >= 0 {
			return errors.New("connection refused")
		}
		return nil
	}
	for range 3 {
		b.turn()
	}
	require.Zero(t, b.outbox())
}

func TestRelay_KeepsTheOrderOfCommits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []saga.ID
	for range 5 {
		a := b.offer(errand())
		b.turn()
		want = append(want, a.got.ID)
	}
	b.publish()
	var got []saga.ID
	for _, r := range b.broker.commands() {
		got = append(got, r.Saga)
	}
	require.Equal(t, want, got, "S7")
}
