package kafka

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/participants"
)

var _ participants.Transport = (*Transport)(nil)

// ErrClosed is what Send and Consume answer after Close.
var ErrClosed = errors.New("kafka transport is closed")

// Transport reads commands and writes replies. It is safe for concurrent use; one may serve several participants of a
// process.
type Transport struct {
	config    Config
	prompt    *producer      // sends at once
	gathering *producer      // gathers
	drains    sync.WaitGroup // the readers of both producers' result channels
	inHand    atomic.Int64   // commands that were taken and are not finished

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
	t := &Transport{config: config}
	var err error
	if t.prompt, err = t.produce(0); err != nil {
		return nil, err
	}
	if t.gathering, err = t.produce(gatherFor); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// producer is one of sarama's, with a client of its own.
type producer struct {
	client sarama.Client
	async  sarama.AsyncProducer
}

// produce connects a producer, and reads its results until it is closed.
func (t *Transport) produce(gather time.Duration) (*producer, error) {
	settings, err := t.config.producer(gather)
	if err != nil {
		return nil, err
	}
	client, err := sarama.NewClient(t.config.Brokers, settings)
	if err != nil {
		return nil, fmt.Errorf("connect to kafka: %w", err)
	}
	async, err := sarama.NewAsyncProducerFromClient(client)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to kafka: start producer: %w", err), client.Close())
	}
	// Both channels are read from the start to the end: one that fills up stops the producer.
	t.drains.Go(func() {
		for m := range async.Successes() {
			t.sent(m.Metadata.(*sending), nil)
		}
	})
	t.drains.Go(func() {
		for e := range async.Errors() {
			t.sent(e.Msg.Metadata.(*sending), e.Err)
		}
	})
	return &producer{client, async}, nil
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
	for _, p := range []*producer{t.prompt, t.gathering} {
		if p != nil {
			p.async.AsyncClose()
		}
	}
	t.drains.Wait()
	var errs []error
	for _, p := range []*producer{t.prompt, t.gathering} {
		if p != nil {
			if err := p.client.Close(); err != nil {
				errs = append(errs, fmt.Errorf("close kafka client: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}
