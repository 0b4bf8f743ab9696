package participants

import (
	"context"
	"sync"
)

// dispatcher runs tasks of one key one after the other, in order, and those of different keys at once, within bounds.
type dispatcher struct {
	running chan struct{} // a slot for each task that runs
	inHand  chan struct{} // a slot for each task that was submitted and not released

	mu     sync.Mutex
	chains map[string][]task // guarded by mu; a key is there while a goroutine works on it
	group  sync.WaitGroup    // those goroutines

	next chan string   // keys for goroutines that have nothing to do: their stacks have grown already
	idle chan struct{} // a slot for each of those
	over chan struct{} // closed when there is nothing more to come
}

// task is one piece of work. Exactly one of run and drop is called.
type task struct {
	ctx  context.Context // when it ends before the task's turn, the task is dropped
	run  func()
	drop func()
}

func newDispatcher(concurrency, inHand int) *dispatcher {
	return &dispatcher{
		running: make(chan struct{}, concurrency),
		inHand:  make(chan struct{}, inHand),
		chains:  map[string][]task{},
		next:    make(chan string),
		idle:    make(chan struct{}, concurrency),
		over:    make(chan struct{}),
	}
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
	chain, busy := d.chains[key]
	d.chains[key] = append(chain, t)
	d.mu.Unlock()
	if busy {
		return
	}
	select {
	case d.next <- key:
	default:
		d.group.Go(func() { d.serve(key) })
	}
}

// release gives back the place in hand of a submitted task that was not dropped by submit.
func (d *dispatcher) release() { <-d.inHand }

// wait returns when no task is queued or running. Nothing may be submitted any more.
func (d *dispatcher) wait() {
	close(d.over)
	d.group.Wait()
}

// serve works on a key, and then on others as they come.
func (d *dispatcher) serve(key string) {
	for {
		d.work(key)
		select {
		case d.idle <- struct{}{}:
		default:
			return
		}
		select {
		case key = <-d.next:
			<-d.idle
		case <-d.over:
			return
		}
	}
}

func (d *dispatcher) work(key string) {
	for {
		d.mu.Lock()
		chain := d.chains[key]
		if len(chain) == 0 {
			delete(d.chains, key)
			d.mu.Unlock()
			return
		}
		t := chain[0]
		d.chains[key] = chain[1:]
		d.mu.Unlock()
		d.one(t)
	}
}

func (d *dispatcher) one(t task) {
	select {
	case d.running <- struct{}{}:
	case <-t.ctx.Done():
		d.release()
		t.drop()
		return
	}
	defer func() { <-d.running }()
	if t.ctx.Err() != nil {
		d.release()
		t.drop()
		return
	}
	t.run()
}
