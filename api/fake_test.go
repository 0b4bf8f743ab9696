package api

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// fakeEngine answers what a test tells it, and remembers what it was asked. Sagas are real ones, made by Decide.
type fakeEngine struct {
	from    string     // of the last hold
	mu      sync.Mutex // guards what follows
	err     error      // answered by every call that can fail
	ready   error
	starts  []orchestrator.StartRequest
	acts    []orchestrator.ActRequest
	started orchestrator.Started
	acted   orchestrator.Acted
	puts    [][]byte
	states  []orchestrator.DefinitionState
	created bool
	holds   []orchestrator.HoldRow
	limits  []orchestrator.LimitUse

	handled, rehearsed []orchestrator.QuarantineRequest
	handledMany        []orchestrator.QuarantineManyRequest
	released           orchestrator.Release
	counted            orchestrator.HoldCount

	operations fakeOperations
	groups     map[string]orchestrator.Group
	answers    orchestrator.Answers

	def    *saga.Definition
	row    orchestrator.DefinitionRow
	reader *fakeReader
}

func (f *fakeEngine) Start(_ context.Context, req orchestrator.StartRequest) (orchestrator.Started, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starts = append(f.starts, req)
	return f.started, f.err
}

func (f *fakeEngine) Act(_ context.Context, req orchestrator.ActRequest) (orchestrator.Acted, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acts = append(f.acts, req)
	return f.acted, f.err
}

func (f *fakeEngine) DryRun(_ context.Context, req orchestrator.ActRequest) (saga.Decision, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acts = append(f.acts, req)
	if f.err != nil {
		return saga.Decision{}, f.err
	}
	return saga.Decide(f.def, f.reader.view.Instance, saga.Event{ID: req.RequestID, Body: req.Act, Env: saga.Env{At: testTime.Add(time.Second)}})
}

func (f *fakeEngine) Possible(_ context.Context, view orchestrator.View) ([]saga.Choice, error) {
	return saga.Possible(f.def, view.Instance, saga.Env{At: testTime, Sent: view.Sent}), nil
}

func (f *fakeEngine) Blocked(_ context.Context, view orchestrator.View) ([]saga.BlockedOn, error) {
	return saga.Blocked(f.def, view.Instance, saga.Env{At: testTime, Sent: view.Sent}), nil
}

func (f *fakeEngine) Group(_ context.Context, participant string, _ time.Duration) (orchestrator.Group, bool) {
	g, ok := f.groups[participant]
	return g, ok
}

func (f *fakeEngine) Answers(string, string) orchestrator.Answers { return f.answers }

func (f *fakeEngine) Definition(_ context.Context, _, name string, _ int) (*saga.Definition, error) {
	if name != f.def.Name {
		return nil, orchestrator.ErrUnknownSagaType
	}
	return f.def, nil
}

func (f *fakeEngine) PutDefinition(_ context.Context, _ string, src []byte, _ bool, _, _ string) (orchestrator.DefinitionRow, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.puts = append(f.puts, src)
	if f.err != nil {
		return orchestrator.DefinitionRow{}, false, f.err
	}
	if _, err := definition.Read("definition", src); err != nil {
		return orchestrator.DefinitionRow{}, false, err
	}
	return f.row, f.created, nil
}

func (f *fakeEngine) CheckDefinition(src []byte) error {
	_, err := definition.Read("definition", src)
	return err
}

func (f *fakeEngine) SetDefinitionState(_ context.Context, _, _ string, _ int, state orchestrator.DefinitionState, _, _, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.states = append(f.states, state)
	return f.err
}

func (f *fakeEngine) PutHold(ctx context.Context, h orchestrator.Hold, by, _ string) (orchestrator.HoldRow, bool, error) {
	f.from = orchestrator.RemoteOf(ctx)
	if f.err != nil {
		return orchestrator.HoldRow{}, false, f.err
	}
	for _, row := range f.holds {
		if row.Scope == h.Scope && row.Name == h.Name {
			return row, false, nil
		}
	}
	h.Kind, h.By = orchestrator.HoldOperator, by
	row := orchestrator.HoldRow{ID: int64(len(f.holds) + 1), Hold: h}
	f.holds = append(f.holds, row)
	return row, true, nil
}

func (f *fakeEngine) EndHold(_ context.Context, tenant string, id int64, r orchestrator.Release) error {
	for i, row := range f.holds {
		if row.ID == id && row.Tenant == tenant {
			f.holds, f.released = slices.Delete(f.holds, i, i+1), r
			return nil
		}
	}
	return orchestrator.ErrNotFound
}

func (f *fakeEngine) HoldStatus(_ context.Context, tenant string, id int64) (orchestrator.HoldRow, orchestrator.HoldCount, error) {
	for _, row := range f.holds {
		if row.ID == id && row.Tenant == tenant {
			return row, f.counted, nil
		}
	}
	return orchestrator.HoldRow{}, orchestrator.HoldCount{}, orchestrator.ErrNotFound
}

func (f *fakeEngine) PutLimit(_ context.Context, l orchestrator.Limit, _ string) error {
	f.limits = slices.DeleteFunc(f.limits, func(u orchestrator.LimitUse) bool { return u.Target() == l.Target() })
	f.limits = append(f.limits, orchestrator.LimitUse{Limit: l})
	return f.err
}

func (f *fakeEngine) RemoveLimit(_ context.Context, l orchestrator.Limit, _ string) error {
	before := len(f.limits)
	f.limits = slices.DeleteFunc(f.limits, func(u orchestrator.LimitUse) bool { return u.Target() == l.Target() })
	if len(f.limits) == before {
		return orchestrator.ErrNotFound
	}
	return f.err
}

func (f *fakeEngine) Limits(context.Context, string) ([]orchestrator.LimitUse, error) {
	return f.limits, f.err
}

func (f *fakeEngine) Holds(context.Context, string) ([]orchestrator.HoldRow, error) {
	return f.holds, f.err
}

func (f *fakeEngine) Reader() orchestrator.Reader           { return f.reader }
func (f *fakeEngine) Definitions() orchestrator.Definitions { return fakeDefinitions{f} }
func (f *fakeEngine) Ready() error                          { return f.ready }

func (f *fakeEngine) lastStart(t testing.TB) orchestrator.StartRequest {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	require.NotEmpty(t, f.starts)
	return f.starts[len(f.starts)-1]
}

func (f *fakeEngine) lastAct(t testing.TB) orchestrator.ActRequest {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	require.NotEmpty(t, f.acts)
	return f.acts[len(f.acts)-1]
}

// fakeReader has one saga.
type fakeReader struct {
	mu         sync.Mutex // guards what follows
	err        error
	view       orchestrator.View
	facts      []orchestrator.HistoryEntry
	queries    []orchestrator.SagaQuery
	next       saga.ID
	inexact    bool
	quarantine []orchestrator.QuarantineEntry

	quarantineQueries []orchestrator.QuarantineQuery
	stats             orchestrator.Stats
	looks             int
}

func (f *fakeReader) Saga(_ context.Context, tenant string, id saga.ID) (orchestrator.View, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return orchestrator.View{}, f.err
	}
	if id != f.view.Instance.ID || tenant != f.view.Instance.Tenant {
		return orchestrator.View{}, orchestrator.ErrNotFound
	}
	return f.view, nil
}

func (f *fakeReader) Sagas(_ context.Context, q orchestrator.SagaQuery) (orchestrator.SagaPage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queries = append(f.queries, q)
	if q.Tenant != f.view.Instance.Tenant {
		return orchestrator.SagaPage{}, f.err
	}
	return orchestrator.SagaPage{Sagas: []orchestrator.View{f.view}, Next: f.next, Count: 7, Exact: !f.inexact}, f.err
}

func (f *fakeReader) History(_ context.Context, _ string, _ saga.ID, after int64, limit int) ([]orchestrator.HistoryEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []orchestrator.HistoryEntry
	for _, e := range f.facts {
		if e.Fact.Seq > after && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, f.err
}

func (f *fakeReader) Revisions(context.Context, []saga.ID) (map[saga.ID]int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	return map[saga.ID]int64{f.view.Instance.ID: f.view.Instance.Revision}, f.err
}

func (f *fakeReader) Stats(context.Context, string) (orchestrator.Stats, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats, f.err
}

func (f *fakeReader) OutboxDepth(context.Context, int) (int, error) { return 3, f.err }

func (f *fakeReader) Lateness(context.Context) (orchestrator.Lateness, error) {
	return orchestrator.Lateness{Overdue: 90 * time.Second, Outbox: 4500 * time.Millisecond}, f.err
}

type fakeDefinitions struct{ *fakeEngine }

func (f fakeDefinitions) PutDefinition(context.Context, orchestrator.DefinitionRow, orchestrator.Audit) (bool, error) {
	panic("the API registers through the engine")
}

func (f fakeDefinitions) Definition(_ context.Context, tenant, name string, version int) (orchestrator.DefinitionRow, error) {
	if tenant != f.row.Tenant || name != f.row.Name || version != f.row.Version {
		return orchestrator.DefinitionRow{}, orchestrator.ErrNotFound
	}
	return f.row, nil
}

func (f fakeDefinitions) ListDefinitions(_ context.Context, tenant, name string) ([]orchestrator.DefinitionRow, error) {
	if tenant != f.row.Tenant || name != "" && name != f.row.Name {
		return nil, nil
	}
	return []orchestrator.DefinitionRow{f.row}, nil
}

func (f fakeDefinitions) SetDefinitionState(context.Context, string, string, int, orchestrator.DefinitionState, orchestrator.Audit) error {
	panic("the API asks the engine")
}

var testTime = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant, but for the type

const testInput = `{"order_id":"A-1001","customer_id":"c1","amount_cents":  1.10e2,"payment_token":"tok_ok","items":[{"sku":"s","quantity":1}]}`

// newFake makes an engine with one running saga of the sample definition, its payment in flight.
func newFake(t testing.TB) *fakeEngine {
	t.Helper()
	src, err := os.ReadFile("../configs/definitions/order-placement.yaml")
	require.NoError(t, err)
	source, err := definition.ReadSource("order-placement.yaml", src)
	require.NoError(t, err)
	def := source.Definition
	f := &fakeEngine{def: def, reader: &fakeReader{}, row: orchestrator.DefinitionRow{
		Tenant: "default", Name: def.Name, Version: def.Version,
		State: orchestrator.DefinitionActive, Hash: def.Hash, Content: source.JSON, Source: src, CreatedAt: testTime,
	}}
	id := saga.NewID(testTime, 7, 42)
	f.apply(t, saga.Event{ID: "r1", Body: saga.Started{
		ID: id, Tenant: "default", Key: "A-1001", Input: json.RawMessage(testInput),
		Labels: map[string]string{"channel": "web"}, By: "tester",
	}}, testTime)
	f.reply(t, "create-order", saga.ReplySucceeded, `{"order":1.50}`)
	f.started = orchestrator.Started{ID: id, Saga: def.Name, Version: 1, Key: "A-1001", Tenant: "default", Status: saga.Running, Revision: 1, CreatedAt: testTime}
	f.acted = orchestrator.Acted{ID: id, Status: saga.Running, Revision: 3, Changed: true, Why: "Done."}
	f.reader.quarantine = []orchestrator.QuarantineEntry{
		{ID: 9, At: testTime, Bytes: 3, Quarantined: orchestrator.Quarantined{
			Reason: "bad_token", Topic: "skald.replies", Key: []byte("k"),
			Value: []byte("v\x00v"), Headers: []orchestrator.Header{{Key: "ce_id", Value: []byte("1")}}, Saga: id,
		}},
		{ID: 8, At: testTime, Quarantined: orchestrator.Quarantined{Reason: "unreadable", Topic: "skald.replies"}},
	}
	f.reader.stats = orchestrator.Stats{
		Live: 1, ByStatus: map[saga.Status]int64{saga.Running: 1}, ByCause: map[saga.Cause]int64{saga.CauseReply: 1},
		ByDefinition: map[string]int64{def.Name: 1}, Quarantined: 2,
		ByParticipant: map[string]orchestrator.ParticipantStats{"payments": {InFlight: 1}},
	}
	return f
}

// apply judges an event as the committer does, and stores what follows.
func (f *fakeEngine) apply(t testing.TB, ev saga.Event, at time.Time) {
	t.Helper()
	ev.At = at
	f.reader.mu.Lock()
	defer f.reader.mu.Unlock()
	d, err := saga.Decide(f.def, f.reader.view.Instance, ev)
	require.NoError(t, err)
	d.Next.Revision = f.reader.view.Instance.Revision + 1
	f.reader.view = orchestrator.View{Instance: d.Next, WakeAt: d.WakeAt}
	for _, fact := range d.Facts {
		e := orchestrator.HistoryEntry{Fact: fact}
		if fact.Type == saga.StepStarted {
			e.Receipt = &orchestrator.Receipt{Partition: 2, Offset: 77, At: at}
		}
		f.reader.facts = append(f.reader.facts, e)
	}
}

func (f *fakeEngine) reply(t testing.TB, step string, outcome saga.ReplyOutcome, value string) {
	t.Helper()
	f.apply(t, saga.Event{ID: "reply-" + step, Body: saga.Replied{
		Step: step, Verb: saga.Execute, Attempt: 1, Outcome: outcome,
		Value: json.RawMessage(value), Record: saga.Coordinates{Topic: "skald.replies", Partition: 1, Offset: 5},
	}}, testTime.Add(time.Second))
}

// finish answers every step that is left.
func (f *fakeEngine) finish(t testing.TB) saga.Instance {
	t.Helper()
	f.reply(t, "charge-payment", saga.ReplySucceeded, `{"payment_id":"p1"}`)
	f.reply(t, "reserve-items", saga.ReplySucceeded, `{}`)
	f.reply(t, "confirm-order", saga.ReplySucceeded, `{}`)
	f.reply(t, "create-shipment", saga.ReplySucceeded, `{"shipment_id":"s1"}`)
	f.reader.mu.Lock()
	defer f.reader.mu.Unlock()
	in := f.reader.view.Instance
	require.Equal(t, saga.Completed, in.Status)
	return in
}
