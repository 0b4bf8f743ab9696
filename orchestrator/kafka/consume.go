package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/orchestrator"
)

const (
	// fetchCount and fetchBytes bound one answer of Fetch: what the committer takes as one batch (design section 9).
	fetchCount = 512
	fetchBytes = 4 << 20
)

// consumer reads topics as a member of a group: the replies, or the starts. run supervises; each partition has a goroutine that
// decodes.
type consumer struct {
	cfg      *Config
	decode   func(*sarama.ConsumerMessage) orchestrator.Delivery
	what     string // it reads, for the log
	topics   []string
	out      chan orchestrator.Delivery
	stopped  chan struct{}
	stopOnce sync.Once
	assigned atomic.Int32 // partitions at present
}

func newConsumer(cfg *Config, what string, decode func(*sarama.ConsumerMessage) orchestrator.Delivery, topics ...string) *consumer {
	return &consumer{
		cfg: cfg, decode: decode, what: what, topics: topics,
		out: make(chan orchestrator.Delivery, fetchCount), stopped: make(chan struct{}),
	}
}

// fetch waits for a first record and adds what else is there.
func (c *consumer) fetch(ctx context.Context) ([]orchestrator.Delivery, error) {
	var list []orchestrator.Delivery
	bytes := 0
	take := func(d orchestrator.Delivery) {
		if d.Ack.(*ack).claim.take() {
			if list == nil {
				list = make([]orchestrator.Delivery, 0, min(1+len(c.out), fetchCount))
			}
			list = append(list, d)
			bytes += len(d.Raw.Value)
		}
	}
	for len(list) == 0 { // a delivery may have lost its partition
		select {
		case d := <-c.out:
			take(d)
		case <-ctx.Done():
			return nil, nil
		case <-c.stopped:
			return nil, ErrClosed
		}
	}
	for len(list) < fetchCount && bytes < fetchBytes {
		select {
		case d := <-c.out:
			take(d)
		default:
			return list, nil
		}
	}
	return list, nil
}

func (c *consumer) mark(deliveries []orchestrator.Delivery) {
	for i := range deliveries {
		if a, ok := deliveries[i].Ack.(*ack); ok {
			a.claim.mark(a.offset)
		}
	}
}

// run reads until ctx ends, whatever goes wrong on the way.
func (c *consumer) run(ctx context.Context) {
	defer c.stopOnce.Do(func() { close(c.stopped) })
	tries := 0
	for ctx.Err() == nil {
		joined, err := c.member(ctx)
		if ctx.Err() != nil {
			return
		}
		if joined {
			tries = 0
		}
		tries++
		c.failed(err)
		c.pause(ctx, tries)
	}
}

func (c *consumer) pause(ctx context.Context, try int) {
	select {
	case <-ctx.Done():
	case <-time.After(backoff(try, 100*time.Millisecond, 5*time.Second)):
	}
}

// member is one life of a group member: it ends when ctx does, or with the error that ended it.
func (c *consumer) member(ctx context.Context) (joined bool, err error) {
	client, err := sarama.NewClient(c.cfg.Brokers, c.cfg.consumer())
	if err != nil {
		return false, fmt.Errorf("connect the consumer: %w", err)
	}
	group, err := sarama.NewConsumerGroupFromClient(c.cfg.Group, client)
	if err != nil {
		return false, errors.Join(fmt.Errorf("make the consumer group: %w", err), client.Close())
	}
	h := &handler{consumer: c, client: client}
	look := &inspector{handler: h}
	var errs sync.WaitGroup
	errs.Go(func() {
		for err := range group.Errors() {
			c.failed(err)
			look.look(err)
		}
	})
	short := 0 // sessions in a row that ended at once
	for ctx.Err() == nil && err == nil {
		began := time.Now()
		err = group.Consume(ctx, c.topics, h) // nil after each rebalance, and when a partition could not be read
		if short++; time.Since(began) > time.Second {
			short = 0
		}
		if short > 2 { // a few are usual when several members join
			c.pause(ctx, short-2)
		}
	}
	err = errors.Join(err, group.Close())
	errs.Wait()
	look.wg.Wait()
	return h.joined, errors.Join(err, client.Close())
}

func (c *consumer) failed(err error) {
	if err == nil {
		return
	}
	c.cfg.Log.Warn("Reading "+c.what+" failed and is tried again", "error", err)
	if hook := c.cfg.Hooks.ConsumerFailed; hook != nil {
		hook(err)
	}
}
