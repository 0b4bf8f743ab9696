package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/participants/wire"
)

// StartsSuffix is put behind the name of the group that reads replies: the group that reads starts. Two groups, so that a member that
// reads slowly because starts pile up keeps no reply waiting.
const StartsSuffix = "-starts"

// startsWait is how long FetchStarts waits for a first record.
const startsWait = time.Second

// Starts reads the topics of starts. It is safe for concurrent use.
type Starts struct {
	consumer *consumer
	cancel   context.CancelFunc
	ended    chan struct{} // closed when the consumer has ended
}

var _ orchestrator.StartSource = (*Starts)(nil)

// OpenStarts begins to connect and to read Config.StartTopics, as Open does; it needs no Keys. Without a topic it is an error.
func OpenStarts(cfg Config) (*Starts, error) {
	cfg.setDefaults()
	err := cfg.Validate()
	if len(cfg.StartTopics) == 0 {
		err = errors.Join(err, errors.New("starts: want at least one topic"))
	}
	if err != nil {
		return nil, fmt.Errorf("read starts: %w", err)
	}
	cfg.Group += StartsSuffix
	ctx, cancel := context.WithCancel(context.Background())
	s := &Starts{consumer: newConsumer(&cfg, "starts", rawStart, cfg.StartTopics...), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		s.consumer.run(ctx)
	}()
	return s, nil
}

// FetchStarts implements orchestrator.StartSource. ErrClosed after Close. Deliveries are marked by any Broker's Mark.
func (s *Starts) FetchStarts(ctx context.Context) ([]orchestrator.Delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, startsWait)
	defer cancel()
	return s.consumer.fetch(ctx)
}

// Assigned is how many partitions this member has at present.
func (s *Starts) Assigned() int { return int(s.consumer.assigned.Load()) }

// Close stops reading, waits up to a second for the marks of what FetchStarts has returned, commits their offsets, and leaves the
// group. It gives up waiting when ctx ends. A second call is harmless.
func (s *Starts) Close(ctx context.Context) error {
	s.cancel()
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("leave the consumer group of starts: %w", ctx.Err())
	}
}

// rawStart is a record as it came: what it asks for is for the engine to read, who knows whose topic it is. It shares key, value and
// headers with the record.
func rawStart(msg *sarama.ConsumerMessage) orchestrator.Delivery {
	raw := orchestrator.Quarantined{
		Topic: msg.Topic, Partition: msg.Partition, Offset: msg.Offset, Timestamp: msg.Timestamp, Key: msg.Key, Value: msg.Value,
		Headers: make([]orchestrator.Header, len(msg.Headers)),
	}
	for i, h := range msg.Headers {
		raw.Headers[i] = orchestrator.Header{Key: wire.HeaderName(h.Key), Value: h.Value}
	}
	return orchestrator.Delivery{Raw: raw}
}
