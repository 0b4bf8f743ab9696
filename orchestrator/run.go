package orchestrator

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Engine runs sagas. Its methods are safe for concurrent use; requests are answered while Run runs.
type Engine struct {
	cfg       Config
	registry  *registry
	around    *around
	groups    *groups
	limits    *limiter
	answers   *answers
	health    *health
	intake    *queue[*item]
	outgoing  *queue[outgoing]
	clock     Clock
	random    Random
	committer *committer
	workers   []worker // all but the committer and the relay, which outlive them to drain
	relay     *relay
}

type worker interface{ run(ctx context.Context) }

// Worker is one of the engine's loops. Run returns when ctx has ended and what is in hand is done.
type Worker struct {
	Name  string
	Stage Stage
	Run   func(ctx context.Context)
}

// Stage says when a draining engine ends a worker's context: when all workers of the stages before have returned.
type Stage int

// The stages of draining: nothing new is taken, what was taken is committed, what was committed is published.
const (
	StageTaking Stage = iota
	StageCommitting
	StagePublishing
	stages
)

// Workers are the engine's loops, for a caller that runs them itself instead of Run; the engine takes requests from then on. To
// drain, the caller does as Run: BeginDrain, then ends the stages one after the other, then EndDrain.
func (e *Engine) Workers() []Worker {
	e.health.run(true, false)
	out := []Worker{{"committer", StageCommitting, e.committer.run}, {"relay", StagePublishing, e.relay.run}}
	for _, w := range e.workers {
		out = append(out, Worker{strings.TrimPrefix(fmt.Sprintf("%T", w), "*orchestrator."), StageTaking, w.run})
	}
	return out
}

// BeginDrain refuses requests from now on.
func (e *Engine) BeginDrain() { e.health.run(true, true) }

// EndDrain stores the last acknowledgements, once every worker has returned.
func (e *Engine) EndDrain(ctx context.Context) {
	e.committer.flush(ctx)
	e.health.run(false, true)
}

// New makes an engine; nothing runs before Run. It fails when something required is missing.
func New(cfg Config) (*Engine, error) {
	for name, missing := range map[string]bool{
		"Store": cfg.Store == nil, "Reader": cfg.Reader == nil, "Definitions": cfg.Definitions == nil, "Holds": cfg.Holds == nil,
		"Broker": cfg.Broker == nil, "Encoder": cfg.Encoder == nil,
	} {
		if missing {
			return nil, fmt.Errorf("make engine: %s is missing", name)
		}
	}
	return Assemble(cfg, Ports{Clock: wallClock{}, Random: globalRandom{}, Signal: newSignal}), nil
}

// Ports are what the workers have of the machine that they run on.
type Ports struct {
	Clock  Clock
	Random Random
	Signal func() Signal // makes one
	// Compile reads a stored definition; nil: definition.Read. A definition never changes, so it may remember.
	Compile func(name string, content []byte) (*saga.Definition, error)
}

// Assemble wires the workers to their ports. New does it for production; the simulation brings ports of its own and runs the
// Workers itself.
func Assemble(cfg Config, ports Ports) *Engine {
	cfg.setDefaults()
	clock, random := ports.Clock, ports.Random
	intake := newQueue[*item](ports, cfg.IntakeReplies, cfg.IntakeStarts)
	out := newQueue[outgoing](ports, 1024, 1)
	e := &Engine{
		cfg: cfg, clock: clock, random: random, intake: intake, outgoing: out, health: &health{now: clock.Now},
		registry: newRegistry(cfg.Definitions, ports), around: &around{store: cfg.Store, clock: clock},
	}
	e.groups = &groups{port: cfg.Groups, clock: clock, log: cfg.Logger, wanted: map[string]time.Time{}, seen: map[string]seenGroup{}}
	e.limits = &limiter{port: cfg.Limits, clock: clock, intake: intake, log: cfg.Logger, replica: fmt.Sprintf("%016x", random.Uint64())}
	e.answers = &answers{clock: clock, tally: map[participantKey]*tally{}}
	pending := &acks{}
	brk := &breakers{cfg: cfg.Breaker, holds: cfg.Holds, clock: clock, observer: cfg.Observer, log: cfg.Logger, windows: map[participantKey]*window{}}
	timers := newTimers(clock, ports.Signal(), intake)
	e.committer = &committer{
		cfg: &e.cfg, store: cfg.Store, encoder: cfg.Encoder, log: cfg.Logger, observer: cfg.Observer, clock: clock, random: random,
		registry: e.registry, intake: intake, outgoing: out, acks: pending, timers: timers, health: e.health, mark: cfg.Broker.Mark, breakers: brk,
		groups: e.groups, answers: e.answers, limits: e.limits,
	}
	e.relay = &relay{limit: cfg.RetryIn, broker: cfg.Broker, queue: out, intake: intake, acks: pending, clock: clock, observer: cfg.Observer, health: e.health, log: cfg.Logger}
	e.workers = []worker{
		&receiver{broker: cfg.Broker, intake: intake, clock: clock, health: e.health, log: cfg.Logger},
		&sweeper{cfg: &e.cfg, store: cfg.Store, reader: cfg.Reader, intake: intake, outgoing: out, clock: clock, health: e.health, log: cfg.Logger},
		&keeper{cfg: &e.cfg, store: cfg.Store, clock: clock, health: e.health, log: cfg.Logger},
		timers,
	}
	if cfg.Starts != nil {
		e.workers = append(e.workers, &startReader{
			engine: e, source: cfg.Starts, most: max(1, cfg.IntakeStarts/4), clock: clock, signal: ports.Signal(), log: cfg.Logger,
		})
	}
	if cfg.StartRequests != nil {
		e.workers = append(e.workers, &startTaker{
			engine: e, queue: cfg.StartRequests, every: cfg.SweepEvery, clock: clock, signal: ports.Signal(), log: cfg.Logger,
		})
	}
	if cfg.Limits != nil {
		e.workers = append(e.workers, e.limits)
	}
	if cfg.Holds != nil {
		e.workers = append(e.workers, &releaser{around: e.around, holds: cfg.Holds, intake: intake, clock: clock, log: cfg.Logger})
	}
	if cfg.Groups != nil {
		e.workers = append(e.workers, e.groups)
	}
	if cfg.Operations != nil {
		e.workers = append(e.workers, &operator{
			every: cfg.OperateEvery, lease: cfg.OperateLease, queue: cfg.Operations, reader: cfg.Reader, offer: e.OfferAct, clock: clock, signal: ports.Signal(), log: cfg.Logger,
		})
	}
	if cfg.WatchEvery > 0 {
		e.workers = append(e.workers, &watcher{engine: e, breakers: brk, every: cfg.WatchEvery, clock: clock, log: cfg.Logger})
	}
	return e
}

func (c *Config) setDefaults() {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&c.BatchEvents, 512)
	def(&c.BatchBytes, 4<<20)
	def(&c.IntakeReplies, 4096)
	def(&c.IntakeStarts, 4096)
	def(&c.OutboxLimit, 10_000)
	def(&c.SweepLimit, 1000)
	span := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	span(&c.SweepEvery, 2*time.Second)
	span(&c.KeepEvery, time.Hour)
	span(&c.OperateEvery, time.Second)
	span(&c.OperateLease, 15*time.Second)
	span(&c.WakeGrid, Grid)
	span(&c.RetryIn, 8*time.Second)
	span(&c.TakeAgain, 10*time.Second)
	span(&c.DrainLimit, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
}

// Run runs the workers until ctx ends, then drains: no new work is taken, what is in hand is committed and published, within
// Config.DrainLimit (L8). It returns nil after a full drain.
func (e *Engine) Run(ctx context.Context) error {
	hard, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var running [stages]sync.WaitGroup
	var contexts [stages]context.Context
	var ends [stages]context.CancelFunc
	for i := range stages {
		contexts[i], ends[i] = context.WithCancel(hard)
		defer ends[i]()
	}
	for _, w := range e.Workers() {
		running[w.Stage].Go(func() { w.Run(contexts[w.Stage]) })
	}
	<-ctx.Done()
	e.BeginDrain()
	began := e.clock.Now()
	drained := make(chan struct{})
	go func() { // owned by Run: it ends when the workers have, at the latest when Run gives up on them
		defer close(drained)
		for i := range stages {
			ends[i]()
			running[i].Wait()
		}
		e.EndDrain(hard)
	}()
	select {
	case <-drained:
		e.cfg.Logger.Info("drained", "took", e.clock.Now().Sub(began))
		return nil
	case <-time.After(e.cfg.DrainLimit):
		return fmt.Errorf("drain within %s: %d events and %d outbox rows are left to other replicas", e.cfg.DrainLimit, e.intake.Len(), e.outgoing.Len())
	}
}

// Ready is nil, or says why this replica should get no traffic.
func (e *Engine) Ready() error { return e.health.ready() }

// Reader is what the API reads from.
func (e *Engine) Reader() Reader { return e.cfg.Reader }

// Definitions is where definitions are kept.
func (e *Engine) Definitions() Definitions { return e.cfg.Definitions }

// submit hands an item to the committer and waits for its answer.
func (e *Engine) submit(ctx context.Context, it *item) (answer, error) {
	it.from = RemoteOf(ctx)
	wait, err := e.begin(it)
	if err != nil {
		return answer{}, err
	}
	return wait(ctx)
}

// begin hands an item to the committer; wait waits for its answer.
func (e *Engine) begin(it *item) (wait func(ctx context.Context) (answer, error), err error) {
	answered := make(chan answer, 1)
	it.done = func(a answer) {
		select {
		case answered <- a:
		default: // an item is answered once; a second answer could only follow a failed retry
		}
	}
	if err := e.offer(it); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (answer, error) {
		select {
		case a := <-answered:
			return a, a.failure()
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
	}, nil
}

// channelSignal is a Signal between goroutines.
type channelSignal struct{ token chan struct{} }

func newSignal() Signal { return channelSignal{make(chan struct{}, 1)} }

func (s channelSignal) Notify() {
	select {
	case s.token <- struct{}{}:
	default: // there is one already
	}
}

func (s channelSignal) Wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.token:
	case <-ctx.Done():
	case <-timer.C:
	}
}

// wallClock is the machine's clock.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) Sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

type globalRandom struct{}

func (globalRandom) Uint64() uint64 { return rand.Uint64() }

type nobody struct{}

func (nobody) Committed(BatchStats, []saga.Instance)  {}
func (nobody) Published(int, int, int, time.Duration) {}
func (nobody) Refused(string)                         {}
func (nobody) Breaker(string, BreakerChange)          {}
