package outage

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/test/stack"
)

// load starts orders at a steady rate, open loop: a slow answer does not hold up the next order.
type load struct {
	client *client.Client
	prefix string   // of the orders' ids
	tokens []string // of the orders, in turn
	stop   context.CancelFunc
	done   chan struct{} // closed when all answers are there

	mu     sync.Mutex // guards what follows
	orders []order
	err    error
}

// order is one that was accepted.
type order struct {
	key, id, token string
	at             time.Time     // before it was asked for
	took           time.Duration // until it was accepted
}

func startLoad(c *client.Client, prefix string, every time.Duration, tokens ...string) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{client: c, prefix: prefix, tokens: tokens, stop: cancel, done: make(chan struct{})}
	go l.run(ctx, every) // ends with finish
	return l
}

func (l *load) run(ctx context.Context, every time.Duration) {
	defer close(l.done)
	var group errgroup.Group
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-tick.C:
			group.Go(func() error { return l.place(n) })
		case <-ctx.Done():
		}
	}
	err := group.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *load) place(n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	o := order{key: fmt.Sprintf("%s-%04d", l.prefix, n), token: l.tokens[n%len(l.tokens)], at: time.Now()}
	started, err := l.client.Start(ctx, client.StartRequest{Saga: "order-placement", Input: stack.Order{ID: o.key, Token: o.token}.Input()})
	if err != nil {
		return fmt.Errorf("order %s: %w", o.key, err)
	}
	o.id, o.took = started.ID, time.Since(o.at)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders = append(l.orders, o)
	return nil
}

// accepted are the orders so far.
func (l *load) accepted() []order {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.orders[:len(l.orders):len(l.orders)]
}

// finish stops and answers all orders, or the first that was refused.
func (l *load) finish() ([]order, error) {
	l.stop()
	<-l.done
	return l.accepted(), l.err
}

// idle is nil once no saga is live.
func idle(c *client.Client) func(context.Context) error {
	return func(ctx context.Context) error {
		stats, err := c.Stats(ctx)
		if err == nil && stats.Live > 0 {
			err = fmt.Errorf("%d sagas live: %v, waiting for %v, %d with attention", stats.Live, stats.ByStatus, stats.ByCause, stats.WithAttention)
		}
		return err
	}
}
