package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/inventory"
	pkafka "github.com/skaldhq/skald/participants/kafka"
	"github.com/skaldhq/skald/participants/orders"
	"github.com/skaldhq/skald/participants/payments"
	"github.com/skaldhq/skald/participants/shipping"
)

// reference is a participant that comes with the service.
type reference struct {
	name  string
	setup func(context.Context, *pgxpool.Pool) error
	make  func(*pgxpool.Pool, participants.Config) *participants.Participant
}

func references() []reference {
	return []reference{
		{orders.Name, orders.Setup, orders.New},
		{payments.Name, payments.Setup, payments.New},
		{inventory.Name, inventory.Setup, inventory.New},
		{shipping.Name, shipping.Setup, shipping.New},
	}
}

func referenceNames() []string {
	var names []string
	for _, r := range references() {
		names = append(names, r.name)
	}
	return names
}

// participantConns is how many connections a participant takes: four of them, an engine and its API fit into the 100 that a
// Postgres has by default.
const participantConns = 16

// participantCmd runs one reference participant, or lists those of a server.
type participantCmd struct {
	Name string `arg:"" enum:"orders,payments,inventory,shipping,list" help:"orders, payments, inventory or shipping, to run it; or list, to see how those of a server do."`

	remote
	configs.Config
}

// Help is shown under the command's usage.
func (participantCmd) Help() string {
	return `It makes its schema and its topic where they are missing. Run as many as the topic has partitions.

What the payments participant does is chosen by payment_token: tok_ok, tok_declined (refused), tok_flaky (fails once), tok_slow (takes 8 s), tok_lost (charges and never answers). Sku sku-sold-out is refused by inventory; ship_to nowhere fails for ever.

Example:

  skald participant list
  skald participant payments --database-url postgres://skald@localhost:5432/payments --kafka-brokers localhost:9092`
}

// Run runs it until ctx ends.
func (cmd *participantCmd) Run(ctx context.Context, term *console, all *cli) error {
	if cmd.Name == participantsOf {
		return cmd.list(ctx, term)
	}
	if err := checkSettings(&cmd.Config, "database.url", "kafka.brokers"); err != nil {
		return err
	}
	log := newLog(term.err, cmd.Log, all.Color)
	parent := ctx
	group, ctx := errgroup.WithContext(ctx)
	ready := &gate{}
	if cmd.Admin.Addr != "" {
		l, _, err := listen(ctx, cmd.Admin.Addr, "--admin-addr", portsAsGiven)
		if err != nil {
			return err
		}
		log.InfoContext(ctx, "health is served", "url", urlOf(l)+"/healthz")
		group.Go(func() error { return serveHTTP(ctx, l, ready, &cmd.Config, log) })
	}
	group.Go(func() error {
		return runParticipants(ctx, &cmd.Config, log, func() { ready.open(http.HandlerFunc(participantHealth)) }, cmd.Name)
	})
	err := group.Wait()
	if parent.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // it was told to end before it was up
	}
	return err
}

// participantHealth answers once the participant has its tables and its topic.
func participantHealth(w http.ResponseWriter, r *http.Request) {
	if path := r.URL.Path; path != "/healthz" && path != "/readyz" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"status":"ok"}` + "\n")) // the client is gone otherwise
}

// runParticipants runs reference participants in this process until ctx ends, and drains them. started is called once their
// tables and topics are there.
func runParticipants(ctx context.Context, cfg *configs.Config, log *slog.Logger, started func(), names ...string) error {
	group, ctx := errgroup.WithContext(ctx)
	var pending atomic.Int32
	pending.Store(int32(len(names)))
	for _, ref := range references() {
		if !slices.Contains(names, ref.name) {
			continue
		}
		group.Go(func() error {
			return ref.run(ctx, cfg, log, func() {
				if pending.Add(-1) == 0 {
					started()
				}
			})
		})
	}
	return group.Wait()
}

// run runs the participant until ctx ends, with connections of its own, as in a process of its own.
func (ref *reference) run(ctx context.Context, cfg *configs.Config, log *slog.Logger, started func()) (err error) {
	transport, err := pkafka.New(pkafka.Config{Brokers: cfg.Kafka.Brokers, InstanceID: cfg.InstanceID, Logger: log})
	if err != nil {
		return &hinted{code: exitUnreachable, err: err, hints: []string{"is Kafka up, and is --kafka-brokers (SKALD_KAFKA_BROKERS) right?"}}
	}
	defer func() { err = errors.Join(err, transport.Close()) }()
	pool, err := participantPool(ctx, cfg, ref.name)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := ref.setup(ctx, pool); err != nil {
		return reachDatabase(err)
	}
	settings := participants.Config{Topics: topicsOf(cfg), Logger: withTraceIDs(cfg, log)}
	traces, err := openTracing(ctx, cfg, log, ref.name)
	if err != nil {
		return err
	}
	if traces != nil {
		settings.TracerProvider = traces.Provider()
		defer closeTracing(ctx, traces, log)
	}
	p := ref.make(pool, settings)
	if cfg.Topics.Create {
		if err := transport.EnsureTopics(ctx, int32(cfg.Topics.Partitions), p.Topic()); err != nil {
			return fmt.Errorf("make the topic of %s: %w", ref.name, err)
		}
	}
	started()
	return p.Run(ctx, transport)
}

func participantPool(ctx context.Context, cfg *configs.Config, name string) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(cfg.Database.URL.Reveal())
	if err != nil {
		return nil, &hinted{code: exitUsage, err: fmt.Errorf("the database's URL: %w", err)}
	}
	pc.MaxConns = participantConns
	pc.ConnConfig.RuntimeParams["application_name"] = "skald-" + name
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open the pool of %s: %w", name, err)
	}
	return pool, nil
}
