package kafka

import (
	"bytes"
	"errors"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/participants/wire"
)

func TestFetch_TellsOfPoison(t *testing.T) {
	t.Parallel()
	b := setup(t)
	reasons := make(chan string, 100)
	broker := b.open(t, func(c *Config) { c.Hooks.Poisoned = func(reason string) { reasons <- reason } })
	r := b.reply(sagaID(1), "reserve-items")
	r.Headers = nil
	b.send(t, r, b.reply(sagaID(1), "reserve-items"))
	fetch(t, broker, 2)
	require.Equal(t, ReasonNoOutcome, <-reasons)
	require.Empty(t, reasons)
}

func TestFetch_TenMegabytes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.widen(t, b.cfg.Topics.Replies())
	broker := b.open(t)
	large := bytes.Repeat([]byte("x"), 10<<20)
	large[0], large[len(large)-1] = '"', '"'
	noJSON := bytes.Repeat([]byte("x"), 10<<20)
	b.send(t,
		b.reply(sagaID(1), "reserve-items"),
		b.reply(sagaID(1), "reserve-items", func(r *wire.Reply) { r.Value = large }),
		b.reply(sagaID(1), "reserve-items", func(r *wire.Reply) { r.Value = noJSON }),
		b.reply(sagaID(1), "reserve-items"))
	var got []orchestrator.Delivery
	for len(got) < 4 { // marked as they come: they are more than may be unmarked
		some := fetch1(t, broker)
		broker.Mark(some)
		got = append(got, some...)
	}
	require.Len(t, got, 4)
	require.False(t, got[0].Reply.Oversized)
	require.True(t, got[1].Reply.Oversized)
	require.True(t, bytes.Equal(large, got[1].Raw.Value))
	require.Equal(t, ReasonUnreadable, got[2].Poison.Reason)
	require.True(t, bytes.Equal(noJSON, got[2].Poison.Value))
	require.Nil(t, got[3].Poison)
}

func fetch1(t *testing.T, b *Broker) []orchestrator.Delivery {
	t.Helper()
	ctx := within(t)
	some, err := b.Fetch(ctx)
	require.NoError(t, err)
	require.NoError(t, ctx.Err())
	return some
}

// widen lets a topic take records of 32 MiB.
func (b *testBundle) widen(t *testing.T, topic string) {
	t.Helper()
	limit := "33554432"
	require.NoError(t, b.admin.with(within(t), func(admin sarama.ClusterAdmin) error {
		return admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
			"max.message.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &limit},
		}, false)
	}))
}

// T8: a batch that unpacks to more than the limit costs no memory, goes to quarantine by its place, and stops nothing.
func TestFetch_ZipBomb(t *testing.T) {
	t.Parallel()
	b := setup(t)
	topic := b.cfg.Topics.Prefix + "skald.replies"
	b.widen(t, topic)
	cfg := b.cfg
	cfg.setDefaults()
	conf := cfg.producer(0)
	conf.Producer.MaxMessageBytes = 64 << 20
	conf.Producer.Compression = sarama.CompressionGZIP
	bomber, err := sarama.NewSyncProducer(cfg.Brokers, conf)
	require.NoError(t, err)
	defer func() { require.NoError(t, bomber.Close()) }()

	b.send(t, b.replies(sagaID(1), 2)...)
	partition, at, err := bomber.SendMessage(&sarama.ProducerMessage{
		Topic: topic, Key: sarama.StringEncoder(sagaID(1).String()), Value: sarama.ByteEncoder(make([]byte, 40<<20)),
	})
	if errors.Is(err, sarama.ErrMessageSizeTooLarge) {
		return // the broker unpacks and refuses, as the topic's compression.type has it
	}
	require.NoError(t, err)
	b.send(t, b.reply(sagaID(1), "reserve-items", func(r *wire.Reply) { r.Attempt = 3 }))
	for n := range 5 {
		b.send(t, b.reply(sagaID(10+n), "reserve-items", func(r *wire.Reply) { r.Attempt = 100 + n }))
	}

	failures := make(chan error, 10000)
	broker := b.open(t, func(c *Config) { c.Hooks.ConsumerFailed = func(err error) { failures <- err } })
	seen := map[int]bool{}
	var bomb *orchestrator.Quarantined
	for len(seen) < 8 {
		some := fetch1(t, broker)
		for _, d := range some {
			if d.Poison != nil {
				require.Nil(t, bomb, "it comes once")
				bomb = d.Poison
				continue
			}
			seen[d.Reply.Attempt] = true
		}
		broker.Mark(some)
	}
	require.NotNil(t, bomb)
	require.Equal(t, ReasonUnreadable, bomb.Reason)
	require.Equal(t, topic, bomb.Topic)
	require.Equal(t, partition, bomb.Partition)
	require.Equal(t, at, bomb.Offset)
	require.Empty(t, bomb.Value)
	require.ErrorIs(t, <-failures, sarama.ErrDecompressedBatchTooLarge)
}
