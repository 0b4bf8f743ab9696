package load

import (
	"context"
	"sync"
	"time"
)

// openLoop starts Config.Rate sagas a second, each at its time.
func (r *runner) openLoop(life context.Context) time.Duration {
	ctx, giveUp := context.WithCancel(life)
	defer giveUp()
	var starts sync.WaitGroup
	began := time.Now()
	starts.Go(func() { r.dispatch(ctx, began, &starts) })
	took := r.span(life)
	r.enter("draining", r.cfg.Drain)
	defer time.AfterFunc(r.cfg.Drain, giveUp).Stop()
	starts.Wait()
	for r.board.inFlight() > 0 && pause(ctx, retryIn) {
	}
	return took
}

// dispatch starts a saga whenever one is due. It is never held up by an answer: a start that is late is sent at once, and its
// clock began when it was due.
func (r *runner) dispatch(ctx context.Context, began time.Time, starts *sync.WaitGroup) {
	for n := int64(0); ; n++ {
		due := time.Duration(float64(n) / r.cfg.Rate * float64(time.Second))
		if due >= r.cfg.WarmUp+r.cfg.Duration || !pause(ctx, time.Until(began.Add(due))) {
			return
		}
		f := &flight{began: began.Add(due), counted: due >= r.cfg.WarmUp}
		if int(r.posting.Load())+r.board.inFlight() >= r.cfg.Outstanding {
			r.board.leaveOut(f.counted)
			continue
		}
		r.posting.Add(1)
		starts.Go(func() {
			defer r.posting.Add(-1)
			if f.counted {
				r.board.sent(time.Since(f.began))
			}
			started, err := r.cfg.Start(ctx, r.next.Add(1)-1)
			switch {
			case err == nil:
				r.board.accept(started, f, time.Now())
			case ctx.Err() == nil:
				r.board.refuse(f, err)
			}
		})
	}
}
