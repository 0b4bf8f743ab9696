package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/participants/wire"
)

// tenantDefault is the tenant of whoever is not authenticated.
const tenantDefault = "default"

// kafkaConfig is the engine's connection, without keys.
func kafkaConfig(cfg *configs.Config, log *slog.Logger) kafka.Config {
	tenants, _ := cfg.StartTenants() // the settings were checked
	answers, _ := cfg.StartAnswers()
	return kafka.Config{
		StartTopics: slices.AppendSeq([]string{}, maps.Keys(tenants)), AnswerTopics: slices.Concat(slices.Collect(maps.Values(answers))...),
		Brokers: cfg.Kafka.Brokers, Group: cfg.Kafka.Group, Topics: topicsOf(cfg), Cluster: cfg.Cluster, InstanceID: cfg.InstanceID,
		Partitions: int32(cfg.Topics.Partitions), Replication: int16(cfg.Topics.Replication), Log: log,
	}
}

// provisioner makes the topics of participants, or says which are missing where it may not.
type provisioner struct {
	admin  *kafka.Admin
	topics wire.Topics
	create bool
}

var _ orchestrator.Topics = (*provisioner)(nil)

// EnsureParticipants implements orchestrator.Topics.
func (p *provisioner) EnsureParticipants(ctx context.Context, participants []string) error {
	names := make([]string, len(participants))
	for i, participant := range participants {
		names[i] = p.topics.Commands(participant)
	}
	if p.create {
		_, err := p.admin.Ensure(ctx, names...)
		return err
	}
	missing, err := p.admin.Missing(ctx, names...)
	if err == nil && len(missing) > 0 {
		err = &orchestrator.TopicMissingError{Topics: missing}
	}
	return err
}

// provision makes the engine's own topics, or waits until somebody has. It goes on until that is done: Kafka may come up later
// than this process, and until then commands wait in the outbox.
func (r *replica) provision(ctx context.Context) error {
	logged := ""
	err := await(ctx, time.Second, func(ctx context.Context) error {
		err := r.ownTopics(ctx)
		if err == nil {
			err = r.broker.Ready(ctx)
		}
		if err != nil && err.Error() != logged && ctx.Err() == nil {
			logged = err.Error()
			r.log.WarnContext(ctx, "topics are not there yet, tried again each second", "error", err)
		}
		return err
	})
	if ctx.Err() != nil {
		return nil // told to end
	}
	return err
}

func (r *replica) ownTopics(ctx context.Context) error {
	missing, err := r.admin.Missing(ctx, r.admin.Own()...)
	switch {
	case err != nil || len(missing) == 0:
		return err
	case !r.cfg.Topics.Create:
		return &orchestrator.TopicMissingError{Topics: missing}
	}
	made, err := r.admin.Ensure(ctx, missing...)
	if len(made.Made) > 0 {
		r.log.InfoContext(ctx, "topics made", "topics", made.Made)
	}
	return err
}

// topicsCmd are the commands about topics.
type topicsCmd struct {
	Ensure topicsEnsureCmd `cmd:"" help:"Make the engine's topics and the command topics of all registered definitions."`

	configs.Config
}

type topicsEnsureCmd struct{}

// Help is shown under the command's usage.
func (topicsEnsureCmd) Help() string {
	return `Topics that are there stay as they are. Without a database only the engine's own are made.

Example:

  skald topics ensure --kafka-brokers localhost:9092 --database-url postgres://skald@localhost:5432/skald`
}

// Run makes them.
func (topicsEnsureCmd) Run(ctx context.Context, term *console, all *cli) error {
	cfg := &all.Topics.Config
	if err := checkSettings(cfg, "kafka.brokers"); err != nil {
		return err
	}
	admin, err := kafka.NewAdmin(kafkaConfig(cfg, newLog(term.err, cfg.Log, all.Color)))
	if err != nil {
		return &hinted{code: exitUsage, err: err}
	}
	names := admin.Own()
	if cfg.Database.URL != "" {
		participants, err := registeredParticipants(ctx, cfg)
		if err != nil {
			return reachDatabase(err)
		}
		for _, participant := range participants {
			names = append(names, topicsOf(cfg).Commands(participant))
		}
	}
	done, err := admin.Ensure(ctx, names...)
	if err != nil {
		return &hinted{code: exitUnreachable, err: err, hints: []string{"is Kafka up, and is --kafka-brokers (SKALD_KAFKA_BROKERS) right?"}}
	}
	if term.json {
		return writeJSON(term.out, map[string]any{"made": nonNil(done.Made), "found": nonNil(done.Found), "compressed": nonNil(done.Compressed)})
	}
	for _, topic := range done.Made {
		fmt.Fprintf(term.out, "%s %s made\n", term.style.good("✓"), topic)
	}
	for _, topic := range done.Found {
		fmt.Fprintf(term.out, "%s %s was there\n", term.style.dim("·"), topic)
	}
	for _, topic := range done.Compressed {
		fmt.Fprintf(term.out, "%s %s should have compression.type=uncompressed\n", term.style.warn("!"), topic)
	}
	return nil
}

// registeredParticipants are those of every stored definition, sorted.
func registeredParticipants(ctx context.Context, cfg *configs.Config) ([]string, error) {
	pool, err := postgres.OpenPool(ctx, postgres.PoolConfig{DSN: cfg.Database.URL.Reveal(), Role: postgres.RoleAPI, MaxConns: 1})
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	rows, err := postgres.New(postgres.Config{Engine: pool}).ListDefinitions(ctx, tenantDefault, "")
	if err != nil {
		return nil, fmt.Errorf("read the registered definitions: %w", err)
	}
	var out []string
	for _, row := range rows {
		def, err := definition.Read(row.Name, row.Content)
		if err != nil {
			return nil, fmt.Errorf("read the registered %s@%d: %w", row.Name, row.Version, err)
		}
		for _, step := range def.Steps {
			out = append(out, step.Participant)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
