package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/api/auth"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/tracing"
)

// server is one replica with its two listeners. Every part is put together in this file.
type server struct {
	cfg        *configs.Config
	log        *slog.Logger
	web, admin net.Listener // admin is nil where it is turned off
	moved      []string     // addresses that were taken, so that others had to do
	gate       gate         // in front of web, until there is an API
	adminGate  gate
	ready      func(context.Context) error // beside the replica's own readiness
	crash      crashHooks
}

// openServer listens, and answers that it is starting once it runs. The schema is up to date.
func openServer(ctx context.Context, cfg *configs.Config, log *slog.Logger, policy portPolicy) (*server, error) {
	s := &server{cfg: cfg, log: withTraceIDs(cfg, log), ready: func(context.Context) error { return nil }}
	var moved bool
	var err error
	if s.crash, err = newCrash(); err != nil {
		return nil, err
	}
	if s.web, moved, err = listen(ctx, cfg.HTTP.Addr, "--http-addr", policy); err != nil {
		return nil, err
	}
	if moved {
		s.moved = append(s.moved, cfg.HTTP.Addr)
	}
	if cfg.Admin.Addr == "" {
		return s, nil
	}
	if s.admin, moved, err = listen(ctx, cfg.Admin.Addr, "--admin-addr", policy); err != nil {
		return nil, errors.Join(err, s.web.Close())
	}
	if moved {
		s.moved = append(s.moved, cfg.Admin.Addr)
	}
	return s, nil
}

// run serves until ctx ends or something fails for good, and drains: no new work, what is in hand is committed, published and
// answered, within the drain limit. alongside runs with the replica, and ends with ctx too.
func (s *server) run(ctx context.Context, alongside ...func(context.Context, *replica) error) (err error) {
	parent := ctx
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serveHTTP(ctx, s.web, &s.gate, s.cfg, s.log) })
	if s.admin != nil {
		group.Go(func() error { return serveHTTP(ctx, s.admin, &s.adminGate, s.cfg, s.log) })
	}
	var r *replica
	group.Go(func() error {
		var err error
		if r, err = s.assemble(ctx); err != nil {
			return err
		}
		return r.run(ctx, alongside)
	})
	err = group.Wait()
	// Requests may be open for as long as the listeners are: what they stand on goes last.
	if r != nil {
		r.close(context.WithoutCancel(ctx))
	}
	if parent.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // it was told to end before it was up
	}
	return err
}

// replica is an engine with its API and the connections of both.
type replica struct {
	cfg      *configs.Config
	log      *slog.Logger
	pools    []*pgxpool.Pool
	broker   *kafka.Broker
	starts   *kafka.Starts // nil: no topic is read for them
	requests *postgres.StartRequests
	admin    *kafka.Admin
	groups   *kafka.LagReader
	engine   *orchestrator.Engine
	api      *api.API
	web      net.Listener
	kafka    atomic.Bool // it was reached, and has the topics
	auth     *auth.Auth  // nil: nobody is asked who they are
	metrics  *api.Metrics
	traces   *tracing.Tracing // nil: nothing is traced
	crash    crashHooks
}

// connected is nil once Kafka was reached. Later outages make no replica unready: commands wait in the outbox.
func (r *replica) connected() error {
	if !r.kafka.Load() {
		return errors.New("no connection to Kafka yet")
	}
	return nil
}

// assemble makes the replica and opens the gates to its API.
func (s *server) assemble(ctx context.Context) (_ *replica, err error) {
	cfg := s.cfg
	r := &replica{cfg: cfg, log: s.log, web: s.web, crash: s.crash}
	defer func() {
		if err != nil {
			r.close(context.WithoutCancel(ctx))
		}
	}()
	if r.traces, err = openTracing(ctx, cfg, s.log, "skald"); err != nil {
		return nil, err
	}
	store, err := r.openStore(ctx)
	if err != nil {
		return nil, err
	}
	hub, metrics := api.NewHub(), api.NewMetrics()
	r.metrics = metrics
	kcfg, err := r.openKafka(ctx, store, metrics.Registry())
	if err != nil {
		return nil, err
	}
	events, err := kafka.NewTail(kcfg)
	if err != nil {
		return nil, err
	}
	codec := kafka.NewCodec(kcfg.Topics, kcfg.Cluster, kcfg.Keys)
	engine := orchestrator.Config{
		Store: store, Reader: store, Definitions: store, Holds: store, Limits: store, Operations: store, Broker: r.broker,
		Encoder:       codec,
		Decoder:       codec,
		Topics:        &provisioner{admin: r.admin, topics: topicsOf(cfg), create: cfg.Topics.Create},
		Groups:        r.groups,
		Logger:        s.log,
		Observer:      api.Observers(hub, metrics),
		BatchEvents:   cfg.Intake.BatchEvents,
		BatchBytes:    int(cfg.Intake.BatchBytes),
		IntakeReplies: cfg.Intake.Replies,
		IntakeStarts:  cfg.Intake.Starts,
		OutboxLimit:   cfg.Outbox.HighWater,
		SweepEvery:    cfg.Sweep.Interval,
		SweepLimit:    cfg.Sweep.Limit,
		DrainLimit:    cfg.DrainLimit,
		WatchEvery:    time.Second,
		Breaker:       breakerOf(&cfg.Breaker),
	}
	if r.traces != nil {
		engine.Tracer, engine.Encoder = r.traces, codec.Tracing(r.traces.Command)
		watchSpans(metrics.Registry(), r.traces)
	}
	if err := r.openStarts(&engine, store, kcfg); err != nil {
		return nil, err
	}
	s.crash.engine(&engine)
	if r.engine, err = orchestrator.New(engine); err != nil {
		return nil, err
	}
	if r.auth, err = openAuth(cfg, store, s.log); err != nil {
		return nil, err
	}
	apiConfig := api.Config{
		Engine: r.engine, Hub: hub, Metrics: metrics, Events: events, Audit: store,
		AllowUnauthenticated: cfg.AllowUnauthenticated,
		RatePerSecond:        float64(cfg.HTTP.Rate),
		Ready:                func(ctx context.Context) error { return errors.Join(r.connected(), s.ready(ctx)) },
		CommandTopic:         topicsOf(cfg).Commands,
		Tracing:              requestTracing(r.traces, cfg.Tracing.Link),
		Version:              readBuild().Version,
		Logger:               s.log,
		DrainLimit:           min(cfg.DrainLimit, 20*time.Second),
	}
	if r.auth != nil {
		apiConfig.Authenticator, apiConfig.SignIn = r.auth, r.auth
		if cfg.ByKeys() {
			apiConfig.Keys = store
		}
	}
	r.api, err = api.New(apiConfig)
	if err != nil {
		return nil, err
	}
	s.gate.open(r.api.Handler())
	metrics.WatchStore(store, []string{tenantDefault}, s.log)
	metrics.WatchParticipants(r.api, []string{tenantDefault})
	watchPools(metrics.Registry(), map[string]*pgxpool.Pool{"engine": r.pools[0], "api": r.pools[1]})
	s.adminGate.open(api.AdminHandler(metrics))
	return r, nil
}

// openStore opens a pool for each role.
func (r *replica) openStore(ctx context.Context) (*postgres.Store, error) {
	db := r.cfg.Database
	var pools [2]*pgxpool.Pool
	for i, pc := range []postgres.PoolConfig{
		{Role: postgres.RoleEngine, MaxConns: int32(db.EngineConns), StatementTimeout: db.EngineStatementTimeout},
		{Role: postgres.RoleAPI, MaxConns: int32(db.APIConns), StatementTimeout: db.APIStatementTimeout},
	} {
		if pc.Role == postgres.RoleEngine {
			pc.Configure = r.crash.pool()
		} else {
			pc.Configure = tracedQueries(r.traces)
		}
		pc.DSN, pc.LockTimeout, pc.IdleInTx = db.URL.Reveal(), db.LockTimeout, db.IdleInTransactionTimeout
		pool, err := postgres.OpenPool(ctx, pc)
		if err != nil {
			return nil, err
		}
		pools[i] = pool
		r.pools = append(r.pools, pool)
	}
	handled := time.Duration(r.cfg.Retention.Handled)
	if handled == 0 {
		handled = -1 // for ever
	}
	return postgres.New(postgres.Config{Engine: pools[0], API: pools[1], QuarantineBytes: int64(r.cfg.Quarantine.BytesPerHour), KeepHandled: handled}), nil
}

// openKafka begins to connect; nothing waits for a broker here.
func (r *replica) openKafka(ctx context.Context, store *postgres.Store, registry *prometheus.Registry) (cfg kafka.Config, err error) {
	cfg = kafkaConfig(r.cfg, r.log)
	cfg.Hooks = kafkaHooks(registry, append(slices.Clone(cfg.StartTopics), cfg.Topics.Replies())...)
	if cfg.Keys, err = r.keyring(ctx, store); err != nil {
		return cfg, err
	}
	if r.admin, err = kafka.NewAdmin(cfg); err != nil {
		return cfg, err
	}
	r.groups = kafka.NewLagReader(r.admin, 0)
	if r.broker, err = kafka.Open(cfg); err != nil {
		return cfg, err
	}
	watchAssignment(registry, r.broker)
	return cfg, nil
}

func (r *replica) run(ctx context.Context, alongside []func(context.Context, *replica) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.engine.Run(ctx) })
	group.Go(func() error { return r.api.Run(ctx) })
	group.Go(func() error {
		err := r.provision(ctx)
		if err == nil && ctx.Err() == nil {
			r.kafka.Store(true)
			r.log.InfoContext(ctx, "serving", "url", urlOf(r.web), "version", readBuild().Version)
		}
		return err
	})
	if r.auth != nil {
		group.Go(func() error { return r.auth.Run(ctx) })
	}
	group.Go(func() error { return r.retain(ctx) })
	group.Go(func() error { return r.notify(ctx) })
	for _, f := range alongside {
		group.Go(func() error { return f(ctx, r) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("run the replica: %w", err)
	}
	return nil
}

// close gives back what the replica holds; it has run to its end.
func (r *replica) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r.closeStarts(ctx)
	if r.broker != nil {
		r.crash.leaving()
		if err := r.broker.Close(ctx); err != nil {
			r.log.WarnContext(ctx, "Kafka connection not closed cleanly", "error", err)
		}
	}
	if r.groups != nil {
		if err := r.groups.Close(); err != nil {
			r.log.WarnContext(ctx, "Kafka admin connection not closed cleanly", "error", err)
		}
	}
	for _, pool := range r.pools {
		pool.Close()
	}
	closeTracing(ctx, r.traces, r.log)
}

// breakerOf is when the engine holds participants by itself.
func breakerOf(c *configs.Breaker) orchestrator.Breaker {
	if !c.Enabled {
		return orchestrator.Breaker{}
	}
	return orchestrator.Breaker{
		Window: c.Window, Answers: c.Answers, Sagas: c.Sagas, Share: float64(c.Percent) / 100, Pause: c.Pause, PauseMax: c.PauseMax, Try: c.Try,
	}
}
