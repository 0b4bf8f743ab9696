package orchestrator_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestReply_ThatNobodyAskedForIsQuarantined(t *testing.T) {
	t.Parallel()
	unknown := saga.NewID(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), 1, 1)
	for name, c := range map[string]struct {
		change func(*orchestrator.Delivery)
		reason string
	}{
		"UnknownSaga":   {func(d *orchestrator.Delivery) { d.Saga = unknown }, "unknown_saga"},
		"AnotherTenant": {func(d *orchestrator.Delivery) { d.Tenant = "tenant-2" }, "unknown_saga"},
		"UnknownStep":   {func(d *orchestrator.Delivery) { d.Reply.Step = "nothing" }, "not_asked"},
		"PendingStep":   {func(d *orchestrator.Delivery) { d.Reply.Step = "report" }, "not_asked"},
		"Compensation":  {func(d *orchestrator.Delivery) { d.Reply.Verb = saga.Compensate }, "not_asked"},
		"NextEdition":   {func(d *orchestrator.Delivery) { d.Reply.Edition = 1 }, "not_asked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id, other := b.start(errand()), b.start(errand())
			wrong := reply(id, "run", saga.ReplySucceeded, c.change)
			offsets := b.broker.send(wrong, reply(other, "run", saga.ReplySucceeded))
			b.receive()
			b.store.transactions()
			b.turn()
			require.Equal(t, 1, b.store.transactions())
			require.Equal(t, saga.InFlight, b.saga(id).Steps[0].Status)
			require.EqualValues(t, 1, b.saga(id).Revision)
			require.Equal(t, saga.Succeeded, b.saga(other).Steps[0].Status)
			reader := tenant
			if wrong.Tenant != tenant {
				reader = wrong.Tenant
			}
			list, err := b.memory.Quarantine(t.Context(), orchestrator.QuarantineQuery{Tenant: reader, Limit: 10})
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, c.reason, list[0].Reason)
			require.NotEmpty(t, list[0].Message)
			require.Equal(t, offsets[0], list[0].Offset)
			require.Equal(t, map[int64]int{offsets[0]: 1, offsets[1]: 1}, b.broker.marks(), "the partition moves on")
		})
	}
}

func TestReply_CarriesASagaToItsEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	for _, step := range []string{"run", "report"} {
		commands := b.broker.commands()
		require.Len(t, commands, 1)
		require.Equal(t, step, commands[0].Step)
		b.broker.send(reply(id, step, saga.ReplySucceeded))
		b.receive()
		b.turn()
		b.publish()
	}
	in := b.saga(id)
	require.Equal(t, saga.Completed, in.Status)
	require.Equal(t, saga.Committed, in.Certificate.Verdict)
	require.EqualValues(t, 3, in.Revision)
	b.turn()
	require.Zero(t, b.outbox())
	require.Zero(t, b.engine.Timers(), "an ended saga has no timer")
}

func TestReply_SeveralToOneSagaInABatchAreOneRevision(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	first := reply(id, "run", saga.ReplySucceeded)
	offsets := b.broker.send(first, first, reply(id, "run", saga.ReplyRejected))
	b.receive()
	b.turn()
	in := b.saga(id)
	require.EqualValues(t, 2, in.Revision)
	require.Equal(t, saga.Succeeded, in.Steps[0].Status, "the first counts (rule 2)")
	require.Equal(t, saga.AttentionConflict, in.Attention[0].Reason)
	require.Len(t, b.broker.marks(), len(offsets))
	require.Empty(t, b.quarantined())
	require.Len(t, b.facts(id), int(in.Seq), "dense (S4)")
}

func TestReply_ASecondDeliveryChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	first := reply(id, "run", saga.ReplySucceeded, func(d *orchestrator.Delivery) { d.Reply.Value = json.RawMessage(`{"n":1}`) })
	for range 3 {
		b.broker.send(first)
		b.receive()
		b.turn()
	}
	in := b.saga(id)
	require.JSONEq(t, `{"n":1}`, string(in.Steps[0].Output))
	require.Equal(t, 1, in.Steps[1].Forward.Attempt)
	b.publish()
	require.Len(t, b.broker.commands(), 2, "one command for each step (S8)")
}
