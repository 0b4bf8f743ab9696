package kafka

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/participants/conformance"
	"github.com/skaldhq/skald/participants/wire"
)

var _ conformance.Link = (*Link)(nil)

// Link is a conformance.Link through Kafka. Receive and Send may be called from one goroutine each.
type Link struct {
	config     Config
	client     sarama.Client
	admin      sarama.ClusterAdmin
	producer   sarama.SyncProducer
	consumer   sarama.Consumer
	commands   string
	partitions int32
	replies    string
	held       int
	made       []string // topics to delete
	started    bool

	readers sync.WaitGroup
	sources []sarama.PartitionConsumer
	records chan wire.Record
	closing chan struct{}
}

// Open connects, makes a reply topic, and starts the participant where Config.Process is given; it returns when the participant's group has
// a member that reads. Its errors are ErrNoTopic, ErrNobody, ErrRunning and ErrStart, wrapped, and those of the broker. Close gives everything
// back. Ending ctx ends the opening alone.
func Open(ctx context.Context, config Config) (_ *Link, err error) {
	config.StartTimeout = cmp.Or(config.StartTimeout, StartTimeoutDefault)
	settings, err := config.client()
	if err != nil {
		return nil, err
	}
	l := &Link{
		config: config, commands: config.Topics.Commands(config.Participant),
		replies: config.Topics.Prefix + "conformance." + strings.ToLower(rand.Text()[:12]) + ".replies",
		records: make(chan wire.Record, 64), closing: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.client, err = sarama.NewClient(config.Brokers, settings); err != nil {
		return nil, fmt.Errorf("connect to kafka: %w", err)
	}
	if l.admin, err = sarama.NewClusterAdminFromClient(l.client); err != nil {
		return nil, fmt.Errorf("connect to kafka: %w", err)
	}
	if l.producer, err = sarama.NewSyncProducerFromClient(l.client); err != nil {
		return nil, fmt.Errorf("connect to kafka: start producer: %w", err)
	}
	if l.consumer, err = sarama.NewConsumerFromClient(l.client); err != nil {
		return nil, fmt.Errorf("connect to kafka: start consumer: %w", err)
	}
	if err = l.find(ctx); err != nil {
		return nil, err
	}
	if err = l.makeTopic(ctx, l.replies); err != nil {
		return nil, err
	}
	return l, l.read(l.replies)
}

// find makes sure of the command topic and of who reads it.
func (l *Link) find(ctx context.Context) error {
	there, err := l.exists(l.commands)
	switch {
	case err != nil:
		return err
	case !there && l.config.Process == nil:
		return fmt.Errorf("%w: %s", ErrNoTopic, l.commands)
	case !there:
		if err := l.create(ctx, l.commands); err != nil {
			return err
		}
	}
	all, err := l.client.Partitions(l.commands)
	if err != nil {
		return fmt.Errorf("look at topic %s: %w", l.commands, err)
	}
	l.partitions = int32(len(all))
	if l.config.Process != nil {
		if _, members, err := l.members(); err != nil || members > 0 {
			return errors.Join(err, fmt.Errorf("%w: group %s has %d members", ErrRunning, l.group(), members))
		}
		return l.Restart(ctx)
	}
	return poll(ctx, l.config.StartTimeout, func() error {
		settled, members, err := l.members()
		switch {
		case err == nil && members == 0:
			return &finalError{fmt.Errorf("%w: group %s has no member", ErrNobody, l.group())}
		case err == nil && !settled:
			return fmt.Errorf("group %s does not settle", l.group())
		}
		return err
	})
}

// Commands implements conformance.Link.
func (l *Link) Commands() (string, int32) { return l.commands, l.partitions }

// Replies implements conformance.Link.
func (l *Link) Replies() (string, int32) { return l.replies, partitions }

// Send implements conformance.Link. It stops at the first record that is not taken. Cancelling ctx is seen between two records.
func (l *Link) Send(ctx context.Context, records ...wire.Record) error {
	for _, r := range records {
		if err := ctx.Err(); err != nil {
			return err
		}
		message := &sarama.ProducerMessage{Topic: r.Topic, Partition: r.Partition, Key: sarama.ByteEncoder(r.Key), Value: sarama.ByteEncoder(r.Value)}
		for _, h := range r.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
		if _, _, err := l.producer.SendMessage(message); err != nil {
			return err
		}
	}
	return nil
}

// Receive implements conformance.Link.
func (l *Link) Receive(ctx context.Context) (wire.Record, error) {
	select {
	case r := <-l.records:
		return r, nil
	case <-ctx.Done():
		return wire.Record{}, ctx.Err()
	}
}

// read receives from every partition of a topic, from its beginning.
func (l *Link) read(topic string) error {
	for p := range int32(partitions) {
		reader, err := l.consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
		if err != nil {
			return fmt.Errorf("read topic %s: %w", topic, err)
		}
		l.sources = append(l.sources, reader)
		l.readers.Go(func() {
			for m := range reader.Messages() {
				select {
				case l.records <- record(m):
				case <-l.closing:
				}
			}
		})
		l.readers.Go(func() {
			for range reader.Errors() { //nolint:revive // it reads on after an error; a channel that fills up would stop it
			}
		})
	}
	return nil
}

func record(m *sarama.ConsumerMessage) wire.Record {
	r := wire.Record{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Key: m.Key, Value: m.Value, Timestamp: m.Timestamp}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, wire.Header{Key: string(h.Key), Value: h.Value})
	}
	return r
}

// Close stops reading, ends a participant that was started, deletes the topics that were made, and disconnects.
func (l *Link) Close() error {
	var errs []error
	add := func(err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("close the link: %w", err))
		}
	}
	if l.started {
		add(l.config.Process.Stop())
		add(l.forget())
	}
	close(l.closing)
	for _, reader := range l.sources {
		reader.AsyncClose()
	}
	l.readers.Wait()
	for _, topic := range l.made {
		add(l.admin.DeleteTopic(topic))
	}
	if l.consumer != nil {
		add(l.consumer.Close())
	}
	if l.producer != nil {
		add(l.producer.Close())
	}
	if l.client != nil {
		add(l.client.Close())
	}
	return errors.Join(errs...)
}
