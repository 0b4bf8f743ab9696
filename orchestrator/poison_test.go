package orchestrator_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// refusing makes the store refuse every batch that holds the saga's history of this event.
func (b *testBundle) refusing(event string) {
	b.store.commit = func(batch orchestrator.Batch) error {
		for _, w := range batch.Writes {
			for _, f := range w.Facts {
				if f.EventID == event {
					return fmt.Errorf("%w: a fact of %s", orchestrator.ErrData, event)
				}
			}
		}
		return nil
	}
}

// bisection is how many transactions a batch of n may take that has one event in it that cannot be stored: the whole, two halves of
// each part with it, and what becomes of the event.
func bisection(n int) int { return 1 + 2*int(math.Ceil(math.Log2(float64(n)))) + 1 }

func TestPoison_OneReplyInAFullBatch(t *testing.T) {
	t.Parallel()
	const n = 64
	b := setup(t)
	var ids []saga.ID
	for range n {
		ids = append(ids, b.start(errand()))
	}
	var deliveries []orchestrator.Delivery
	for _, id := range ids {
		deliveries = append(deliveries, reply(id, "run", saga.ReplySucceeded))
	}
	const poison = 37
	b.refusing(deliveries[poison].ID)
	offsets := b.broker.send(deliveries...)
	b.receive()
	b.store.transactions()
	require.Equal(t, n, b.turn())
	require.LessOrEqual(t, b.store.transactions(), bisection(n), "no delay beyond bisection")
	for i, id := range ids {
		want := saga.Succeeded
		if i == poison {
			want = saga.InFlight
		}
		require.Equal(t, want, b.saga(id).Steps[0].Status, "saga %d", i)
	}
	list := b.quarantined()
	require.Len(t, list, 1)
	require.Equal(t, "poison", list[0].Reason)
	require.Equal(t, ids[poison], list[0].Saga)
	require.Equal(t, offsets[poison], list[0].Offset)
	marks := b.broker.marks()
	for i, offset := range offsets {
		require.Equal(t, 1, marks[offset], "reply %d: the partition moves on", i)
	}
}

func TestPoison_NotEvenItsQuarantineRowCanBeStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, other := b.start(errand()), b.start(errand())
	offsets := b.broker.send(reply(id, "run", saga.ReplySucceeded, func(d *orchestrator.Delivery) { d.Raw.Topic = "\x00" }), reply(other, "run", saga.ReplySucceeded))
	b.store.commit = func(batch orchestrator.Batch) error {
		for _, w := range batch.Writes {
			if w.Next.ID == id {
				return orchestrator.ErrData
			}
		}
		return nil
	}
	b.receive()
	b.turn()
	require.Equal(t, saga.Succeeded, b.saga(other).Steps[0].Status)
	require.Equal(t, map[int64]int{offsets[0]: 1, offsets[1]: 1}, b.broker.marks(), "the partition moves on (L5)")
}

func TestPoison_TwoAtTheEndsOfABatch(t *testing.T) {
	t.Parallel()
	const n = 9
	b := setup(t)
	var ids []saga.ID
	var deliveries []orchestrator.Delivery
	for range n {
		ids = append(ids, b.start(errand()))
	}
	for _, id := range ids {
		deliveries = append(deliveries, reply(id, "run", saga.ReplySucceeded))
	}
	b.store.commit = func(batch orchestrator.Batch) error {
		for _, w := range batch.Writes {
			if w.Next.ID == ids[0] || w.Next.ID == ids[n-1] {
				return orchestrator.ErrData
			}
		}
		return nil
	}
	b.broker.send(deliveries...)
	b.receive()
	b.turn()
	for _, id := range ids[1 : n-1] {
		require.Equal(t, saga.Succeeded, b.saga(id).Steps[0].Status)
	}
	require.Len(t, b.quarantined(), 2)
}

func TestPoison_StartWithRefusedContent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bad := errand()
	bad.Key = "\xff" // no UTF-8, so no text for the database
	var good []*answered[orchestrator.Started]
	for range 4 {
		good = append(good, b.offer(errand()))
	}
	a := b.offer(bad)
	for range 3 {
		good = append(good, b.offer(errand()))
	}
	b.store.transactions()
	require.Equal(t, 8, b.turn())
	require.LessOrEqual(t, b.store.transactions(), bisection(8))
	for _, g := range good {
		require.Equal(t, 1, g.times)
		require.NoError(t, g.err)
	}
	require.Equal(t, 1, a.times)
	var wrong *orchestrator.InputError
	require.ErrorAs(t, a.err, &wrong)
}

// panics is an expression with a bug.
type panics struct{}

func (panics) Eval(saga.Scope) (json.RawMessage, error) { panic("a bug in an expression") }

func TestPoison_DecideThatPanics(t *testing.T) {
	t.Parallel()
	b := setup(t)
	trap := `{"saga": "trap", "version": 1, "steps": [
		{"name": "run", "participant": "runner", "command": "Run.v1", "effect": "none"},
		{"name": "report", "participant": "runner", "command": "Report.v1", "effect": "none"}]}`
	_, _, err := b.engine.PutDefinition(t.Context(), tenant, []byte(trap), true, "tester", "")
	require.NoError(t, err)
	def, err := b.engine.Definition(t.Context(), tenant, "trap", 1)
	require.NoError(t, err)
	broken := *def
	broken.Steps = append([]saga.Step{}, def.Steps...)
	broken.Steps[1].Payload = panics{}
	b.engine.Know(tenant, &broken)
	req := errand()
	req.Saga = "trap"
	victim, before, after := b.start(req), b.start(errand()), b.start(errand())
	b.broker.commands()
	b.broker.send(reply(before, "run", saga.ReplySucceeded), reply(victim, "run", saga.ReplySucceeded), reply(after, "run", saga.ReplySucceeded))
	b.receive()
	b.store.transactions()
	b.turn()
	require.Equal(t, 1, b.store.transactions(), "a panic costs the others nothing")
	in := b.saga(victim)
	require.Equal(t, saga.Suspended, in.Status)
	require.Equal(t, saga.AttentionInvariant, in.Attention[0].Reason)
	require.Contains(t, in.Broken, "a bug in an expression")
	for _, id := range []saga.ID{before, after} {
		require.Equal(t, saga.InFlight, b.saga(id).Steps[1].Status)
	}
	require.Len(t, b.broker.marks(), 3)
	require.NoError(t, b.act(action(victim, saga.ActionAbandon)).err, "only abandon is left")
}

// A saga whose own next state cannot be stored is suspended, and its events stay dense (ce_sequence, design section 6).
func TestPoison_WakingThatCannotBeStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	victim, other := b.start(errand()), b.start(errand())
	b.turn()
	b.broker.published = nil
	b.machine.now = b.machine.now.Add(orchestrator.PreciseWithin)
	b.store.commit = func(batch orchestrator.Batch) error {
		for _, w := range batch.Writes {
			if w.Next.ID == victim && w.Next.Broken == "" {
				return orchestrator.ErrData
			}
		}
		return nil
	}
	b.engine.Sweep(t.Context())
	b.turn()
	in := b.saga(victim)
	require.Equal(t, saga.Suspended, in.Status)
	require.Equal(t, saga.AttentionInvariant, in.Attention[0].Reason)
	require.Equal(t, 2, b.saga(other).Steps[0].Forward.Attempt, "it timed out and was sent again")
	b.publish()
	events := 1 // saga.started
	for _, r := range b.broker.published {
		if r.Kind == orchestrator.RecordEvent && r.Saga == victim {
			events++
		}
	}
	require.EqualValues(t, in.EventSeq, events, "every lifecycle event that has a number is published")
}

func TestPoison_ThatTheAdapterFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raw := orchestrator.Quarantined{Topic: "skald.replies", Reason: "unreadable", Message: "no header at all", Value: []byte("\xff\x00")}
	offsets := b.broker.send(orchestrator.Delivery{Poison: &raw, Raw: raw})
	b.receive()
	b.turn()
	list := b.quarantined()
	require.Len(t, list, 1)
	require.Equal(t, "unreadable", list[0].Reason)
	require.Equal(t, raw.Value, list[0].Value)
	require.Equal(t, map[int64]int{offsets[0]: 1}, b.broker.marks())
}
