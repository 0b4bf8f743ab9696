package load

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// closedLoop keeps Config.InFlight sagas in flight.
func (r *runner) closedLoop(life context.Context) time.Duration {
	ctx, giveUp := context.WithCancel(life)
	defer giveUp()
	stop := make(chan struct{})
	posters := make(chan struct{}, r.cfg.Posters)
	var slots sync.WaitGroup
	for range r.cfg.InFlight {
		slots.Go(func() {
			for r.slot(ctx, stop, posters) {
			}
		})
	}
	took := r.span(life)
	close(stop)
	r.enter("draining", r.cfg.Drain)
	defer time.AfterFunc(r.cfg.Drain, giveUp).Stop()
	slots.Wait()
	return took
}

// slot starts a saga and waits for its end; false: the loop is over.
func (r *runner) slot(ctx context.Context, stop <-chan struct{}, posters chan struct{}) bool {
	select {
	case posters <- struct{}{}: // waiting for one of them is the driver's own doing, so the clock starts behind it
	case <-stop:
		return false
	case <-ctx.Done():
		return false
	}
	select {
	case <-stop:
		<-posters
		return false
	default:
	}
	done := make(chan client.Status, 1)
	f := &flight{began: time.Now(), done: done}
	started, err := r.cfg.Start(ctx, r.next.Add(1)-1)
	at := time.Now()
	<-posters
	if err != nil {
		if ctx.Err() != nil {
			return false
		}
		r.board.refuse(f, err)
		select {
		case <-time.After(retryAfter(err)):
			return true
		case <-stop:
			return false
		case <-ctx.Done():
			return false
		}
	}
	r.board.accept(started, f, at)
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter is how long a slot waits after a refusal: as the server asks, but never so long that the load would stop.
func retryAfter(err error) time.Duration {
	var answer *client.Error
	if errors.As(err, &answer) && answer.RetryAfter > 0 {
		return min(answer.RetryAfter, time.Second)
	}
	return retryIn
}
