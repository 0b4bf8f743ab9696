package orchestrator_test

import (
	"context"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// faultyStore is a store that fails where a test says so. Hooks may be nil.
type faultyStore struct {
	orchestrator.Store

	begin     func(orchestrator.Need) error
	row       func(saga.ID, orchestrator.Row) orchestrator.Row // what a transaction sees of a row
	commit    func(orchestrator.Batch) error                   // before; an error: nothing is written
	committed func(orchestrator.Batch) error                   // after; an error in the place of success
	ask       func(saga.BatchID) error                         // of Committed
	settle    func([]orchestrator.Settled) error

	mu      sync.Mutex // guards what follows
	held    *gate      // of the next commit; nil: none
	begins  int
	batches []orchestrator.Batch // that were written
	settled [][]orchestrator.Settled
}

func (s *faultyStore) Begin(ctx context.Context, need orchestrator.Need) (orchestrator.Tx, error) {
	s.mu.Lock()
	s.begins++
	s.mu.Unlock()
	if s.begin != nil {
		if err := s.begin(need); err != nil {
			return nil, err
		}
	}
	tx, err := s.Store.Begin(ctx, need)
	if err != nil {
		return nil, err
	}
	return &faultyTx{Tx: tx, store: s}, nil
}

func (s *faultyStore) Committed(ctx context.Context, id saga.BatchID, write orchestrator.Write) (bool, error) {
	if s.ask != nil {
		if err := s.ask(id); err != nil {
			return false, err
		}
	}
	return s.Store.Committed(ctx, id, write)
}

func (s *faultyStore) Settle(ctx context.Context, settled []orchestrator.Settled) error {
	if s.settle != nil {
		if err := s.settle(settled); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.settled = append(s.settled, settled)
	s.mu.Unlock()
	return s.Store.Settle(ctx, settled)
}

// transactions is how many were begun since the last call.
func (s *faultyStore) transactions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.begins
	s.begins = 0
	return n
}

type faultyTx struct {
	orchestrator.Tx
	store *faultyStore
}

func (t *faultyTx) Row(id saga.ID) orchestrator.Row {
	row := t.Tx.Row(id)
	if t.store.row != nil {
		return t.store.row(id, row)
	}
	return row
}

func (t *faultyTx) Commit(ctx context.Context, batch orchestrator.Batch) error {
	if t.store.commit != nil {
		if err := t.store.commit(batch); err != nil {
			t.Rollback(ctx)
			return err
		}
	}
	t.store.mu.Lock()
	held := t.store.held
	t.store.held = nil
	t.store.mu.Unlock()
	if held != nil {
		_ = held.pass(batch)
	}
	if err := t.Tx.Commit(ctx, batch); err != nil {
		return err
	}
	t.store.mu.Lock()
	t.store.batches = append(t.store.batches, batch)
	t.store.mu.Unlock()
	if t.store.committed != nil {
		return t.store.committed(batch)
	}
	return nil
}

// fakeBroker takes records and hands out replies.
type fakeBroker struct {
	now       func() time.Time
	outcome   func(orchestrator.Record) orchestrator.Published // nil: acknowledged
	whenEmpty func()                                           // called when there is nothing to fetch; nil: Fetch waits

	mu        sync.Mutex // guards what follows
	published []orchestrator.Record
	replies   []orchestrator.Delivery
	marked    map[int64]int // by offset, how often
	next      int64         // offset of the next reply
	some      chan struct{} // closed when there are replies; nil: nobody waits
}

func (b *fakeBroker) Publish(ctx context.Context, records []orchestrator.Record) []orchestrator.Published {
	out := make([]orchestrator.Published, len(records))
	for i, r := range records {
		out[i] = orchestrator.Published{Outcome: orchestrator.PublishAcked, Offset: int64(i), At: b.now()}
		if b.outcome != nil {
			out[i] = b.outcome(r)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published = append(b.published, records...)
	return out
}

func (b *fakeBroker) Fetch(ctx context.Context) ([]orchestrator.Delivery, error) {
	b.mu.Lock()
	out := b.replies
	b.replies = nil
	some := b.some
	if len(out) == 0 && b.whenEmpty == nil && some == nil {
		some = make(chan struct{})
		b.some = some
	}
	b.mu.Unlock()
	if len(out) > 0 {
		return out, nil
	}
	if b.whenEmpty != nil {
		b.whenEmpty()
		return nil, nil
	}
	select {
	case <-some:
	case <-ctx.Done():
	}
	return nil, nil
}

func (b *fakeBroker) Mark(deliveries []orchestrator.Delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.marked == nil {
		b.marked = map[int64]int{}
	}
	for _, d := range deliveries {
		b.marked[d.Ack.(int64)]++
	}
}

// send puts replies where Fetch finds them, and answers their offsets.
func (b *fakeBroker) send(deliveries ...orchestrator.Delivery) (offsets []int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range deliveries {
		d.Ack, d.Raw.Offset, d.Reply.Record.Offset = b.next, b.next, b.next
		offsets = append(offsets, b.next)
		b.next++
		b.replies = append(b.replies, d)
	}
	if b.some != nil {
		close(b.some)
		b.some = nil
	}
	return offsets
}

// marks is how often each offset was marked.
func (b *fakeBroker) marks() map[int64]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[int64]int{}
	for k, v := range b.marked {
		out[k] = v
	}
	return out
}

// commands are the commands that were published since the last call, as step#attempt of each saga.
func (b *fakeBroker) commands() (out []orchestrator.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.published {
		if r.Kind == orchestrator.RecordCommand {
			out = append(out, r)
		}
	}
	b.published = nil
	return out
}
