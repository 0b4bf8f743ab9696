package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/orchestrator"
)

// sender keeps one producer alive: it connects when first used, and again when a producer was given up.
type sender struct {
	cfg    *Config
	open   func() (*producer, error)
	feed   chan struct{} // holds one token; who has it may put messages into the producer
	closed chan struct{}
	wg     sync.WaitGroup // of connecting, watching and closing

	mu        sync.Mutex // guards the rest
	isClosed  bool
	current   *producer
	dialing   *dial
	tries     int       // to connect, since the last success
	notBefore time.Time // when to try again
	lastErr   error
}

// dial is one try to connect; its fields are set before done is closed.
type dial struct {
	done     chan struct{}
	producer *producer
	err      error
}

func newSender(cfg *Config, gather time.Duration) *sender {
	s := &sender{cfg: cfg, feed: make(chan struct{}, 1), closed: make(chan struct{})}
	s.open = func() (*producer, error) { return newProducer(cfg, gather) }
	s.feed <- struct{}{}
	return s
}

// send answers one result per message, in order: acked, or unknown with the reason. It returns when all are known or ctx ends.
func (s *sender) send(ctx context.Context, messages []*sarama.ProducerMessage) []orchestrator.Published {
	b := newBatch(len(messages))
	if len(messages) == 0 {
		return b.end(nil)
	}
	p, err := s.put(ctx, b, messages)
	if p == nil {
		return b.end(err)
	}
	select {
	case <-b.done:
		return b.end(nil)
	case <-ctx.Done():
		return b.end(fmt.Errorf("wait for the broker's acknowledgement: %w", ctx.Err()))
	case <-p.stopped:
		return b.end(s.whyStopped())
	}
}

// put hands the messages to the producer; it returns the producer if any went in, and answers those that did not.
func (s *sender) put(ctx context.Context, b *batch, messages []*sarama.ProducerMessage) (*producer, error) {
	select {
	case <-s.feed:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to publish: %w", ctx.Err())
	case <-s.closed:
		return nil, ErrClosed
	}
	defer func() { s.feed <- struct{}{} }()
	p, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	for i, msg := range messages {
		msg.Metadata = &slot{batch: b, index: i}
		if err = p.put(ctx, msg); err != nil {
			for ; i < len(messages); i++ {
				b.set(i, unknown(err))
			}
			break
		}
	}
	return p, nil
}

func (s *sender) whyStopped() error {
	select {
	case <-s.closed:
		return ErrClosed
	default:
		return ErrStalled
	}
}

// connected answers the present producer, or waits for one, as long as ctx allows.
func (s *sender) connected(ctx context.Context) (*producer, error) {
	s.mu.Lock()
	if s.isClosed {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	if p := s.current; p != nil {
		s.mu.Unlock()
		return p, nil
	}
	d := s.dialing
	if d == nil {
		if time.Now().Before(s.notBefore) {
			err := s.lastErr
			s.mu.Unlock()
			return nil, err
		}
		d = &dial{done: make(chan struct{})}
		s.dialing = d
		s.wg.Go(func() { s.connect(d) })
	}
	s.mu.Unlock()
	select {
	case <-d.done:
		return d.producer, d.err
	case <-ctx.Done():
		return nil, fmt.Errorf("connect the producer: %w", ctx.Err())
	case <-s.closed:
		return nil, ErrClosed
	}
}

func (s *sender) connect(d *dial) {
	p, err := s.open()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialing = nil
	switch {
	case err != nil:
		s.tries++
		s.lastErr = fmt.Errorf("connect the producer: %w", err)
		s.notBefore = time.Now().Add(backoff(s.tries, 50*time.Millisecond, 2*time.Second))
		d.err = s.lastErr
	case s.isClosed:
		s.retire(p)
		d.err = ErrClosed
	default:
		s.tries = 0
		s.current, d.producer = p, p
		s.wg.Go(func() { s.watch(p) })
	}
	close(d.done)
}

// watch gives a producer up that stopped answering: sarama has had dead ends in which no result ever came. What was in it is
// unknown, and the outbox sends it again.
func (s *sender) watch(p *producer) {
	ticker := time.NewTicker(max(s.cfg.StallAfter/8, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-p.stopped:
			return
		case <-ticker.C:
		}
		if !p.stalled(s.cfg.StallAfter) {
			continue
		}
		s.mu.Lock()
		if s.current == p {
			s.current = nil
		}
		s.mu.Unlock()
		p.stop()
		s.cfg.Log.Error("Producer gave no result and is replaced", "stall_after", s.cfg.StallAfter, "pending", p.pending.Load())
		if hook := s.cfg.Hooks.ProducerRebuilt; hook != nil {
			hook()
		}
		s.retire(p)
		return
	}
}

// retire closes a stopped producer beside everything else; it may take as long as it takes to find out that it is stuck.
func (s *sender) retire(p *producer) {
	p.stop()
	s.wg.Go(func() {
		// Nobody may be putting messages in while it closes: sarama closes its input.
		<-s.feed
		s.feed <- struct{}{}
		ctx, cancel := context.WithTimeout(context.Background(), s.cfg.StallAfter)
		defer cancel()
		if err := p.close(ctx); err != nil {
			s.cfg.Log.Error("Stuck producer left behind", "error", err)
		}
	})
}

// close refuses new records, flushes those in hand as long as ctx allows, and waits for all that was started.
func (s *sender) close(ctx context.Context) error {
	s.mu.Lock()
	if !s.isClosed {
		s.isClosed = true
		close(s.closed)
	}
	p := s.current
	s.current = nil
	s.mu.Unlock()
	var err error
	if p != nil {
		select {
		case <-s.feed:
			s.feed <- struct{}{}
		case <-ctx.Done():
			p.stop() // ends whoever is putting
			<-s.feed
			s.feed <- struct{}{}
		}
		err = p.close(ctx)
		p.stop()
	}
	ended := make(chan struct{})
	go func() { s.wg.Wait(); close(ended) }() // ends with what it waits for, all of which is bounded
	select {
	case <-ended:
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("close the producer: %w", ctx.Err()))
	}
	return err
}

// busy reports whether messages are in hand that are not answered.
func (s *sender) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil && s.current.pending.Load() > 0
}

// ready waits until it is connected, or ctx ends.
func (s *sender) ready(ctx context.Context) error {
	for {
		_, err := s.connected(ctx)
		if err == nil || errors.Is(err, ErrClosed) || ctx.Err() != nil {
			return err
		}
		if err := s.pause(ctx); err != nil {
			return err
		}
	}
}

// pause waits until a next try to connect is due.
func (s *sender) pause(ctx context.Context) error {
	s.mu.Lock()
	wait := time.Until(s.notBefore)
	s.mu.Unlock()
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("connect the producer: %w", ctx.Err())
	case <-s.closed:
		return ErrClosed
	}
}
