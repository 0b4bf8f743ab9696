package participants

import (
	"context"
	"slices"
	"sync"
)

// dispatcher runs tasks of one key one after the other, in order, and those of different keys at once, within bounds. Its workers stay
// once they are there: a goroutine whose stack has grown is worth keeping.
type dispatcher struct {
	limit  int            // of workers
	inHand chan struct{}  // a slot for each task that was submitted and not released
	group  sync.WaitGroup // the workers

	mu      sync.Mutex                   // guards what follows
	chains  map[string][]task            // a key is there while it is ready, or a worker has it
	ready   []string                     // keys that no worker has
	some    *sync.Cond                   // a key is ready, or all is over
	workers int                          // that there are
	idle    int                          // of them, waiting for a key
	watched map[<-chan struct{}]struct{} // whose end drops tasks
	over    bool                         // nothing more is to come
}

// task is one piece of work. Exactly one of run and drop is called.
type task struct {
	ctx  context.Context // when it ends before the task's turn, the task is dropped
	run  func()
	drop func()
}

func newDispatcher(concurrency, inHand int) *dispatcher {
	d := &dispatcher{
		limit: concurrency, inHand: make(chan struct{}, inHand), chains: map[string][]task{}, watched: map[<-chan struct{}]struct{}{},
	}
	d.some = sync.NewCond(&d.mu)
	return d
}

// submit queues t under key. It blocks while too much is in hand, and drops t when its context ends first.
// Whoever finishes t calls release.
func (d *dispatcher) submit(key string, t task) {
	select {
	case d.inHand <- struct{}{}:
	case <-t.ctx.Done():
		t.drop()
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watch(t.ctx)
	chain, known := d.chains[key]
	d.chains[key] = append(chain, t)
	if known {
		return
	}
	d.ready = append(d.ready, key)
	switch {
	case d.idle >= len(d.ready):
		d.some.Signal()
	case d.workers < d.limit:
		d.workers++
		d.group.Go(d.serve)
	}
}

// release gives back the place in hand of a submitted task that was not dropped.
func (d *dispatcher) release() { <-d.inHand }

// wait returns when no task is queued or running. Nothing may be submitted any more.
func (d *dispatcher) wait() {
	d.mu.Lock()
	d.over = true
	d.some.Broadcast()
	d.mu.Unlock()
	d.group.Wait()
}

// serve works on keys as they come, until all is over.
func (d *dispatcher) serve() {
	d.mu.Lock()
	for {
		for len(d.ready) == 0 {
			if d.over {
				d.mu.Unlock()
				return
			}
			d.idle++
			d.some.Wait()
			d.idle--
		}
		key := d.ready[0]
		d.ready = d.ready[1:]
		d.work(key)
	}
}

// work runs the tasks of a key. mu is held before and after, and not meanwhile.
func (d *dispatcher) work(key string) {
	for len(d.chains[key]) > 0 {
		t := d.chains[key][0]
		d.chains[key] = d.chains[key][1:]
		d.mu.Unlock()
		if t.ctx.Err() == nil {
			t.run()
		} else {
			d.release()
			t.drop()
		}
		d.mu.Lock()
	}
	delete(d.chains, key)
}

// watch sees to it that tasks are dropped as soon as their context ends: a partition that is lost waits for all of its tasks. mu is held.
func (d *dispatcher) watch(ctx context.Context) {
	done := ctx.Done()
	if _, known := d.watched[done]; known || done == nil {
		return
	}
	d.watched[done] = struct{}{}
	context.AfterFunc(ctx, func() { d.dropEnded(done) })
}

// dropEnded drops all tasks whose turn has not come and whose context has ended.
func (d *dispatcher) dropEnded(done <-chan struct{}) {
	var ended []task
	d.mu.Lock()
	delete(d.watched, done)
	for key, chain := range d.chains {
		left := make([]task, 0, len(chain))
		for _, t := range chain {
			if t.ctx.Err() == nil {
				left = append(left, t)
			} else {
				ended = append(ended, t)
			}
		}
		d.chains[key] = left
	}
	d.ready = slices.DeleteFunc(d.ready, func(key string) bool {
		empty := len(d.chains[key]) == 0
		if empty {
			delete(d.chains, key)
		}
		return empty
	})
	d.mu.Unlock()
	for _, t := range ended {
		d.release()
		t.drop()
	}
}
