package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

const (
	joinBackoff    = 250 * time.Millisecond
	joinBackoffMax = 5 * time.Second
)

// Consume implements participants.Transport. It joins again for as long as ctx lives, whatever went wrong: a topic
// that is not there yet, a broker that is away, a reply that could not be sent.
func (t *Transport) Consume(ctx context.Context, topic, group string, take func(participants.Delivery)) error {
	if t.isClosed() {
		return ErrClosed
	}
	for failures := 0; ctx.Err() == nil; failures++ {
		lived, err := t.member(ctx, topic, group, take)
		if ctx.Err() != nil {
			break
		}
		if lived {
			failures = 0
		}
		pause := min(joinBackoff<<min(failures, 8), joinBackoffMax)
		t.config.Logger.WarnContext(ctx, "consumer group is joined again", "topic", topic, "group", group, "error", err, "pause", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// member is one membership, over as many generations as go without an error. lived says whether it had any.
func (t *Transport) member(ctx context.Context, topic, group string, take func(participants.Delivery)) (lived bool, err error) {
	config, err := t.config.consumer() // of its own: the sticky strategy keeps state, and a transport may be in several groups
	if err != nil {
		return false, err
	}
	g, err := sarama.NewConsumerGroup(t.config.Brokers, group, config)
	if err != nil {
		return false, fmt.Errorf("join group %s: %w", group, err)
	}
	var drain sync.WaitGroup
	drain.Go(func() {
		for err := range g.Errors() {
			t.config.Logger.WarnContext(ctx, "consumer group error", "topic", topic, "group", group, "error", err)
		}
	})
	defer func() {
		err = errors.Join(err, g.Close())
		drain.Wait()
	}()
	h := &handler{transport: t, take: take}
	for ctx.Err() == nil {
		if err := g.Consume(ctx, []string{topic}, h); err != nil {
			return h.lived, fmt.Errorf("consume as group %s: %w", group, err)
		}
		if err := h.failure(); err != nil {
			return h.lived, err
		}
	}
	return h.lived, nil
}

// handler is sarama's callbacks. One generation runs at a time.
type handler struct {
	transport *Transport
	take      func(participants.Delivery)
	lived     bool

	mu  sync.Mutex
	err error // guarded by mu; the first delivery that is to be delivered again, of the generation
}

func (h *handler) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

func (h *handler) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = err
	}
}

// Setup implements sarama.ConsumerGroupHandler.
func (h *handler) Setup(sarama.ConsumerGroupSession) error {
	h.lived = true
	return nil
}

// Cleanup implements sarama.ConsumerGroupHandler.
func (h *handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim implements sarama.ConsumerGroupHandler. It returns when the partition is lost, and not before what was
// begun is finished, so that its offsets are committed with the generation. Returning ends the generation.
func (h *handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	ctx, lose := context.WithCancel(session.Context())
	var open sync.WaitGroup
	defer open.Wait()
	defer lose()
	marks := newWatermark(h.transport.config.MaxAhead)
	first := true
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			if first && claim.InitialOffset() < 0 && m.Offset > 0 {
				h.transport.config.Logger.ErrorContext(ctx, "partition is read from its oldest record and does not begin at 0: commands may have been removed unread",
					"topic", m.Topic, "partition", m.Partition, "offset", m.Offset)
			}
			first = false
			if marks.take(ctx, m.Offset) != nil {
				return nil
			}
			open.Add(1)
			h.transport.inHand.Add(1)
			h.take(participants.Delivery{
				Context: ctx,
				Record:  record(m),
				Finish: func(err error) {
					defer open.Done()
					h.transport.inHand.Add(-1)
					if err == nil {
						marks.finish(m.Offset, func(next int64) { session.MarkOffset(m.Topic, m.Partition, next, "") })
						return
					}
					if ctx.Err() == nil {
						h.fail(fmt.Errorf("finish %s/%d at %d: %w", m.Topic, m.Partition, m.Offset, err))
						lose()
					}
				},
			})
		}
	}
}

func record(m *sarama.ConsumerMessage) wire.Record {
	headers := make([]wire.Header, 0, len(m.Headers))
	for _, h := range m.Headers {
		if h != nil {
			headers = append(headers, wire.Header{Key: wire.HeaderName(h.Key), Value: h.Value})
		}
	}
	return wire.Record{
		Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Key: m.Key, Value: m.Value, Headers: headers,
		Timestamp: m.Timestamp,
	}
}
