package orchestrator_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// startsOnKafka is an installation on a real database and a broker that speaks Kafka's protocol.
type startsOnKafka struct {
	store   *postgres.Store
	cfg     kafka.Config
	raw     sarama.SyncProducer
	answers string // the topic
}

func onKafka(t *testing.T) *startsOnKafka {
	t.Helper()
	ctx := context.Background()
	b := &startsOnKafka{}
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(ctx, dsn)
	require.NoError(t, err)
	pools := postgres.Config{}
	for role, pool := range map[postgres.Role]**pgxpool.Pool{postgres.RoleEngine: &pools.Engine, postgres.RoleAPI: &pools.API} {
		*pool, err = postgres.OpenPool(ctx, postgres.PoolConfig{DSN: dsn, Role: role})
		require.NoError(t, err)
		t.Cleanup((*pool).Close)
	}
	b.store = postgres.New(pools)
	keys, err := wire.NewKeyring(wire.Key{ID: "k1", Secret: []byte("0123456789abcdef0123456789abcdef")})
	require.NoError(t, err)
	unique := "t" + strings.ToLower(rand.Text()[:12])
	topics := wire.Topics{Prefix: unique + "."}
	b.answers = unique + ".shop.answers"
	b.cfg = kafka.Config{
		Brokers: embeddedtest.Kafka(t), Group: unique, Topics: topics, Cluster: "test", Keys: keys, Partitions: 3,
		StartTopics: []string{topics.Starts(), unique + ".orders.starts"}, AnswerTopics: []string{b.answers},
		Log: slog.New(slog.NewTextHandler(logWriter{t}, nil)),
	}
	admin, err := kafka.NewAdmin(b.cfg)
	require.NoError(t, err)
	_, err = admin.Ensure(ctx, append(admin.Own(), topics.Commands("stock"), topics.Commands("runner"))...)
	require.NoError(t, err)
	conf := sarama.NewConfig()
	conf.Version = sarama.V3_6_0_0
	conf.Producer.Return.Successes = true
	b.raw, err = sarama.NewSyncProducer(b.cfg.Brokers, conf)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.raw.Close()) })
	return b
}

// replica runs an engine until stop: in order, or as a process that is gone, whose marks are never committed.
func (b *startsOnKafka) replica(t *testing.T, change ...func(*orchestrator.Config)) (engine *running, stop func()) {
	t.Helper()
	broker, err := kafka.Open(b.cfg)
	require.NoError(t, err)
	starts, err := kafka.OpenStarts(b.cfg)
	require.NoError(t, err)
	codec := kafka.NewCodec(b.cfg.Topics, b.cfg.Cluster, b.cfg.Keys)
	cfg := config(t, b.store, b.store, b.store, nil)
	cfg.Broker, cfg.Encoder, cfg.Decoder, cfg.Starts = broker, codec, codec, starts
	cfg.StartRules = orchestrator.StartRules{
		Tenants: map[string]string{b.cfg.StartTopics[0]: tenant, b.cfg.StartTopics[1]: "acme"},
		ReplyTo: map[string][]string{tenant: {b.answers}}, Source: "/skald/test",
	}
	for _, c := range change {
		c(&cfg)
	}
	engine = run(t, cfg)
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		engine.stop()
		require.NoError(t, <-engine.ended)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, starts.Close(ctx))
		require.NoError(t, broker.Close(ctx))
	}
	t.Cleanup(stop)
	for _, src := range []string{orderDefinition, errandDefinition} {
		_, _, err := engine.PutDefinition(t.Context(), tenant, []byte(src), true, "tester", "")
		require.NoError(t, err)
		_, _, err = engine.PutDefinition(t.Context(), "acme", []byte(src), true, "tester", "")
		require.NoError(t, err)
	}
	return engine, stop
}

func (b *startsOnKafka) send(t *testing.T, records ...wire.Record) {
	t.Helper()
	for _, r := range records {
		msg := &sarama.ProducerMessage{Topic: r.Topic, Key: sarama.ByteEncoder(r.Key), Value: sarama.ByteEncoder(r.Value)}
		for _, h := range r.Headers {
			msg.Headers = append(msg.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
		_, _, err := b.raw.SendMessage(msg)
		require.NoError(t, err)
	}
}

func (b *startsOnKafka) start(id, definition, input string) wire.Record {
	s := wire.Start{ID: id, Source: "/shop", SagaType: definition, ReplyTo: b.answers, Value: []byte(input)}
	return s.Record(b.cfg.StartTopics[0], []byte(id))
}

func (b *startsOnKafka) count(t *testing.T, tenant string) int {
	t.Helper()
	page, err := b.store.Sagas(t.Context(), orchestrator.SagaQuery{Tenant: tenant, Limit: 100})
	require.NoError(t, err)
	return len(page.Sagas)
}

func (b *startsOnKafka) quarantined(t *testing.T) []orchestrator.QuarantineEntry {
	t.Helper()
	list, err := b.store.Quarantine(t.Context(), orchestrator.QuarantineQuery{Tenant: tenant, Limit: 100})
	require.NoError(t, err)
	return list
}

// received reads the topic of answers from its beginning until it holds n.
func (b *startsOnKafka) received(t *testing.T, n int) (out []string) {
	t.Helper()
	conf := sarama.NewConfig()
	conf.Version = sarama.V3_6_0_0
	consumer, err := sarama.NewConsumer(b.cfg.Brokers, conf)
	require.NoError(t, err)
	defer func() { require.NoError(t, consumer.Close()) }()
	all := make(chan *sarama.ConsumerMessage)
	done := make(chan struct{})
	defer close(done)
	for partition := range b.cfg.Partitions {
		from, err := consumer.ConsumePartition(b.answers, partition, sarama.OffsetOldest)
		require.NoError(t, err)
		defer from.AsyncClose()
		go func() {
			for msg := range from.Messages() {
				select {
				case all <- msg:
				case <-done:
				}
			}
		}()
	}
	for len(out) < n {
		select {
		case msg := <-all:
			h := map[string]string{}
			for _, header := range msg.Headers {
				h[string(header.Key)] = string(header.Value)
			}
			require.Equal(t, wire.TypeStart+wire.ReplySuffix, h[wire.HeaderType])
			require.Equal(t, h[wire.HeaderCausationID], string(msg.Key), "the key is the start's")
			out = append(out, fmt.Sprintf("%s %s%s", h[wire.HeaderCausationID], h[wire.HeaderSagaOutcome], h[wire.HeaderSagaCode]))
		case <-time.After(30 * time.Second):
			require.Fail(t, "answers are missing", "%v", out)
		}
	}
	return out
}

// Records start sagas of their topic's tenant, are answered where they may be, and the refused ones wait for a person, who mends them.
func TestStartKafka_RecordsStartSagas(t *testing.T) {
	t.Parallel()
	b := onKafka(t)
	engine, stop := b.replica(t)
	acme := b.start("s-1", "errand", `{}`)
	acme.Topic = b.cfg.StartTopics[1]
	acme.Headers = append(acme.Headers, wire.Header{Key: wire.HeaderSagaTenant, Value: []byte(tenant)})
	first := b.start("s-1", "order", `{"id":"A-1",  "count":1}`)
	b.send(t, first, first, b.start("s-1", "order", `{"id":"A-1","count":2}`), acme, b.start("s-2", "later", `{}`))
	await(t, "all are dealt with", func() bool {
		return b.count(t, tenant) == 1 && b.count(t, "acme") == 1 && len(b.quarantined(t)) == 2
	})
	require.ElementsMatch(t, []string{
		"s-1 accepted", "s-1 accepted", "s-1 refusedidempotency_key_reused", "s-2 refusedunknown_saga",
	}, b.received(t, 4), "acme may not be answered there")

	_, _, err := engine.PutDefinition(t.Context(), tenant, []byte(strings.Replace(errandDefinition, "saga: errand", "saga: later", 1)), true, "tester", "")
	require.NoError(t, err)
	for _, e := range b.quarantined(t) {
		if e.Quarantined.Reason != "start_unknown_saga" {
			continue
		}
		require.Equal(t, b.cfg.StartTopics[0], e.Topic)
		done, err := engine.HandleQuarantined(t.Context(), redrive(e.ID))
		require.NoError(t, err)
		require.Equal(t, orchestrator.QuarantineApplied, done.Outcome)
	}
	require.Equal(t, 2, b.count(t, tenant))
	require.Contains(t, b.received(t, 5), "s-2 accepted", "whoever asked learns that it was mended")

	// Another replica goes on where this one stopped, and starts nothing twice.
	stop()
	_, _ = b.replica(t)
	b.send(t, b.start("s-3", "errand", `{}`))
	await(t, "the next one starts", func() bool { return b.count(t, tenant) == 3 })
	require.Len(t, b.quarantined(t), 2, "what was marked is not read again")
}

// S18: a replica ends between the commit of starts and that of their offsets. The next reads them again, and each is one saga.
func TestStartKafka_CommittedButNotMarked(t *testing.T) {
	t.Parallel()
	b := onKafka(t)
	_, stop := b.replica(t, func(c *orchestrator.Config) { c.Broker = &unmarking{c.Broker} })
	const n = 20
	for i := range n {
		b.send(t, b.start(fmt.Sprintf("s-%d", i), "errand", `{}`))
	}
	b.send(t, b.start("s-bad", "nothing", `{}`))
	await(t, "all are committed", func() bool { return b.count(t, tenant) == n && len(b.quarantined(t)) == 1 })
	stop()
	_, _ = b.replica(t)
	b.send(t, b.start("s-last", "errand", `{}`))
	await(t, "the next one starts", func() bool { return b.count(t, tenant) == n+1 })
	b.received(t, 2*(n+1)+1) // each was answered twice: read again it is answered again
	require.Equal(t, n+1, b.count(t, tenant), "once each")
	require.Len(t, b.quarantined(t), 1)
	page, err := b.store.Sagas(t.Context(), orchestrator.SagaQuery{Tenant: tenant, Limit: 100})
	require.NoError(t, err)
	for _, v := range page.Sagas {
		require.Equal(t, saga.Running, v.Instance.Status)
	}
}

// unmarking is a broker to which no mark gets through: that of a process that dies right after its commits.
type unmarking struct{ orchestrator.Broker }

func (unmarking) Mark([]orchestrator.Delivery) {}
