package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// producer is one life of a sarama producer, with a client of its own. Both result channels are drained from the start to
// the end; not doing so would block it for good.
type producer struct {
	client   sarama.Client
	async    sarama.AsyncProducer
	limit    int64
	stopped  chan struct{} // closed when it takes nothing more; results that are missing are unknown
	stopOnce sync.Once
	giveUp   chan struct{} // closed when its end is not waited for any longer
	drained  chan struct{} // closed when both channels are

	pending  atomic.Int64 // records in hand
	progress atomic.Int64 // when the last result came, or the first record after none was in hand; UnixNano
}

func newProducer(cfg *Config, gather time.Duration) (*producer, error) {
	client, err := sarama.NewClient(cfg.Brokers, cfg.producer(gather))
	if err != nil {
		return nil, err
	}
	async, err := sarama.NewAsyncProducerFromClient(client)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return startProducer(client, async, cfg.MaxPending), nil
}

func startProducer(client sarama.Client, async sarama.AsyncProducer, limit int) *producer {
	p := &producer{
		client: client, async: async, limit: int64(limit),
		stopped: make(chan struct{}), giveUp: make(chan struct{}), drained: make(chan struct{}),
	}
	var drains sync.WaitGroup
	drains.Go(p.drainAcks)
	drains.Go(p.drainErrors)
	go func() { drains.Wait(); close(p.drained) }() // owned by close
	return p
}

// put hands over one message; its result comes to its slot. It is called by one goroutine at a time, and not during close.
func (p *producer) put(ctx context.Context, msg *sarama.ProducerMessage) error {
	if p.pending.Load() >= p.limit {
		return ErrBacklog
	}
	if p.pending.Add(1) == 1 {
		p.progress.Store(time.Now().UnixNano())
	}
	select {
	case <-p.stopped: // before anything else: the other cases may be ready as well
		p.pending.Add(-1)
		return ErrStalled
	default:
	}
	select {
	case p.async.Input() <- msg:
		return nil
	case <-p.stopped:
		p.pending.Add(-1)
		return ErrStalled
	case <-ctx.Done():
		p.pending.Add(-1)
		return fmt.Errorf("hand to the producer: %w", ctx.Err())
	}
}

func (p *producer) drainAcks() {
	for {
		select {
		case msg, ok := <-p.async.Successes():
			if !ok {
				return
			}
			p.result()
			msg.Metadata.(*slot).acked(msg)
		case <-p.giveUp:
			return
		}
	}
}

func (p *producer) drainErrors() {
	for {
		select {
		case failed, ok := <-p.async.Errors():
			if !ok {
				return
			}
			p.result()
			failed.Msg.Metadata.(*slot).failed(failed.Err)
		case <-p.giveUp:
			return
		}
	}
}

func (p *producer) result() {
	p.progress.Store(time.Now().UnixNano())
	p.pending.Add(-1)
}

func (p *producer) stalled(after time.Duration) bool {
	return p.pending.Load() > 0 && time.Since(time.Unix(0, p.progress.Load())) > after
}

// stop ends whoever puts messages in or waits for results.
func (p *producer) stop() { p.stopOnce.Do(func() { close(p.stopped) }) }

// close flushes and closes, in a goroutine of sarama's, as long as ctx allows; after that it is left behind.
func (p *producer) close(ctx context.Context) error {
	p.async.AsyncClose()
	select {
	case <-p.drained:
		return p.client.Close()
	case <-ctx.Done():
	}
	// Without its connections a producer that only waits for a broker ends by itself.
	err := p.client.Close()
	select {
	case <-p.drained:
		return err
	case <-time.After(100 * time.Millisecond):
	}
	close(p.giveUp)
	<-p.drained
	return errors.Join(err, fmt.Errorf("close the producer with %d records in hand: %w", p.pending.Load(), ctx.Err()))
}
