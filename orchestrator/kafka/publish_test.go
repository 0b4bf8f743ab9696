package kafka

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
)

func outcomes(list []orchestrator.Published) []orchestrator.PublishOutcome {
	out := make([]orchestrator.PublishOutcome, len(list))
	for i, p := range list {
		out[i] = p.Outcome
	}
	return out
}

func TestPublish_RefusesWithoutSendingAboveItsOwnLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	broker := b.open(t, func(c *Config) { c.MaxMessageBytes = 1000 })
	large := b.record(sagaID(1), "")
	large.Value = make([]byte, 1000)
	got := broker.Publish(within(t), []orchestrator.Record{b.record(sagaID(1), 1), large, b.record(sagaID(1), 2)})
	require.Equal(t, []orchestrator.PublishOutcome{orchestrator.PublishAcked, orchestrator.PublishRefused, orchestrator.PublishAcked}, outcomes(got))
	require.ErrorIs(t, got[1].Err, ErrTooLarge)
}

func TestPublish_MissingTopicIsUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	broker := b.open(t)
	lost := b.record(sagaID(1), 1)
	lost.Topic = b.cfg.Topics.Commands("nobody")
	got := broker.Publish(within(t), []orchestrator.Record{lost, b.record(sagaID(1), 2)})
	require.Equal(t, []orchestrator.PublishOutcome{orchestrator.PublishUnknown, orchestrator.PublishAcked}, outcomes(got))
	require.Error(t, got[0].Err)

	missing, err := b.admin.Missing(within(t), lost.Topic)
	require.NoError(t, err)
	require.Equal(t, []string{lost.Topic}, missing, "publishing must not make a topic")
}

func TestPublish_NoKafkaAtAll(t *testing.T) {
	t.Parallel()
	broker, err := Open(Config{Brokers: []string{"127.0.0.1:1"}, Keys: testKeys(t)})
	require.NoError(t, err, "opening needs no Kafka")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	got := broker.Publish(ctx, []orchestrator.Record{{Topic: "x"}})
	require.Equal(t, orchestrator.PublishUnknown, got[0].Outcome)
	require.Error(t, got[0].Err)
	require.Error(t, broker.Ready(ctx))
	shut(t, broker)
	after := broker.Publish(within(t), []orchestrator.Record{{Topic: "x"}})
	require.ErrorIs(t, after[0].Err, ErrClosed)
	_, err = broker.Fetch(within(t))
	require.ErrorIs(t, err, ErrClosed)
	shut(t, broker)
}

// deafProducer takes messages and never answers, and never ends.
type deafProducer struct {
	sarama.AsyncProducer
	input     chan *sarama.ProducerMessage
	successes chan *sarama.ProducerMessage
	errors    chan *sarama.ProducerError
}

func (p *deafProducer) Input() chan<- *sarama.ProducerMessage     { return p.input }
func (p *deafProducer) Successes() <-chan *sarama.ProducerMessage { return p.successes }
func (p *deafProducer) Errors() <-chan *sarama.ProducerError      { return p.errors }
func (p *deafProducer) AsyncClose()                               {}

// closedClient stands in for a client that has nothing to close.
type closedClient struct{ sarama.Client }

func (closedClient) Close() error { return nil }

func TestSend_ReplacesAProducerThatGivesNoResult(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rebuilt := make(chan struct{}, 100)
	cfg := b.cfg
	cfg.StallAfter = 300 * time.Millisecond
	cfg.Hooks.ProducerRebuilt = func() { rebuilt <- struct{}{} }
	cfg.setDefaults()
	deaf := &deafProducer{
		input: make(chan *sarama.ProducerMessage, 1), successes: make(chan *sarama.ProducerMessage), errors: make(chan *sarama.ProducerError),
	}
	s := newSender(&cfg, 0)
	opened := 0
	good := s.open
	s.open = func() (*producer, error) {
		if opened++; opened == 1 {
			return startProducer(closedClient{}, deaf, 10), nil
		}
		return good()
	}
	record := b.record(sagaID(1), 1)
	// The second message waits for room in the producer: that must end as well.
	got := s.send(within(t), []*sarama.ProducerMessage{message(&record), message(&record)})
	for _, p := range got {
		require.Equal(t, orchestrator.PublishUnknown, p.Outcome)
		require.ErrorIs(t, p.Err, ErrStalled)
	}
	<-rebuilt
	ctx := within(t)
	for got[0].Outcome != orchestrator.PublishAcked { // a slow broker may seem to stall as well
		got = s.send(ctx, []*sarama.ProducerMessage{message(&record)})
		require.NoError(t, ctx.Err(), "%v", got[0].Err)
	}
	require.NoError(t, s.close(within(t)))
}

func TestSend_DropsResultsThatComeLate(t *testing.T) {
	t.Parallel()
	cfg := Config{Brokers: []string{"unused"}}
	cfg.setDefaults()
	slow := &deafProducer{
		input: make(chan *sarama.ProducerMessage, 10), successes: make(chan *sarama.ProducerMessage), errors: make(chan *sarama.ProducerError),
	}
	p := startProducer(closedClient{}, slow, 2)
	s := newSender(&cfg, 0)
	s.open = func() (*producer, error) { return p, nil }
	ctx, cancel := context.WithCancel(context.Background())
	record := orchestrator.Record{Topic: "x", Value: []byte("1")}
	go func() { msg := <-slow.input; cancel(); slow.input <- msg }()
	got := s.send(ctx, []*sarama.ProducerMessage{message(&record)})
	require.ErrorIs(t, got[0].Err, context.Canceled)

	got = s.send(within(t), []*sarama.ProducerMessage{})
	require.Empty(t, got)
	require.EqualValues(t, 1, p.pending.Load())
	full := []*sarama.ProducerMessage{message(&record), message(&record)}
	short, end := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer end()
	got = s.send(short, full)
	require.ErrorIs(t, got[1].Err, ErrBacklog, "what nobody answers must not pile up")

	slow.successes <- <-slow.input
	slow.errors <- &sarama.ProducerError{Msg: <-slow.input, Err: errors.New("late")}
	require.Eventually(t, func() bool { return p.pending.Load() == 0 }, patience, time.Millisecond)
	close(slow.successes)
	close(slow.errors)
	require.NoError(t, s.close(within(t)))
}

func TestForGood(t *testing.T) {
	t.Parallel()
	for _, err := range []error{sarama.ErrMessageSizeTooLarge, sarama.ErrInvalidRecord, sarama.ConfigurationError("too large"), sarama.PacketEncodingError{Info: "x"}} {
		require.True(t, forGood(fmt.Errorf("publish: %w", err)), "%v", err)
	}
	for _, err := range []error{
		sarama.ErrTopicAuthorizationFailed, sarama.ErrUnknownTopicOrPartition, sarama.ErrNotEnoughReplicas,
		sarama.ErrClusterAuthorizationFailed, sarama.ErrOutOfBrokers, context.Canceled, ErrStalled, nil,
	} {
		require.False(t, forGood(err), "%v", err)
	}
}

func (b *testBundle) createTopic(t testing.TB, topic string, partitions int32, entries map[string]*string) {
	t.Helper()
	err := b.admin.with(within(t), func(admin sarama.ClusterAdmin) error {
		if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: -1, ConfigEntries: entries}, false); err != nil {
			return err
		}
		return awaitLeaders(within(t), admin, []string{topic})
	})
	require.NoError(t, err)
}
