package orchestrator_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/memory"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// liveBundle is an engine that runs on the real clock.
type liveBundle struct {
	*running
	memory *memory.Store
	store  *faultyStore
	broker *fakeBroker
}

// live changes the store before the engine runs.
func live(t *testing.T, change ...func(*liveBundle, *orchestrator.Config)) *liveBundle {
	t.Helper()
	b := &liveBundle{memory: memory.New(memory.Config{}), broker: &fakeBroker{now: time.Now}}
	b.store = &faultyStore{Store: b.memory}
	cfg := config(t, b.store, b.memory, b.memory, b.broker)
	for _, c := range change {
		c(b, &cfg)
	}
	b.running = run(t, cfg)
	_, _, err := b.PutDefinition(t.Context(), tenant, []byte(errandDefinition), true, "tester", "")
	require.NoError(t, err)
	return b
}

// gate stops commits until it is opened.
type gate struct {
	reached chan struct{} // gets a token from each commit that stands before it
	open    chan struct{}
	once    sync.Once
}

func newGate() *gate { return &gate{reached: make(chan struct{}, 100), open: make(chan struct{})} }

func (g *gate) pass(orchestrator.Batch) error {
	g.reached <- struct{}{}
	<-g.open
	return nil
}

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

type outcome struct {
	started orchestrator.Started
	err     error
}

// starting asks for n starts at once.
func (b *liveBundle) starting(n int) <-chan outcome {
	out := make(chan outcome, n)
	for range n {
		go func() {
			s, err := b.Start(context.Background(), errand())
			out <- outcome{s, err}
		}()
	}
	return out
}

func TestRun_CarriesSagasToTheirEnd(t *testing.T) {
	t.Parallel()
	b := live(t)
	const n = 50
	answers := b.starting(n)
	var ids []saga.ID
	for range n {
		a := <-answers
		require.NoError(t, a.err)
		ids = append(ids, a.started.ID)
	}
	for _, step := range []string{"run", "report"} {
		for _, id := range ids {
			b.broker.send(reply(id, step, saga.ReplySucceeded))
		}
	}
	await(t, "all sagas complete", func() bool {
		page, err := b.memory.Sagas(t.Context(), orchestrator.SagaQuery{Tenant: tenant, Statuses: []saga.Status{saga.Completed}, Limit: 500})
		return err == nil && len(page.Sagas) == n
	})
	require.NoError(t, b.Ready())
	b.stop()
	require.NoError(t, <-b.ended)
	depth, err := b.memory.OutboxDepth(t.Context(), 10)
	require.NoError(t, err)
	require.Zero(t, depth)
}

func TestRun_DrainsWhatIsInHand(t *testing.T) {
	t.Parallel()
	g := newGate()
	var taken atomic.Int64 // starts of the batch that stands before the gate
	b := live(t, func(b *liveBundle, _ *orchestrator.Config) {
		b.store.commit = func(batch orchestrator.Batch) error {
			taken.Add(int64(len(batch.Writes)))
			return g.pass(batch)
		}
	})
	defer g.release()
	const n = 10
	answers := b.starting(n)
	<-g.reached
	await(t, "all starts are in hand", func() bool { return int(taken.Load())+b.Intake() == n })
	b.stop()
	await(t, "it says that it stops", func() bool { return errors.Is(b.Ready(), orchestrator.ErrStopping) })
	_, err := b.Start(t.Context(), errand())
	require.ErrorIs(t, err, orchestrator.ErrStopping)
	g.release()
	require.NoError(t, <-b.ended)
	for range n {
		a := <-answers
		require.NoError(t, a.err, "what was accepted is finished (L8)")
	}
	require.Len(t, b.broker.commands(), n, "committed and published")
	depth, err := b.memory.OutboxDepth(t.Context(), 10)
	require.NoError(t, err)
	require.Zero(t, depth, "and its acknowledgements are stored")
	_, err = b.Act(t.Context(), action(saga.ID{}, saga.ActionPause))
	require.ErrorIs(t, err, orchestrator.ErrStopping)
}

func TestRun_GivesUpAtTheDrainLimit(t *testing.T) {
	t.Parallel()
	g := newGate()
	b := live(t, func(b *liveBundle, cfg *orchestrator.Config) {
		b.store.commit = g.pass
		cfg.DrainLimit = 20 * time.Millisecond
	})
	answers := b.starting(1)
	<-g.reached
	b.stop()
	require.ErrorContains(t, <-b.ended, "drain within 20ms", "L8")
	g.release() // the worker that hung ends; goleak looks
	require.NoError(t, (<-answers).err)
}

func TestRun_DrainsWithoutAStore(t *testing.T) {
	t.Parallel()
	failed := make(chan struct{}, 1000)
	b := live(t, func(b *liveBundle, cfg *orchestrator.Config) {
		b.store.begin = func(orchestrator.Need) error {
			failed <- struct{}{}
			return errors.New("connection refused")
		}
	})
	answers := b.starting(1)
	<-failed
	await(t, "it says why it is not ready", func() bool { return b.Ready() != nil })
	b.stop()
	require.NoError(t, <-b.ended)
	require.ErrorIs(t, (<-answers).err, orchestrator.ErrStopping)
}

func TestStart_CallerThatDoesNotWait(t *testing.T) {
	t.Parallel()
	g := newGate()
	b := live(t, func(b *liveBundle, _ *orchestrator.Config) { b.store.commit = g.pass })
	defer g.release()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.Start(ctx, errand())
		done <- err
	}()
	<-g.reached
	cancel()
	require.ErrorIs(t, <-done, context.Canceled, "it may have started all the same")
	g.release()
	await(t, "it has", func() bool {
		page, err := b.memory.Sagas(context.Background(), orchestrator.SagaQuery{Tenant: tenant, Limit: 10})
		return err == nil && len(page.Sagas) == 1
	})
}

func TestStart_BeforeAndAfterRun(t *testing.T) {
	t.Parallel()
	store := memory.New(memory.Config{})
	engine, err := orchestrator.New(config(t, store, store, store, &fakeBroker{}))
	require.NoError(t, err)
	require.Error(t, engine.Ready())
	_, err = engine.Start(t.Context(), errand())
	require.ErrorIs(t, err, orchestrator.ErrStopping)
}

func TestNew_SaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := orchestrator.New(orchestrator.Config{})
	require.ErrorContains(t, err, "is missing")
}

// counting notes what an observer is told.
type counting struct{ refused []string }

func (*counting) Committed(orchestrator.BatchStats, []saga.Instance) {}
func (*counting) Published(int, int, int, time.Duration)             {}
func (*counting) Breaker(string, orchestrator.BreakerChange)         {}
func (c *counting) Refused(why string)                               { c.refused = append(c.refused, why) }

func TestIntake_FullRefusesStartsAndActions(t *testing.T) {
	t.Parallel()
	seen := &counting{}
	b := setup(t, func(cfg *orchestrator.Config) { cfg.IntakeStarts, cfg.Observer = 3, seen })
	id := b.start(errand())
	accepted := []*answered[orchestrator.Started]{b.offer(errand()), b.offer(errand()), b.offer(errand())}
	var over *orchestrator.OverloadedError
	require.ErrorAs(t, b.refusal(errand()), &over)
	require.Positive(t, over.RetryAfter, "L7")
	require.ErrorAs(t, b.engine.OfferAct(action(id, saga.ActionPause), nil), &over)
	require.Len(t, seen.refused, 2)
	b.broker.send(reply(id, "run", saga.ReplySucceeded))
	b.receive()
	b.turn()
	require.Equal(t, saga.Succeeded, b.saga(id).Steps[0].Status, "replies have room of their own")
	for _, a := range accepted {
		require.NoError(t, a.err)
	}
	b.start(errand())
}

func TestIntake_FullOfRepliesStopsTheReading(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *orchestrator.Config) { cfg.IntakeReplies = 2 })
	var ids []saga.ID
	var deliveries []orchestrator.Delivery
	for range 5 {
		ids = append(ids, b.start(errand()))
		deliveries = append(deliveries, reply(ids[len(ids)-1], "run", saga.ReplySucceeded))
	}
	b.broker.send(deliveries...)
	turns := 0
	b.machine.during = func(time.Duration) { // the receiver waits for room
		require.Equal(t, 2, b.engine.Intake())
		b.machine.during = nil
		b.turn()
		turns++
		b.machine.during = func(time.Duration) { b.turn(); turns++ }
	}
	b.receive()
	b.machine.during = nil
	b.turn()
	require.Positive(t, turns)
	for _, id := range ids {
		require.Equal(t, saga.Succeeded, b.saga(id).Steps[0].Status, "nothing is dropped")
	}
	require.Len(t, b.broker.marks(), 5)
}
