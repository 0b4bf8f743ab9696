package crashpoint

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Config is what a Tap is made of.
type Config struct {
	// Hit is told that execution is at a point, and in what phases the sagas are that it concerns; where it concerns none, all
	// that live. It answers whether the process dies here. Called by any worker.
	Hit func(p Point, phases []Phase) bool
	// Die ends the process. It does not return.
	Die func(p Point)
	// Definition answers a saga's definition.
	Definition func(tenant, name string, version int) (*saga.Definition, error)
	// Phases is where sagas are, as far as known; nil: as far as this Tap knows.
	Phases *Phases
	// Wire has the statements of a transaction pass over a connection that the Tap watches (see Conn); without it the store is
	// one whose transaction is invisible until its end, and each statement is a point before it.
	Wire bool
	// Lost says, for a store without Wire, whether a commit whose answer is to be lost happens.
	Lost func() (happens bool)
}

// Tap finds the points at one engine's ports. It is safe for concurrent use.
type Tap struct {
	cfg Config

	mu      sync.Mutex      // guards what follows; never held while a port is called
	fetched map[saga.ID]int // replies that are fetched and not marked
	batches map[saga.BatchID][]saga.ID
	defs    map[definitionKey]*saga.Definition
	now     statements // of the committer's transaction under way
}

type definitionKey struct {
	tenant, name string
	version      int
}

// New makes a Tap.
func New(cfg Config) *Tap {
	if cfg.Phases == nil {
		cfg.Phases = &Phases{}
	}
	return &Tap{cfg: cfg, fetched: map[saga.ID]int{}, batches: map[saga.BatchID][]saga.ID{}, defs: map[definitionKey]*saga.Definition{}}
}

// At says that execution is at a point that concerns the given sagas, and dies if it is to; none: all that are known to live.
func (t *Tap) At(p Point, sagas ...saga.ID) {
	if t.cfg.Hit(p, t.cfg.Phases.of(sagas)) {
		t.cfg.Die(p)
	}
}

// knows notes where a saga is.
func (t *Tap) knows(in *saga.Instance) {
	key := definitionKey{in.Tenant, in.Saga, in.Version}
	t.mu.Lock()
	def := t.defs[key]
	t.mu.Unlock()
	if def == nil {
		var err error
		if def, err = t.cfg.Definition(in.Tenant, in.Saga, in.Version); err != nil {
			return // its phase stays unknown: a point with a phase then does not see it
		}
	}
	t.mu.Lock()
	t.defs[key] = def
	t.mu.Unlock()
	t.cfg.Phases.set(in.ID, PhaseOf(def, in))
}

// store is a Store with the Tap in front of it.
type store struct {
	orchestrator.Store
	t *Tap
}

// Store puts the Tap in front of a store.
func (t *Tap) Store(s orchestrator.Store) orchestrator.Store { return &store{s, t} }

func (s *store) Begin(ctx context.Context, need orchestrator.Need) (orchestrator.Tx, error) {
	t := s.t
	replies, others := t.split(need.Sagas)
	if starts(need) {
		t.At(StartBegin)
	}
	if len(others) > 0 {
		t.At(TimerDue, others...)
	}
	if len(replies) > 0 {
		if t.cfg.Wire {
			t.expect(statements{began: replies})
		} else {
			t.At(ReplyBegun, replies...)
		}
	}
	inner, err := s.Store.Begin(ctx, need)
	t.expect(statements{})
	if err != nil {
		return nil, err
	}
	for _, id := range need.Sagas {
		if row := inner.Row(id); row.State == orchestrator.RowLoaded {
			t.knows(&row.Instance)
		}
	}
	out := &tx{Tx: inner, t: t, replies: replies}
	if len(replies) > 0 {
		t.At(ReplyLocked, replies...)
	}
	return out, nil
}

func starts(need orchestrator.Need) bool {
	return slices.ContainsFunc(need.Claims, func(c orchestrator.Claim) bool { return !slices.Contains(need.Sagas, c.ID) })
}

// split tells the sagas that a fetched reply is for from those that are due or acted upon.
func (t *Tap) split(sagas []saga.ID) (replies, others []saga.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range sagas {
		if t.fetched[id] > 0 {
			replies = append(replies, id)
		} else {
			others = append(others, id)
		}
	}
	return replies, others
}

func (s *store) Due(ctx context.Context, limit int) ([]saga.ID, error) {
	due, err := s.Store.Due(ctx, limit)
	if len(due) > 0 {
		s.t.At(TimerDue, due...)
	}
	return due, err
}

func (s *store) TakeOverdue(ctx context.Context, limit int, again time.Duration) ([]orchestrator.OutboxRow, error) {
	rows, err := s.Store.TakeOverdue(ctx, limit, again)
	if len(rows) > 0 {
		var records []orchestrator.Record
		for _, row := range rows {
			records = append(records, row.Records...)
		}
		s.t.At(RelayTaken, sagasOf(records)...)
	}
	return rows, err
}

func (s *store) Settle(ctx context.Context, settled []orchestrator.Settled) error {
	sagas := s.t.settling(settled)
	s.t.At(RelayAcked, sagas...)
	err := s.Store.Settle(ctx, settled)
	if err == nil {
		s.t.At(RelaySettled, sagas...)
	}
	return err
}

// settling are the sagas of the rows, as far as this process wrote them.
func (t *Tap) settling(settled []orchestrator.Settled) (sagas []saga.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range settled {
		sagas = append(sagas, t.batches[s.Batch]...)
	}
	return sagas
}

func sagasOf(records []orchestrator.Record) (sagas []saga.ID) {
	for _, r := range records {
		if r.Kind == orchestrator.RecordCommand && !slices.Contains(sagas, r.Saga) {
			sagas = append(sagas, r.Saga)
		}
	}
	return sagas
}
