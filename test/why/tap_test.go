package why

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/stack"
)

// tap reads along what goes over Kafka: commands to payments and all replies. It also sends replies that no participant sent.
type tap struct {
	topics   wire.Topics
	producer sarama.SyncProducer

	mu   sync.Mutex // guards seen
	seen []wire.Record
}

func newTap(t testing.TB, s *stack.Stack) *tap {
	t.Helper()
	conf := sarama.NewConfig()
	conf.Version = sarama.V3_6_0_0
	conf.Producer.Return.Successes = true
	conf.Producer.RequiredAcks = sarama.WaitForAll
	conf.Consumer.Return.Errors = false
	client, err := sarama.NewClient(s.Brokers(), conf)
	require.NoError(t, err)
	consumer, err := sarama.NewConsumerFromClient(client)
	require.NoError(t, err)
	p := &tap{topics: s.Topics()}
	p.producer, err = sarama.NewSyncProducerFromClient(client)
	require.NoError(t, err)
	var parts []sarama.PartitionConsumer
	var readers sync.WaitGroup
	for _, topic := range []string{p.topics.Replies(), p.topics.Commands("payments")} {
		partitions, err := client.Partitions(topic)
		require.NoError(t, err)
		for _, partition := range partitions {
			part, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
			require.NoError(t, err)
			parts = append(parts, part)
			readers.Go(func() { p.read(part.Messages()) })
		}
	}
	t.Cleanup(func() {
		for _, part := range parts {
			part.AsyncClose()
		}
		readers.Wait()
		_ = consumer.Close() // its broker may be gone
		_ = p.producer.Close()
		_ = client.Close()
	})
	return p
}

func (p *tap) read(from <-chan *sarama.ConsumerMessage) {
	for m := range from {
		record := wire.Record{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Key: m.Key, Value: m.Value, Timestamp: m.Timestamp}
		for _, h := range m.Headers {
			record.Headers = append(record.Headers, wire.Header{Key: string(h.Key), Value: h.Value})
		}
		p.mu.Lock()
		p.seen = append(p.seen, record)
		p.mu.Unlock()
	}
}

// answered is when a participant sent an answer to a saga's step: its record's time.
func (p *tap) answered(t testing.TB, id, step string, verb wire.Verb, outcome wire.Outcome) (at time.Time) {
	t.Helper()
	p.wait(t, fmt.Sprintf("%s of %s is %s", verb, step, outcome), func(r *wire.Record) bool {
		reply, err := wire.DecodeReply(*r)
		at = r.Timestamp
		return r.Topic == p.topics.Replies() && err == nil && reply.SagaID.String() == id && reply.Step == step && reply.Verb == verb && reply.Outcome == outcome
	})
	return at
}

// command is the first command that was sent to payments for a saga.
func (p *tap) command(t testing.TB, id string) (c wire.Command) {
	t.Helper()
	p.wait(t, "a command to payments", func(r *wire.Record) (ok bool) {
		if r.Topic != p.topics.Commands("payments") {
			return false
		}
		var err error
		c, err = wire.DecodeCommand(*r)
		return err == nil && c.SagaID.String() == id
	})
	return c
}

func (p *tap) wait(t testing.TB, what string, found func(*wire.Record) bool) {
	t.Helper()
	stack.Eventually(t, 20*time.Second, func(context.Context) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		for i := range p.seen {
			if found(&p.seen[i]) {
				return nil
			}
		}
		return fmt.Errorf("not seen on Kafka: %s", what)
	})
}

// reply sends an answer as payments would, and answers when the broker had it.
func (p *tap) reply(t testing.TB, c wire.Command, outcome wire.Outcome, code string, value []byte) time.Time {
	t.Helper()
	r := wire.ReplyTo(&c, wire.RandomID(), time.Now())
	r.Outcome, r.Code, r.Value = outcome, code, value
	record := r.Record(p.topics.Replies())
	m := &sarama.ProducerMessage{Topic: record.Topic, Key: sarama.ByteEncoder(record.Key), Value: sarama.ByteEncoder(record.Value)}
	for _, h := range record.Headers {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	_, _, err := p.producer.SendMessage(m)
	require.NoError(t, err)
	return time.Now()
}
