package stack

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api/client"
)

// loadWorkers is how many starts are under way at a time.
const loadWorkers = 32

// Load starts sagas through several replicas, as a service would that knows them all: what one can't take now, another is
// asked for under the same Idempotency-Key.
type Load struct {
	Saga     string
	Replicas []*client.Client

	Accepted atomic.Int64
}

// Place starts a saga for each order and answers the ids by order. It is an error where one is refused for good.
func (l *Load) Place(ctx context.Context, orders []Order) (map[string]string, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(loadWorkers)
	var mu sync.Mutex
	ids := make(map[string]string, len(orders))
	for i, order := range orders {
		group.Go(func() error {
			id, err := l.start(ctx, i, order)
			if err != nil {
				return fmt.Errorf("order %s: %w", order.ID, err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[order.ID] = id
			l.Accepted.Add(1)
			return nil
		})
	}
	return ids, group.Wait()
}

func (l *Load) start(ctx context.Context, i int, order Order) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for try := i; ; try++ {
		c := l.Replicas[try%len(l.Replicas)]
		started, err := c.Start(ctx, client.StartRequest{Saga: l.Saga, Input: order.Input()}, client.WithIdempotencyKey("place-"+order.ID))
		if err == nil {
			return started.ID, nil
		}
		var answer *client.Error
		if ctx.Err() != nil || errors.As(err, &answer) && !answer.Retryable {
			return "", err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return "", err
		}
	}
}

// Orders are n orders; every tenth is declined.
func Orders(prefix string, n int) []Order {
	orders := make([]Order, n)
	for i := range orders {
		orders[i] = Order{ID: fmt.Sprintf("%s-%04d", prefix, i)}
		if i%10 == 0 {
			orders[i].Token = "tok_declined"
		}
	}
	return orders
}

// Declined reports whether an order is to be refused.
func (o Order) Declined() bool { return o.Token == "tok_declined" }

// AllEnded waits until every saga has ended, and checks each against what it was asked for and what the participants' tables
// hold.
func (s *Stack) AllEnded(c *client.Client, orders []Order, ids map[string]string, limit time.Duration) {
	s.t.Helper()
	Eventually(s.t, limit, func(ctx context.Context) error {
		stats, err := c.Stats(ctx)
		if err == nil && stats.Live > 0 {
			err = fmt.Errorf("%d sagas live: %v, %v", stats.Live, stats.ByStatus, stats.ByCause)
		}
		return err
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	found := map[string]client.Saga{}
	for sg, err := range c.AllSagas(ctx, client.SagaFilter{Limit: 500}) {
		if err != nil {
			s.t.Fatalf("list the sagas: %v", err)
		}
		if other, twice := found[sg.Key]; twice {
			s.t.Errorf("order %s has two sagas: %s and %s", sg.Key, other.ID, sg.ID)
		}
		found[sg.Key] = sg
	}
	if len(found) != len(orders) {
		s.t.Errorf("there are %d sagas, and %d orders were placed", len(found), len(orders))
	}
	world, err := ReadWorld(ctx, s.Pool)
	if err != nil {
		s.t.Fatalf("read the participants' tables: %v", err)
	}
	for _, order := range orders {
		sg := found[order.ID]
		status, verdict := client.Completed, "committed"
		if order.Declined() {
			status, verdict = client.Compensated, "cleanly_aborted"
		}
		switch {
		case sg.ID != ids[order.ID]:
			s.t.Errorf("order %s was accepted as saga %s, and is %s", order.ID, ids[order.ID], sg.ID)
		case sg.Status != status || sg.Certificate.Verdict != verdict:
			s.t.Errorf("order %s: saga %s is %s, want %s; %+v", order.ID, sg.ID, sg.Status, status, sg.Certificate)
		default:
			if err := world.Agrees(&sg); err != nil {
				s.t.Error(err)
			}
		}
	}
	if len(world) != len(orders) {
		s.t.Errorf("the participants know %d sagas, and %d orders were placed", len(world), len(orders))
	}
}
