package api

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/memory"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// echoBroker acknowledges every record, and answers every command as the participants of the sample would.
type echoBroker struct {
	replies chan orchestrator.Delivery

	mu     sync.Mutex // guards offset
	offset int64
}

func (e *echoBroker) Publish(_ context.Context, records []orchestrator.Record) []orchestrator.Published {
	out := make([]orchestrator.Published, len(records))
	for i, r := range records {
		e.mu.Lock()
		e.offset++
		out[i] = orchestrator.Published{Outcome: orchestrator.PublishAcked, Offset: e.offset, At: time.Now()}
		e.mu.Unlock()
		if r.Kind != orchestrator.RecordCommand {
			continue
		}
		reply := saga.Replied{Step: r.Step, Verb: r.Verb, Edition: r.Edition, Attempt: r.Attempt, Outcome: saga.ReplySucceeded, Value: json.RawMessage(`{}`)}
		switch {
		case r.Step == "charge-payment" && r.Verb == saga.Execute && string(r.Value) == "decline":
			reply.Outcome, reply.Code = saga.ReplyRejected, "card_declined"
		case r.Step == "charge-payment":
			reply.Value = json.RawMessage(`{"payment_id":"p1"}`)
		case r.Step == "create-shipment":
			reply.Value = json.RawMessage(`{"shipment_id":"s1"}`)
		}
		e.replies <- orchestrator.Delivery{Saga: r.Saga, Tenant: "default", ID: r.Step + string(r.Verb), Reply: reply}
	}
	return out
}

func (e *echoBroker) Fetch(ctx context.Context) ([]orchestrator.Delivery, error) {
	select {
	case d := <-e.replies:
		return []orchestrator.Delivery{d}, nil
	case <-ctx.Done():
		return nil, nil
	}
}

func (e *echoBroker) Mark([]orchestrator.Delivery) {}

// plainEncoder names commands, and tells the broker which payment to decline.
type plainEncoder struct{}

func (plainEncoder) Command(in *saga.Instance, cmd saga.Command, _ time.Time) orchestrator.Record {
	r := orchestrator.Record{
		Kind: orchestrator.RecordCommand, Topic: cmd.Participant + ".commands", Value: cmd.Payload, Saga: in.ID,
		Step: cmd.Step, Verb: cmd.Verb, Edition: cmd.Edition, Attempt: cmd.Attempt,
	}
	if in.Labels["payment"] == "declined" {
		r.Value = []byte("decline")
	}
	return r
}

func (plainEncoder) Event(in *saga.Instance, f saga.Fact) orchestrator.Record {
	return orchestrator.Record{Kind: orchestrator.RecordEvent, Topic: "skald.events", Saga: in.ID, Step: f.Step}
}

// serveEngine serves the API on a real engine with a store in memory.
func serveEngine(t *testing.T) *client.Client {
	t.Helper()
	store, hub, log := memory.New(memory.Config{}), NewHub(), slog.New(slog.NewTextHandler(io.Discard, nil))
	metrics := NewMetrics()
	engine, err := orchestrator.New(orchestrator.Config{
		Store: store, Reader: store, Definitions: store, Holds: store, Encoder: plainEncoder{},
		Broker: &echoBroker{replies: make(chan orchestrator.Delivery, 1000)}, Logger: log, Observer: Observers(hub, metrics),
	})
	require.NoError(t, err)
	a, err := New(Config{Engine: engine, Hub: hub, Metrics: metrics, Logger: log})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- engine.Run(ctx) }()
	go func() { ended <- a.Serve(ctx, listener) }()
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, <-ended)
	})
	c, err := client.New("http://"+listener.Addr().String(), client.WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return c.Ready(t.Context()) == nil }, 20*time.Second, 10*time.Millisecond)
	_, created, err := c.PutDefinition(t.Context(), "order-placement", 1, readSample(t), true)
	require.NoError(t, err)
	require.True(t, created)
	return c
}

func order(id string) json.RawMessage {
	return json.RawMessage(`{"order_id":"` + id + `","customer_id":"c","amount_cents":5,"payment_token":"t","items":[{"sku":"s","quantity":1}]}`)
}

func TestEngine_ASagaFromStartToEnd(t *testing.T) {
	t.Parallel()
	c := serveEngine(t)
	ctx := t.Context()
	_, created, err := c.PutDefinition(ctx, "order-placement", 1, readSample(t), true)
	require.NoError(t, err)
	require.False(t, created, "the same content is a no-op")

	started, err := c.Start(ctx, client.StartRequest{Saga: "order-placement", Input: order("A-1")}, client.WithWait(30*time.Second))
	require.NoError(t, err)
	require.NotNil(t, started.Saga, "it ended within the wait")
	require.Equal(t, client.Completed, started.Saga.Status)
	require.Equal(t, "A-1", started.Saga.Key)
	require.JSONEq(t, `{"order_id":"A-1","shipment_id":"s1"}`, string(started.Saga.Output))
	require.Equal(t, "committed", started.Saga.Certificate.Verdict)

	other := json.RawMessage(`{"order_id":"A-1","customer_id":"x","amount_cents":5,"payment_token":"t","items":[{"sku":"s","quantity":1}]}`)
	_, err = c.Start(ctx, client.StartRequest{Saga: "order-placement", Input: other})
	requireCode(t, err, "key_in_use")
	_, err = c.Start(ctx, client.StartRequest{Saga: "order-placement", Input: json.RawMessage(`{"order_id":""}`)})
	var refused *client.Error
	require.ErrorAs(t, err, &refused)
	require.Greater(t, len(refused.Errors), 2, "every violation of the input's schema")
	_, err = c.Start(ctx, client.StartRequest{Saga: "nobody-knows", Input: order("A-1")})
	requireCode(t, err, "unknown_saga")

	var seqs int64
	for f, err := range c.AllHistory(ctx, started.ID) {
		require.NoError(t, err)
		seqs++
		require.Equal(t, seqs, f.Seq)
	}
	require.Positive(t, seqs)
	_, err = c.Act(ctx, started.ID, client.ActionCancel, client.ActRequest{Reason: "too late"})
	requireCode(t, err, "saga_ended")
}

// S2: same idempotency key and body, same saga; other body, 422.
func TestEngine_AReplayAnswersAsTheFirstTime(t *testing.T) {
	t.Parallel()
	c := serveEngine(t)
	ctx := t.Context()
	started, err := c.Start(ctx, client.StartRequest{Saga: "order-placement", Input: order("A-1")}, client.WithIdempotencyKey("k"))
	require.NoError(t, err)
	require.False(t, started.Replayed)
	again, err := c.Start(ctx, client.StartRequest{Saga: "order-placement", Input: order("A-1")}, client.WithIdempotencyKey("k"))
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, started.ID, again.ID)
	_, err = c.Start(ctx, client.StartRequest{Saga: "order-placement", Input: order("A-2")}, client.WithIdempotencyKey("k"))
	requireCode(t, err, "idempotency_key_reused")
}

func TestEngine_ADeclinedPaymentIsUndoneAndFollowed(t *testing.T) {
	t.Parallel()
	c := serveEngine(t)
	ctx := t.Context()
	started, err := c.Start(ctx, client.StartRequest{Saga: "order-placement", Input: order("B-1"), Labels: map[string]string{"payment": "declined"}})
	require.NoError(t, err)
	types := map[string]bool{}
	for event, err := range c.SagaEvents(ctx, started.ID, 0) {
		require.NoError(t, err)
		types[event.Type] = true
	}
	for _, want := range []string{"saga.started", "step.rejected", "abort.started", "undo.succeeded", "saga.compensated", "end"} {
		require.True(t, types[want], want)
	}
	got, err := c.Saga(ctx, started.ID)
	require.NoError(t, err)
	require.Equal(t, "cleanly_aborted", got.Certificate.Verdict)
	require.Equal(t, "card_declined", got.Abort.Code)
	list, err := c.Sagas(ctx, client.SagaFilter{Status: []client.Status{client.Compensated}, Labels: map[string]string{"payment": "declined"}, Count: true})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	_, err = c.Saga(ctx, started.ID, client.IfChangedFrom(got.Revision))
	require.ErrorIs(t, err, client.ErrNotModified)
}

func readSample(t *testing.T) []byte {
	t.Helper()
	src, err := os.ReadFile("../configs/definitions/order-placement.yaml")
	require.NoError(t, err)
	return src
}

func requireCode(t *testing.T, err error, code string) {
	t.Helper()
	var refused *client.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, code, refused.Code)
}
