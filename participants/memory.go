package participants

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"
)

var _ Barrier = (*Memory)(nil)

// Memory is a barrier in memory. It is NOT durable: after a restart every command looks new. It is for tests,
// simulations and benchmarks. It starts no goroutine, and reads the clock only where a lock wait was given and the
// row is open. The zero value is ready; it is safe for concurrent use.
type Memory struct {
	// NoWait makes Insert answer ErrRowOpen at once where it would wait: in a simulation whoever holds the row runs
	// on the same goroutine.
	NoWait bool
	// Limit is how many rows are kept, the oldest dropped first; 0: all. Duplicates of a dropped row look new.
	Limit int

	mu    sync.Mutex
	rows  map[RowKey]Row       // guarded by mu; committed rows
	order []RowKey             // guarded by mu; keys as they were committed first, where there is a Limit
	locks map[RowKey]*MemoryTx // guarded by mu; who inserted or locked a row
}

// Snapshot returns a copy of all committed rows.
func (m *Memory) Snapshot() map[RowKey]Row {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.rows)
}

// Restore replaces all rows. No transaction may be open.
func (m *Memory) Restore(rows map[RowKey]Row) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows, m.order, m.locks = maps.Clone(rows), nil, nil
}

// Begin implements Barrier.
func (m *Memory) Begin(ctx context.Context, lockWait time.Duration) (BarrierTx, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &MemoryTx{memory: m, lockWait: lockWait}, nil
}

// MemoryTx is a transaction of Memory.
type MemoryTx struct {
	memory   *Memory
	lockWait time.Duration
	held     []heldRow // few: found by looking at each
	effects  MemoryEffects
	done     bool
	ended    chan struct{} // guarded by memory.mu; made by the first who waits, and closed when it commits or rolls back
}

// heldRow is a row that a transaction has locked.
type heldRow struct {
	key     RowKey
	row     Row
	written bool
}

// at is the row that t holds under key; nil: it does not.
func (t *MemoryTx) at(key RowKey) *heldRow {
	for i := range t.held {
		if t.held[i].key == key {
			return &t.held[i]
		}
	}
	return nil
}

// MemoryEffects gathers the effects of a handler. It is what Request.Tx holds under Memory.
type MemoryEffects struct{ funcs []func() }

// OnCommit has f called when the transaction commits, after those given before; never when it rolls back. f must not
// use the barrier.
func (e *MemoryEffects) OnCommit(f func()) { e.funcs = append(e.funcs, f) }

// Insert implements BarrierTx.
func (t *MemoryTx) Insert(ctx context.Context, key RowKey, row Row) (Row, bool, error) {
	if err := t.lock(ctx, key); err != nil {
		return Row{}, false, err
	}
	t.effects.funcs = nil
	held := t.at(key)
	if held.written {
		return held.row, false, nil
	}
	t.memory.mu.Lock()
	existing, ok := t.memory.rows[key]
	t.memory.mu.Unlock()
	if ok {
		return existing, false, nil
	}
	held.row, held.written = row, true
	return Row{}, true, nil
}

// Update implements BarrierTx.
func (t *MemoryTx) Update(_ context.Context, key RowKey, row Row) error {
	held := t.at(key)
	if held == nil || t.done {
		return errors.New("update of a row that this transaction has not locked")
	}
	held.row, held.written = row, true
	return nil
}

// UndoEffects implements BarrierTx.
func (t *MemoryTx) UndoEffects(context.Context) error {
	t.effects.funcs = nil
	return nil
}

// Handle implements BarrierTx; it returns a *MemoryEffects.
func (t *MemoryTx) Handle() any { return &t.effects }

// Commit implements BarrierTx.
func (t *MemoryTx) Commit(context.Context) error {
	if t.done {
		return errors.New("commit of a transaction that has ended")
	}
	for _, f := range t.effects.funcs {
		f()
	}
	t.end(true)
	return nil
}

// Rollback implements BarrierTx.
func (t *MemoryTx) Rollback(context.Context) {
	if !t.done {
		t.end(false)
	}
}

func (t *MemoryTx) end(commit bool) {
	t.done = true
	m := t.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows == nil {
		m.rows = map[RowKey]Row{}
	}
	for i := range t.held {
		h := &t.held[i]
		delete(m.locks, h.key)
		if !commit || !h.written {
			continue
		}
		if m.Limit > 0 {
			if _, ok := m.rows[h.key]; !ok {
				m.order = append(m.order, h.key)
			}
		}
		m.rows[h.key] = h.row
	}
	for m.Limit > 0 && len(m.order) > m.Limit {
		delete(m.rows, m.order[0])
		m.order = m.order[1:]
	}
	if t.ended != nil {
		close(t.ended)
	}
}

// lock takes the row, and waits for whoever has it.
func (t *MemoryTx) lock(ctx context.Context, key RowKey) error {
	var expired <-chan time.Time // nil until there is something to wait for
	for {
		ended := t.tryLock(key)
		if ended == nil {
			return nil
		}
		if t.memory.NoWait {
			return ErrRowOpen
		}
		if expired == nil && t.lockWait > 0 {
			timer := time.NewTimer(t.lockWait)
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case <-ended:
		case <-expired:
			return ErrRowOpen
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryLock returns nil when the row is t's now, else what is closed when whoever has it ends.
func (t *MemoryTx) tryLock(key RowKey) <-chan struct{} {
	m := t.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks == nil {
		m.locks = map[RowKey]*MemoryTx{}
	}
	switch holder := m.locks[key]; holder {
	case nil:
		m.locks[key] = t
		t.held = append(t.held, heldRow{key: key})
		return nil
	case t:
		return nil
	default:
		if holder.ended == nil {
			holder.ended = make(chan struct{})
		}
		return holder.ended
	}
}
