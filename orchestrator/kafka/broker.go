package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/skaldhq/skald/orchestrator"
)

// Broker is a replica's connection to Kafka. It is safe for concurrent use.
type Broker struct {
	publisher *publisher
	consumer  *consumer
	cancel    context.CancelFunc
	ended     chan struct{} // closed when the consumer has ended
}

var _ orchestrator.Broker = (*Broker)(nil)

// Open begins to connect and to read, and returns at once; only a bad Config is an error. Close ends what it started.
func Open(cfg Config) (*Broker, error) {
	cfg.setDefaults()
	err := cfg.Validate()
	if cfg.Keys == nil {
		err = errors.Join(err, errors.New("keys: want a key ring for reply tokens"))
	}
	if err != nil {
		return nil, fmt.Errorf("open the Kafka connection: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &Broker{
		publisher: newPublisher(&cfg),
		consumer:  newConsumer(&cfg, "replies", NewCodec(cfg.Topics, cfg.Cluster, cfg.Keys).Decode, cfg.Topics.Replies()),
		cancel:    cancel,
		ended:     make(chan struct{}),
	}
	go func() {
		defer close(b.ended)
		b.consumer.run(ctx)
	}()
	return b, nil
}

// Publish sends records and answers one Published each, in the same order, when all are known or ctx ends; what ctx cuts
// off is unknown, and may still be sent. Records of one key and topic keep their order, within a call and over calls that
// follow one another (S7); but a record that the topic refuses for its size only in company with others is sent again
// behind them. An acknowledged record's Offset is -1 if the broker did not say where it stands.
func (b *Broker) Publish(ctx context.Context, records []orchestrator.Record) []orchestrator.Published {
	return b.publisher.publish(ctx, records)
}

// Fetch waits for replies and returns up to 512, in order per partition; none and no error when ctx ends. ErrClosed after
// Close. The values of a batch are of 4 MiB and one more record at most.
func (b *Broker) Fetch(ctx context.Context) ([]orchestrator.Delivery, error) {
	return b.consumer.fetch(ctx)
}

// Mark says that deliveries of Fetch are dealt with; twice is harmless. Offsets follow within 250 ms, and at once when a
// partition is taken away. Marks of an older assignment are ignored.
func (b *Broker) Mark(deliveries []orchestrator.Delivery) { b.consumer.mark(deliveries) }

// Ready waits until the producers are connected, or ctx ends.
func (b *Broker) Ready(ctx context.Context) error {
	return errors.Join(b.publisher.prompt.ready(ctx), b.publisher.main.ready(ctx))
}

// Assigned is how many partitions of the reply topic this member has at present.
func (b *Broker) Assigned() int { return int(b.consumer.assigned.Load()) }

// Close stops reading, waits up to a second for the marks of what Fetch has returned, commits their offsets, leaves the
// group, and flushes the producer. It gives up waiting when ctx ends; what was not acknowledged by then is unknown.
// A second call is harmless.
func (b *Broker) Close(ctx context.Context) error {
	b.cancel()
	err := b.publisher.close(ctx)
	select {
	case <-b.ended:
		return err
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("leave the consumer group: %w", ctx.Err()))
	}
}
