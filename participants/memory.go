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
	return &MemoryTx{memory: m, lockWait: lockWait, writes: map[RowKey]Row{}, ended: make(chan struct{})}, nil
}

// MemoryTx is a transaction of Memory.
type MemoryTx struct {
	memory   *Memory
	lockWait time.Duration
	locked   []RowKey
	writes   map[RowKey]Row
	effects  MemoryEffects
	done     bool
	ended    chan struct{} // closed when it commits or rolls back
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
	if existing, ok := t.writes[key]; ok {
		return existing, false, nil
	}
	t.memory.mu.Lock()
	existing, ok := t.memory.rows[key]
	t.memory.mu.Unlock()
	if ok {
		return existing, false, nil
	}
	t.writes[key] = row
	return Row{}, true, nil
}

// Update implements BarrierTx.
func (t *MemoryTx) Update(_ context.Context, key RowKey, row Row) error {
	t.memory.mu.Lock()
	held := t.memory.locks[key] == t
	t.memory.mu.Unlock()
	if !held {
		return errors.New("update of a row that this transaction has not locked")
	}
	t.writes[key] = row
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
	t.end(t.writes)
	return nil
}

// Rollback implements BarrierTx.
func (t *MemoryTx) Rollback(context.Context) {
	if !t.done {
		t.end(nil)
	}
}

func (t *MemoryTx) end(writes map[RowKey]Row) {
	t.done = true
	m := t.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows == nil {
		m.rows = map[RowKey]Row{}
	}
	for key, row := range writes {
		if _, ok := m.rows[key]; !ok && m.Limit > 0 {
			m.order = append(m.order, key)
		}
		m.rows[key] = row
	}
	for m.Limit > 0 && len(m.order) > m.Limit {
		delete(m.rows, m.order[0])
		m.order = m.order[1:]
	}
	for _, key := range t.locked {
		delete(m.locks, key)
	}
	close(t.ended)
}

// lock takes the row, and waits for whoever has it.
func (t *MemoryTx) lock(ctx context.Context, key RowKey) error {
	var expired <-chan time.Time // nil until there is something to wait for
	for {
		holder := t.tryLock(key)
		if holder == nil {
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
		case <-holder.ended:
		case <-expired:
			return ErrRowOpen
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryLock returns nil when the row is t's now, else who has it.
func (t *MemoryTx) tryLock(key RowKey) *MemoryTx {
	m := t.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks == nil {
		m.locks = map[RowKey]*MemoryTx{}
	}
	switch holder := m.locks[key]; holder {
	case nil:
		m.locks[key] = t
		t.locked = append(t.locked, key)
		return nil
	case t:
		return nil
	default:
		return holder
	}
}
