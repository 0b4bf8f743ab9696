package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/postgres"
)

// server is one replica with its two listeners. Every part is put together in this file.
type server struct {
	cfg        *configs.Config
	log        *slog.Logger
	web, admin net.Listener // admin is nil where it is turned off
	moved      []string     // addresses that were taken, so that others had to do
	gate       gate         // in front of web, until there is an API
	adminGate  gate
	ready      func(context.Context) error // beside the engine's own readiness; nil: nothing
}

// openServer listens, and answers that it is starting once it runs. The schema is up to date.
func openServer(ctx context.Context, cfg *configs.Config, log *slog.Logger, policy portPolicy) (*server, error) {
	s := &server{cfg: cfg, log: log}
	var moved bool
	var err error
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
	cfg    *configs.Config
	log    *slog.Logger
	pools  []*pgxpool.Pool
	broker *kafka.Broker
	admin  *kafka.Admin
	engine *orchestrator.Engine
	api    *api.API
	web    net.Listener
}

// assemble makes the replica and opens the gates to its API.
func (s *server) assemble(ctx context.Context) (_ *replica, err error) {
	cfg := s.cfg
	r := &replica{cfg: cfg, log: s.log, web: s.web}
	defer func() {
		if err != nil {
			r.close(context.WithoutCancel(ctx))
		}
	}()
	store, err := r.openStore(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := r.keyring(ctx, store)
	if err != nil {
		return nil, err
	}
	kcfg := kafkaConfig(cfg, s.log)
	kcfg.Keys = keys
	if r.admin, err = kafka.NewAdmin(kcfg); err != nil {
		return nil, err
	}
	if r.broker, err = kafka.Open(kcfg); err != nil {
		return nil, err
	}
	events, err := kafka.NewTail(kcfg)
	if err != nil {
		return nil, err
	}
	hub, metrics := api.NewHub(), api.NewMetrics()
	r.engine, err = orchestrator.New(orchestrator.Config{
		Store: store, Reader: store, Definitions: store, Broker: r.broker,
		Encoder:       kafka.NewCodec(topicsOf(cfg), cfg.Cluster, keys),
		Topics:        &provisioner{admin: r.admin, topics: topicsOf(cfg), create: cfg.Topics.Create},
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
	})
	if err != nil {
		return nil, err
	}
	r.api, err = api.New(api.Config{
		Engine: r.engine, Hub: hub, Metrics: metrics, Events: events,
		AllowUnauthenticated: cfg.AllowUnauthenticated,
		Ready:                s.ready,
		CommandTopic:         topicsOf(cfg).Commands,
		Version:              readBuild().Version,
		Logger:               s.log,
		DrainLimit:           min(cfg.DrainLimit, 20*time.Second),
	})
	if err != nil {
		return nil, err
	}
	s.gate.open(r.api.Handler())
	metrics.WatchStore(store, []string{tenantDefault}, s.log)
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
		pc.DSN, pc.LockTimeout, pc.IdleInTx = db.URL.Reveal(), db.LockTimeout, db.IdleInTransactionTimeout
		pool, err := postgres.OpenPool(ctx, pc)
		if err != nil {
			return nil, err
		}
		pools[i] = pool
		r.pools = append(r.pools, pool)
	}
	return postgres.New(postgres.Config{Engine: pools[0], API: pools[1], QuarantineBytes: int64(r.cfg.Quarantine.BytesPerHour)}), nil
}

func (r *replica) run(ctx context.Context, alongside []func(context.Context, *replica) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.engine.Run(ctx) })
	group.Go(func() error { return r.api.Run(ctx) })
	group.Go(func() error {
		err := r.provision(ctx)
		if err == nil {
			r.log.InfoContext(ctx, "serving", "url", urlOf(r.web), "version", readBuild().Version)
		}
		return err
	})
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
	if r.broker != nil {
		if err := r.broker.Close(ctx); err != nil {
			r.log.WarnContext(ctx, "Kafka connection not closed cleanly", "error", err)
		}
	}
	for _, pool := range r.pools {
		pool.Close()
	}
}

var _ http.Handler = (*gate)(nil)
