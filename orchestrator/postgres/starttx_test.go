package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// plain encodes just enough to tell records apart.
type plain struct{}

func (plain) Command(in *saga.Instance, cmd saga.Command, _ time.Time) orchestrator.Record {
	return orchestrator.Record{Kind: orchestrator.RecordCommand, Topic: cmd.Participant, Saga: in.ID, Step: cmd.Step, Verb: cmd.Verb, Value: cmd.Payload}
}

func (plain) Event(in *saga.Instance, fact saga.Fact) orchestrator.Record {
	return orchestrator.Record{Kind: orchestrator.RecordEvent, Topic: "skald.events", Saga: in.ID, Value: []byte(fact.Type)}
}

func orders(t *testing.T) *saga.Definition {
	t.Helper()
	def, err := definition.Read("order", []byte(`
saga: order
version: 1
input: {type: object, required: [order_id], properties: {order_id: {type: string}}}
key: input.order_id
defaults: {timeout: 5s, retry: {max_attempts: 5, initial: 200ms, multiplier: 2, max: 10s, jitter: 0.2}}
steps:
  - {name: reserve, participant: inventory, command: Reserve.v1, effect: none}
`))
	require.NoError(t, err)
	return def
}

type startBundle struct {
	*testing.T
	store *postgres.Store
	conn  *pgx.Conn
	def   *saga.Definition
	dsn   string
}

func startSetup(t *testing.T) *startBundle {
	dsn := migrated(t)
	return &startBundle{T: t, store: newStore(t, dsn), conn: connect(t, dsn), def: orders(t), dsn: dsn}
}

func (b *startBundle) begin() pgx.Tx {
	b.Helper()
	tx, err := b.conn.Begin(b.Context())
	require.NoError(b, err)
	b.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	return tx
}

func (b *startBundle) start(tx pgx.Tx, input string) (orchestrator.Started, error) {
	return postgres.StartTx(b.Context(), tx, b.def, plain{}, saga.Started{Tenant: "default", Input: json.RawMessage(input), By: "shop"})
}

func TestStartTx_ExactlyWhenTheCallerCommits(t *testing.T) {
	t.Parallel()
	b := startSetup(t)
	lost := b.begin()
	got, err := b.start(lost, `{"order_id": "A-1"}`)
	require.NoError(t, err)
	require.NoError(t, lost.Rollback(t.Context()))
	_, err = b.store.Saga(t.Context(), "default", got.ID)
	require.ErrorIs(t, err, orchestrator.ErrNotFound)

	tx := b.begin()
	got, err = b.start(tx, `{"order_id": "A-1"}`)
	require.NoError(t, err)
	require.False(t, got.Existing)
	require.NoError(t, tx.Commit(t.Context()))
	view, err := b.store.Saga(t.Context(), "default", got.ID)
	require.NoError(t, err)
	require.Equal(t, saga.Running, view.Instance.Status)
	require.Equal(t, "A-1", view.Instance.Key)
	require.Equal(t, saga.ShardOf("default", "order", "A-1"), got.ID.Shard())
	require.Equal(t, []saga.Sent{{Step: 0, Verb: saga.Execute, Unpublished: true}}, view.Sent)
	entries, err := b.store.History(t.Context(), "default", got.ID, 0, 10)
	require.NoError(t, err)
	require.Len(t, entries, int(view.Instance.Seq))

	rows, err := b.store.TakeOverdue(t.Context(), 10, -time.Second)
	require.NoError(t, err)
	require.Len(t, rows, 1, "the sweep may send it at once")
	require.False(t, rows[0].MaybeSent, "nobody has tried yet")
	require.Equal(t, "inventory", rows[0].Records[0].Topic)
	require.Equal(t, "skald.events", rows[0].Records[1].Topic)
	rows, err = b.store.TakeOverdue(t.Context(), 10, time.Hour)
	require.NoError(t, err)
	require.True(t, rows[0].MaybeSent, "whoever took it may have sent it")

	// The engine goes on with it as with its own.
	engine := begin(t, b.store, got.ID)
	require.Equal(t, orchestrator.RowLoaded, engine.Row(got.ID).State)
}

func TestStartTx_BusinessKey(t *testing.T) {
	t.Parallel()
	b := startSetup(t)
	tx := b.begin()
	first, err := b.start(tx, `{"order_id": "A-1"}`)
	require.NoError(t, err)

	again, err := b.start(tx, `{"order_id": "A-1"}`)
	require.NoError(t, err)
	require.True(t, again.Existing)
	require.Equal(t, first.ID, again.ID)

	_, err = b.start(tx, `{"order_id": "A-1", "other": 1}`)
	var inUse *orchestrator.KeyInUseError
	require.ErrorAs(t, err, &inUse)
	require.Equal(t, first.ID, inUse.ID)
	_, err = b.start(tx, `{"order_id": 7}`)
	var input *orchestrator.InputError
	require.ErrorAs(t, err, &input)
	require.NoError(t, tx.Commit(t.Context()), "after an error the caller's transaction is good")

	engine := begin(t, b.store, first.ID)
	w := orchestrator.Write{Next: engine.Row(first.ID).Instance}
	w.Next.Revision, w.Next.Status = 2, saga.Compensated
	require.NoError(t, engine.Commit(t.Context(), orchestrator.Batch{ID: saga.BatchID(saga.NewID(time.Now(), 0, 9)), Writes: []orchestrator.Write{w}}))
	tx = b.begin()
	second, err := b.start(tx, `{"order_id": "A-1", "other": 1}`)
	require.NoError(t, err, "a compensated saga gives its key away")
	require.NotEqual(t, first.ID, second.ID)
	require.NoError(t, tx.Commit(t.Context()))
}

func TestStartTx_KeyHeldByAnotherTransaction(t *testing.T) {
	t.Parallel()
	b := startSetup(t)
	tx := b.begin()
	first, err := b.start(tx, `{"order_id": "A-1"}`)
	require.NoError(t, err)
	claim := orchestrator.Claim{Kind: orchestrator.ClaimBusinessKey, Tenant: "default", Saga: "order", Key: "A-1", ID: first.ID}
	_, err = b.store.Begin(t.Context(), orchestrator.Need{Claims: []orchestrator.Claim{claim}})
	require.ErrorIs(t, err, orchestrator.ErrClaimTimeout, "the caller's long transaction does not stall the committer")
}

func TestStartTx_UnderAHold(t *testing.T) {
	t.Parallel()
	for _, hold := range []orchestrator.Hold{
		{Tenant: "default", Scope: orchestrator.HoldTenant},
		{Tenant: "default", Scope: orchestrator.HoldParticipant, Name: "inventory"},
		{Tenant: "default", Scope: orchestrator.HoldSagaType, Name: "order", Version: 1},
		{Tenant: "other", Scope: orchestrator.HoldAll},
	} {
		t.Run(string(hold.Scope), func(t *testing.T) {
			t.Parallel()
			b := startSetup(t)
			_, err := b.store.PutHold(t.Context(), hold, orchestrator.Audit{Tenant: hold.Tenant})
			require.NoError(t, err)
			for _, other := range []orchestrator.Hold{{Tenant: "other", Scope: orchestrator.HoldTenant}, {Tenant: "default", Scope: orchestrator.HoldSagaType, Name: "order", Version: 2}} {
				_, err := b.store.PutHold(t.Context(), other, orchestrator.Audit{Tenant: "default"})
				require.NoError(t, err)
			}
			tx := b.begin()
			got, err := b.start(tx, `{"order_id": "A-1"}`)
			require.NoError(t, err)
			require.NoError(t, tx.Commit(t.Context()))
			view, err := b.store.Saga(t.Context(), "default", got.ID)
			require.NoError(t, err)
			require.Equal(t, saga.Held, view.Instance.Steps[0].Status)
			require.Empty(t, view.Sent)
		})
	}
}

// Whether there is room is not the caller's transaction's to say: the saga waits for its turn.
func TestStartTx_UnderALimit(t *testing.T) {
	t.Parallel()
	for _, limit := range []orchestrator.Limit{
		{Scope: orchestrator.HoldParticipant, Name: "inventory", Commands: 5},
		{Scope: orchestrator.HoldSagaType, Name: "order", Sagas: 5},
	} {
		t.Run(string(limit.Scope), func(t *testing.T) {
			t.Parallel()
			b := startSetup(t)
			limit.Tenant = "default"
			require.NoError(t, b.store.PutLimit(t.Context(), limit, orchestrator.Audit{Tenant: limit.Tenant}))
			tx := b.begin()
			got, err := b.start(tx, `{"order_id": "A-1"}`)
			require.NoError(t, err)
			require.NoError(t, tx.Commit(t.Context()))
			view, err := b.store.Saga(t.Context(), "default", got.ID)
			require.NoError(t, err)
			require.Equal(t, saga.Held, view.Instance.Steps[0].Status)
			ids, err := b.store.Limited(t.Context(), "default", limit.Scope, limit.Name, saga.ID{}, 10)
			require.NoError(t, err)
			require.Equal(t, []saga.ID{got.ID}, ids, "the engine finds it")
		})
	}
}

func TestListen_Hints(t *testing.T) {
	t.Parallel()
	b := startSetup(t)
	ctx, cancel := context.WithCancel(t.Context())
	hints, done := make(chan struct{}, 10), make(chan error, 1)
	go func() { done <- b.store.Listen(ctx, func() { hints <- struct{}{} }) }()
	await := func() {
		t.Helper()
		select {
		case <-hints:
		case <-time.After(10 * time.Second):
			t.Fatal("no hint")
		}
	}
	await() // it listens
	tx := b.begin()
	_, err := b.start(tx, `{"order_id": "A-1"}`)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	await()
	cancel()
	require.True(t, errors.Is(<-done, context.Canceled))
}
