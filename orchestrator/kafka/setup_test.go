package kafka

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/brokertest"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// patience bounds every wait of these tests; none takes near as long unless something is broken.
const patience = 40 * time.Second

// testBundle is an installation of its own on a broker that may be shared: its topics have a prefix and its group a name
// that nobody else has.
type testBundle struct {
	cfg   Config
	keys  *wire.Keyring
	codec *Codec
	admin *Admin
	raw   sarama.SyncProducer // writes whatever a test wants
}

func setup(t testing.TB, brokers ...string) *testBundle {
	t.Helper()
	if len(brokers) == 0 {
		brokers = embeddedtest.Kafka(t)
	}
	unique := "t" + strings.ToLower(rand.Text()[:12])
	b := &testBundle{keys: testKeys(t)}
	b.cfg = Config{
		Brokers: brokers, Group: unique, Topics: wire.Topics{Prefix: unique + "."}, Cluster: "test", Keys: b.keys,
		Partitions: 3, Log: slog.New(slog.NewTextHandler(logWriter{t}, nil)),
	}
	b.codec = NewCodec(b.cfg.Topics, b.cfg.Cluster, b.keys)
	var err error
	b.admin, err = NewAdmin(b.cfg)
	require.NoError(t, err)
	_, err = b.admin.Ensure(within(t), b.admin.Own()...)
	require.NoError(t, err)
	cfg := b.cfg
	cfg.setDefaults()
	conf := cfg.producer(0)
	conf.Producer.MaxMessageBytes = 64 << 20
	b.raw, err = sarama.NewSyncProducer(brokers, conf)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.raw.Close()) })
	return b
}

// open starts a replica that is closed at the end of the test, if not before.
func (b *testBundle) open(t testing.TB, change ...func(*Config)) *Broker {
	t.Helper()
	cfg := b.cfg
	for _, c := range change {
		c(&cfg)
	}
	broker, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { shut(t, broker) })
	return broker
}

func shut(t testing.TB, b *Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, b.Close(ctx))
}

// send puts records on the reply topic.
func (b *testBundle) send(t testing.TB, records ...wire.Record) {
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

// reply is the record of a good reply to the step's execute, changed by change.
func (b *testBundle) reply(id saga.ID, step string, change ...func(*wire.Reply)) wire.Record {
	command := commandOf(b.keys, id, step)
	r := wire.ReplyTo(&command, wire.RandomID(), time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	r.Outcome = wire.Succeeded
	r.Value = []byte(`{"ok":true}`)
	for _, c := range change {
		c(&r)
	}
	return r.Record(b.cfg.Topics.Replies())
}

func commandOf(keys *wire.Keyring, id saga.ID, step string) wire.Command {
	sagaID := wire.ID(id)
	commandID := wire.CommandID(sagaID, step, wire.Execute, 0)
	return wire.Command{
		ID: commandID, Participant: "inventory", Name: "ReserveItems.v1", SagaID: sagaID, Step: step, Verb: wire.Execute,
		Tenant: "default", Attempt: 1, Token: keys.Sign("default", sagaID, commandID, "inventory"), CorrelationID: "A-1",
	}
}

// fetch reads until it has n deliveries.
func fetch(t *testing.T, b *Broker, n int) []orchestrator.Delivery {
	t.Helper()
	ctx := within(t)
	var list []orchestrator.Delivery
	for len(list) < n {
		some, err := b.Fetch(ctx)
		require.NoError(t, err)
		require.NoError(t, ctx.Err(), "%d of %d deliveries came", len(list), n)
		list = append(list, some...)
	}
	require.Len(t, list, n)
	return list
}

// record is a small record for one of the installation's topics.
func (b *testBundle) record(key saga.ID, value any) orchestrator.Record {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return orchestrator.Record{Topic: b.cfg.Topics.Events(), Key: []byte(key.String()), Value: text}
}

// each reads a topic from its beginning until it has n records: per partition in order.
func (b *testBundle) each(t testing.TB, topic string, n int, do func(*sarama.ConsumerMessage)) {
	t.Helper()
	cfg := b.cfg
	cfg.setDefaults()
	consumer, err := sarama.NewConsumer(cfg.Brokers, cfg.consumer())
	require.NoError(t, err)
	defer func() { require.NoError(t, consumer.Close()) }()
	partitions, err := consumer.Partitions(topic)
	require.NoError(t, err)
	found := make(chan *sarama.ConsumerMessage)
	stop := make(chan struct{})
	defer close(stop)
	for _, p := range partitions {
		from, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
		require.NoError(t, err)
		defer func() { require.NoError(t, from.Close()) }()
		go func() {
			for msg := range from.Messages() {
				select {
				case found <- msg:
				case <-stop:
				}
			}
		}()
	}
	ctx := within(t)
	for i := range n {
		select {
		case msg := <-found:
			do(msg)
		case <-ctx.Done():
			require.FailNow(t, "records are missing", "%d of %d came", i, n)
		}
	}
}

func sagaID(n int) saga.ID { return brokertest.SagaID(n) }

func testKeys(t testing.TB) *wire.Keyring { return brokertest.Keys(t) }

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// logWriter shows the log of a test that failed.
type logWriter struct{ t testing.TB }

func (w logWriter) Write(line []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(line), "\n"))
	return len(line), nil
}
