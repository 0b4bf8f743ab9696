package kafka

import (
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/participants"
)

var _ participants.Transport = (*Transport)(nil)

// ErrClosed is what Send and Consume answer after Close.
var ErrClosed = errors.New("kafka transport is closed")

// Transport reads commands and writes replies. It is safe for concurrent use; one may serve several participants of a
// process.
type Transport struct {
	config   Config
	client   sarama.Client // of the producer alone
	producer sarama.AsyncProducer
	drains   sync.WaitGroup // the two result channels' readers

	mu     sync.RWMutex // held for reading while sending, so that Close does not close a channel in use
	closed bool         // guarded by mu
}

// New connects the producer. It fails when no broker answers within some seconds. Whoever calls it closes the transport after every
// Consume has returned.
func New(config Config) (*Transport, error) {
	config.setDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	if _, err := config.consumer(); err != nil { // what is wrong is said at once
		return nil, err
	}
	settings, err := config.producer()
	if err != nil {
		return nil, err
	}
	client, err := sarama.NewClient(config.Brokers, settings)
	if err != nil {
		return nil, fmt.Errorf("connect to kafka: %w", err)
	}
	producer, err := sarama.NewAsyncProducerFromClient(client)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to kafka: start producer: %w", err), client.Close())
	}
	t := &Transport{config: config, client: client, producer: producer}
	// Both channels are read from the start to the end: one that fills up stops the producer.
	t.drains.Go(func() {
		for m := range producer.Successes() {
			t.sent(m.Metadata.(*sending), nil)
		}
	})
	t.drains.Go(func() {
		for e := range producer.Errors() {
			t.sent(e.Msg.Metadata.(*sending), e.Err)
		}
	})
	return t, nil
}

func (t *Transport) isClosed() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.closed
}

// Close flushes what was sent and disconnects. Calling it again does nothing.
func (t *Transport) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.closed = true
	t.mu.Unlock()
	t.producer.AsyncClose()
	t.drains.Wait()
	if err := t.client.Close(); err != nil {
		return fmt.Errorf("close kafka client: %w", err)
	}
	return nil
}
