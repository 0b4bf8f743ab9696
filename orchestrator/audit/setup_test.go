package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/memory"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant = "default"

// tripDefinition has a key, steps of every kind, and two that run side by side.
const tripDefinition = `
saga: trip
version: 1
key: input.id
labels: {team: "${input.id}"}
deadline: 10m
defaults: {timeout: 1m}
steps:
  - {name: flight, participant: air, command: Book.v1, after: [], compensation: {command: Cancel.v1}}
  - {name: hotel, participant: rooms, command: Book.v1, after: [], compensation: {command: Cancel.v1}}
  - {name: pay, participant: bank, command: Pay.v1, kind: pivot, after: [flight, hotel]}
  - {name: tell, participant: post, command: Send.v1, kind: retriable, after: [pay]}
`

// store is what a test's store offers.
type store interface {
	audit.Store
	orchestrator.Store
	orchestrator.Reader
	orchestrator.Definitions
	orchestrator.Holds
}

// site is an engine on a store, with participants that do as a saga's input says.
type site struct {
	*orchestrator.Engine
	t     *testing.T
	store store
	stop  func()
}

func newSite(t *testing.T, s store) *site {
	t.Helper()
	keys, err := wire.NewKeyring(wire.Key{ID: "k1", Secret: []byte("0123456789abcdef0123456789abcdef")})
	require.NoError(t, err)
	engine, err := orchestrator.New(orchestrator.Config{
		Store: s, Reader: s, Definitions: s, Holds: s, Broker: &echo{some: make(chan struct{}, 1)},
		Encoder: kafka.NewCodec(wire.Topics{}, "test", keys), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = engine.Run(ctx) })
	stop := func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	b := &site{Engine: engine, t: t, store: s, stop: stop}
	b.await("the engine runs", func() bool { return engine.Ready() == nil })
	_, _, err = engine.PutDefinition(ctx, tenant, []byte(tripDefinition), true, "ada", "r-0")
	require.NoError(t, err)
	return b
}

func inMemory(t *testing.T) *site { return newSite(t, memory.New(memory.Config{})) }

// onPostgres also answers a connection of the test's own.
func onPostgres(t *testing.T) (*site, *pgx.Conn) {
	t.Helper()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	cfg := postgres.Config{}
	cfg.Engine, err = postgres.OpenPool(context.Background(), postgres.PoolConfig{DSN: dsn, Role: postgres.RoleEngine})
	require.NoError(t, err)
	t.Cleanup(cfg.Engine.Close)
	cfg.API, err = postgres.OpenPool(context.Background(), postgres.PoolConfig{DSN: dsn, Role: postgres.RoleAudit})
	require.NoError(t, err)
	t.Cleanup(cfg.API.Close)
	conn, err := pgx.Connect(context.Background(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	return newSite(t, postgres.New(cfg)), conn
}

func (b *site) await(what string, ok func() bool) {
	b.t.Helper()
	require.Eventually(b.t, ok, 20*time.Second, 2*time.Millisecond, what)
}

// begin starts a saga; do says what its participants answer to a step (else they succeed): silence, rejected, undo_rejected.
func (b *site) begin(key string, do map[string]string) saga.ID {
	b.t.Helper()
	input, err := json.Marshal(map[string]any{"id": key, "do": do})
	require.NoError(b.t, err)
	started, err := b.Start(b.t.Context(), orchestrator.StartRequest{Tenant: tenant, Saga: "trip", Input: input, By: "ada", IdempotencyKey: "start-" + key})
	require.NoError(b.t, err)
	return started.ID
}

func (b *site) instance(id saga.ID) saga.Instance {
	b.t.Helper()
	view, err := b.store.Saga(b.t.Context(), tenant, id)
	require.NoError(b.t, err)
	return view.Instance
}

func (b *site) act(id saga.ID, action saga.Action, step string) error {
	_, err := b.Act(b.t.Context(), orchestrator.ActRequest{
		Tenant: tenant, ID: id, IdempotencyKey: fmt.Sprintf("%s-%s-%s", action, step, id), RequestID: "r-1",
		Act: saga.Acted{Action: action, Step: step, Reason: "a test", By: "ada"},
	})
	return err
}

// scene starts a saga and waits until it is where the name says.
func (b *site) scene(name, key string) saga.ID {
	b.t.Helper()
	scenes := map[string]struct {
		do     map[string]string
		status saga.Status
		ready  func(*saga.Instance) bool
	}{
		"completed":   {nil, saga.Completed, nil},
		"compensated": {map[string]string{"pay": "rejected"}, saga.Compensated, nil},
		"waiting": {map[string]string{"pay": "silence"}, saga.Running, func(in *saga.Instance) bool {
			return in.Steps[2].Status == saga.InFlight
		}},
		"suspended": {map[string]string{"hotel": "undo_rejected", "pay": "rejected"}, saga.Suspended, func(in *saga.Instance) bool {
			return in.Steps[0].Status == saga.Undone && in.Steps[1].Status == saga.UndoFailed
		}},
	}
	scene, ok := scenes[name]
	require.True(b.t, ok, name)
	id := b.begin(key, scene.do)
	b.await(key+" is "+name, func() bool {
		in := b.instance(id)
		return in.Status == scene.status && (scene.ready == nil || scene.ready(&in))
	})
	return id
}

// settled waits until nothing is in the outbox.
func (b *site) settled() {
	b.t.Helper()
	b.await("the outbox is empty", func() bool {
		n, err := b.store.OutboxDepth(b.t.Context(), 1)
		return err == nil && n == 0
	})
}

// echo is a broker whose participants answer at once, as the saga's input says.
type echo struct {
	mu      sync.Mutex // guards what follows
	replies []orchestrator.Delivery
	offset  int64
	some    chan struct{}
}

func (b *echo) Publish(_ context.Context, records []orchestrator.Record) []orchestrator.Published {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]orchestrator.Published, len(records))
	for i, r := range records {
		b.offset++
		out[i] = orchestrator.Published{Outcome: orchestrator.PublishAcked, Offset: b.offset, At: time.Now()}
		if reply, ok := answerTo(&r); ok {
			reply.Raw.Offset, reply.Reply.Record.Offset, reply.Ack = b.offset, b.offset, b.offset
			b.replies = append(b.replies, reply)
		}
	}
	select {
	case b.some <- struct{}{}:
	default:
	}
	return out
}

func answerTo(r *orchestrator.Record) (orchestrator.Delivery, bool) {
	var asked struct {
		Do      map[string]string `json:"do"`
		Payload struct {
			Do map[string]string `json:"do"`
		} `json:"payload"`
	}
	if r.Kind != orchestrator.RecordCommand || json.Unmarshal(r.Value, &asked) != nil {
		return orchestrator.Delivery{}, false
	}
	outcome := saga.ReplySucceeded
	switch do := asked.Do[r.Step] + asked.Payload.Do[r.Step]; {
	case do == "silence":
		return orchestrator.Delivery{}, false
	case do == "rejected" && r.Verb == saga.Execute, do == "undo_rejected" && r.Verb == saga.Compensate:
		outcome = saga.ReplyRejected
	}
	return orchestrator.Delivery{
		Saga: r.Saga, Tenant: tenant, ID: wire.RandomID().String(),
		Reply: saga.Replied{
			Step: r.Step, Verb: r.Verb, Edition: r.Edition, Attempt: r.Attempt, Outcome: outcome, Value: json.RawMessage(`{}`),
			Record: saga.Coordinates{Topic: "skald.replies"},
		},
		Raw: orchestrator.Quarantined{Topic: "skald.replies", Saga: r.Saga, Tenant: tenant},
	}, true
}

func (b *echo) Fetch(ctx context.Context) ([]orchestrator.Delivery, error) {
	for {
		b.mu.Lock()
		out := b.replies
		b.replies = nil
		b.mu.Unlock()
		if len(out) > 0 {
			return out, nil
		}
		select {
		case <-b.some:
		case <-ctx.Done():
			return nil, nil
		}
	}
}

func (b *echo) Mark([]orchestrator.Delivery) {}

// world brings about everything that a store can hold.
func (b *site) world() {
	b.t.Helper()
	for _, name := range []string{"completed", "compensated", "waiting", "suspended"} {
		b.scene(name, "A-"+name)
	}
	cancelled := b.scene("waiting", "A-cancelled")
	require.NoError(b.t, b.act(cancelled, saga.ActionCancel, "")) // it waits for the pivot
	abandoned := b.scene("suspended", "A-abandoned")
	require.NoError(b.t, b.act(abandoned, saga.ActionPause, ""))
	require.NoError(b.t, b.act(abandoned, saga.ActionAbandon, ""))
	waived := b.scene("suspended", "A-waived")
	require.NoError(b.t, b.act(waived, saga.ActionWaive, "hotel"))
	retried := b.scene("suspended", "A-retried")
	require.NoError(b.t, b.act(retried, saga.ActionRetry, "hotel")) // refused again under the next edition
	paused := b.scene("waiting", "A-paused")
	require.NoError(b.t, b.act(paused, saga.ActionPause, ""))
	b.scene("compensated", "A-again")
	input := json.RawMessage(`{"id": "A-again"}`)
	again, err := b.Start(b.t.Context(), orchestrator.StartRequest{Tenant: tenant, Saga: "trip", Input: input, By: "ada", IdempotencyKey: "again"})
	require.NoError(b.t, err, "its key is given on")
	b.await("it is completed", func() bool { return b.instance(again.ID).Status == saga.Completed })
	existing, err := b.Start(b.t.Context(), orchestrator.StartRequest{Tenant: tenant, Saga: "trip", Input: input, By: "ada", IdempotencyKey: "existing"})
	require.NoError(b.t, err)
	require.True(b.t, existing.Existing)
	var taken *orchestrator.KeyInUseError
	_, err = b.Start(b.t.Context(), orchestrator.StartRequest{Tenant: tenant, Saga: "trip", Input: json.RawMessage(`{"id": "A-again", "x": 1}`), By: "ada", IdempotencyKey: "taken"})
	require.ErrorAs(b.t, err, &taken)
	var refused *saga.RefusedError
	require.True(b.t, errors.As(b.act(abandoned, saga.ActionCancel, ""), &refused))
	require.ErrorIs(b.t, b.act(saga.NewID(time.Now(), 1, 2), saga.ActionCancel, ""), orchestrator.ErrNotFound)
	b.settled()
}
