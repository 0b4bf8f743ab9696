package orchestrator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/memory"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Sarama's meters share one goroutine that never ends.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

const tenant = "default"

// orderDefinition has a business key; its saga ends with the answer to its only step.
const orderDefinition = `
saga: order
version: 1
input:
  type: object
  required: [id, count]
  properties: {id: {type: string}, count: {type: integer, minimum: 1}, note: {type: string}}
key: input.id
steps:
  - {name: reserve, participant: stock, command: Reserve.v1, timeout: 5s, compensation: {command: Release.v1}}
`

// errandDefinition has no key and takes any input.
const errandDefinition = `
saga: errand
version: 1
steps:
  - {name: run, participant: runner, command: Run.v1, timeout: 5s, compensation: {command: Unrun.v1}}
  - {name: report, participant: runner, command: Report.v1, timeout: 5s, compensation: {command: Unreport.v1}}
`

// testBundle is an engine whose workers a test runs by hand, one turn at a time, on a clock that nobody waits for.
type testBundle struct {
	t       *testing.T
	machine *machine
	memory  *memory.Store
	store   *faultyStore
	broker  *fakeBroker
	engine  *orchestrator.Engine
	workers map[string]func(context.Context)
}

func setup(t *testing.T, change ...func(*orchestrator.Config)) *testBundle {
	t.Helper()
	b := &testBundle{t: t, machine: &machine{now: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC), random: rand.New(rand.NewPCG(1, 2))}}
	b.memory = memory.New(memory.Config{Now: b.machine.Now})
	b.store = &faultyStore{Store: b.memory}
	b.broker = &fakeBroker{now: b.machine.Now}
	b.engine = b.replica(change...)
	return b
}

// replica makes an engine on the bundle's store and broker.
func (b *testBundle) replica(change ...func(*orchestrator.Config)) *orchestrator.Engine {
	b.t.Helper()
	cfg := config(b.t, b.store, b.memory, b.memory, b.broker)
	for _, c := range change {
		c(&cfg)
	}
	engine := orchestrator.Assemble(cfg, orchestrator.Ports{Clock: b.machine, Random: b.machine, Signal: b.machine.signal})
	b.workers = map[string]func(context.Context){}
	for _, w := range engine.Workers() {
		b.workers[w.Name] = w.Run
	}
	for _, src := range []string{orderDefinition, errandDefinition} {
		_, _, err := engine.PutDefinition(b.t.Context(), tenant, []byte(src), true, "tester", "r-0")
		require.NoError(b.t, err)
	}
	return engine
}

// keeping keeps definitions and holds.
type keeping interface {
	orchestrator.Definitions
	orchestrator.Holds
}

func config(t *testing.T, store orchestrator.Store, reader orchestrator.Reader, definitions keeping, broker orchestrator.Broker) orchestrator.Config {
	t.Helper()
	keys, err := wire.NewKeyring(wire.Key{ID: "k1", Secret: []byte("0123456789abcdef0123456789abcdef")})
	require.NoError(t, err)
	codec := kafka.NewCodec(wire.Topics{}, "test", keys)
	return orchestrator.Config{
		Store: store, Reader: reader, Definitions: definitions, Holds: definitions, Broker: broker,
		Encoder: codec, Decoder: codec, Logger: slog.New(slog.NewTextHandler(logWriter{t}, nil)),
	}
}

// turn commits what waits, once.
func (b *testBundle) turn() int { return b.engine.Turn(b.t.Context()) }

// publish has the relay publish all that is committed.
func (b *testBundle) publish() {
	done, cancel := context.WithCancel(b.t.Context())
	cancel() // it ends once it has nothing to do
	b.workers["relay"](done)
}

// receive has the receiver hand over all that the broker has.
func (b *testBundle) receive() {
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	b.broker.whenEmpty = cancel
	b.workers["receiver"](ctx)
}

// answered is what a request got.
type answered[T any] struct {
	got   T
	err   error
	times int
}

// order asks for a start of the definition with a key.
func order(id string, count int) orchestrator.StartRequest {
	return orchestrator.StartRequest{Tenant: tenant, Saga: "order", Input: json.RawMessage(fmt.Sprintf(`{"id":%q,"count":%d}`, id, count)), By: "tester"}
}

// errand asks for a start of the definition without one.
func errand() orchestrator.StartRequest {
	return orchestrator.StartRequest{Tenant: tenant, Saga: "errand", Input: json.RawMessage(`{}`), By: "tester"}
}

// offer hands a start in, which the next turn answers.
func (b *testBundle) offer(req orchestrator.StartRequest) *answered[orchestrator.Started] {
	b.t.Helper()
	a := &answered[orchestrator.Started]{}
	require.NoError(b.t, b.engine.OfferStart(b.t.Context(), req, func(s orchestrator.Started, err error) { a.got, a.err, a.times = s, err, a.times+1 }))
	return a
}

// refusal is why a start is not even taken.
func (b *testBundle) refusal(req orchestrator.StartRequest) error {
	b.t.Helper()
	err := b.engine.OfferStart(b.t.Context(), req, func(orchestrator.Started, error) { b.t.Error("answered although it was refused") })
	require.Error(b.t, err)
	return err
}

// start starts a saga and publishes its first command.
func (b *testBundle) start(req orchestrator.StartRequest) saga.ID {
	b.t.Helper()
	a := b.offer(req)
	b.turn()
	require.Equal(b.t, 1, a.times)
	require.NoError(b.t, a.err)
	b.publish()
	return a.got.ID
}

// act hands an action in and commits it.
func (b *testBundle) act(req orchestrator.ActRequest) *answered[orchestrator.Acted] {
	b.t.Helper()
	a := b.offerAct(req)
	b.turn()
	require.Equal(b.t, 1, a.times)
	return a
}

func (b *testBundle) offerAct(req orchestrator.ActRequest) *answered[orchestrator.Acted] {
	b.t.Helper()
	a := &answered[orchestrator.Acted]{}
	require.NoError(b.t, b.engine.OfferAct(req, func(got orchestrator.Acted, err error) { a.got, a.err, a.times = got, err, a.times+1 }))
	return a
}

// action is a wish of an operator.
func action(id saga.ID, act saga.Action) orchestrator.ActRequest {
	return orchestrator.ActRequest{Tenant: tenant, ID: id, RequestID: "r-1", Act: saga.Acted{Action: act, Reason: "test", By: "tester"}}
}

func (b *testBundle) saga(id saga.ID) saga.Instance {
	b.t.Helper()
	view, err := b.memory.Saga(b.t.Context(), tenant, id)
	require.NoError(b.t, err)
	return view.Instance
}

func (b *testBundle) facts(id saga.ID) (types []saga.FactType) {
	b.t.Helper()
	entries, err := b.memory.History(b.t.Context(), tenant, id, 0, 1000)
	require.NoError(b.t, err)
	for _, e := range entries {
		types = append(types, e.Fact.Type)
	}
	return types
}

func (b *testBundle) quarantined() []orchestrator.QuarantineEntry {
	b.t.Helper()
	list, err := b.memory.Quarantine(b.t.Context(), orchestrator.QuarantineQuery{Tenant: tenant, Limit: 100})
	require.NoError(b.t, err)
	for i := range list { // the list is without bytes
		list[i], err = b.memory.QuarantineRecord(b.t.Context(), tenant, list[i].ID)
		require.NoError(b.t, err)
	}
	return list
}

func (b *testBundle) outbox() int {
	b.t.Helper()
	n, err := b.memory.OutboxDepth(b.t.Context(), 1000)
	require.NoError(b.t, err)
	return n
}

// reply makes an answer to a step's first attempt.
func reply(id saga.ID, step string, outcome saga.ReplyOutcome, change ...func(*orchestrator.Delivery)) orchestrator.Delivery {
	d := orchestrator.Delivery{
		Saga: id, Tenant: tenant, ID: wire.RandomID().String(),
		Reply: saga.Replied{Step: step, Verb: saga.Execute, Attempt: 1, Outcome: outcome, Value: json.RawMessage(`{}`)},
		Raw:   orchestrator.Quarantined{Topic: "skald.replies", Value: []byte(`{}`), Key: []byte(id.String()), Saga: id, Tenant: tenant},
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

// machine is a clock, a source of randomness, and signals of a machine with one thread: who waits lets time pass.
type machine struct {
	now    time.Time
	random *rand.Rand
	during func(d time.Duration) // called while somebody waits; nil: nothing happens
}

func (m *machine) Now() time.Time { return m.now }

func (m *machine) Uint64() uint64 { return m.random.Uint64() }

func (m *machine) Sleep(_ context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	m.now = m.now.Add(d)
	if m.during != nil {
		m.during(d)
	}
}

func (m *machine) signal() orchestrator.Signal { return &lamp{machine: m} }

type lamp struct {
	machine *machine
	lit     bool
}

func (l *lamp) Notify() { l.lit = true }

func (l *lamp) Wait(ctx context.Context, d time.Duration) {
	if !l.lit {
		l.machine.Sleep(ctx, d)
	}
	l.lit = false
}

// logWriter shows the log of a test that failed.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(line []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(line), "\n"))
	return len(line), nil
}

// running is an engine that runs on the real clock until the test ends.
type running struct {
	*orchestrator.Engine
	stop  context.CancelFunc
	ended chan error // Run's answer
}

func run(t *testing.T, cfg orchestrator.Config) *running {
	t.Helper()
	engine, err := orchestrator.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Engine: engine, stop: cancel, ended: make(chan error, 1)}
	var once sync.WaitGroup
	once.Go(func() { r.ended <- engine.Run(ctx) })
	t.Cleanup(func() { cancel(); once.Wait() })
	await(t, "the engine runs", func() bool { return engine.Ready() == nil })
	return r
}

// await waits until ok, which the workers bring about on their own clock.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 20*time.Second, time.Millisecond, what)
}
