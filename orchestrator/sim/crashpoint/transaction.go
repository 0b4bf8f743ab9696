package crashpoint

import (
	"context"
	"slices"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Statement is a statement of the engine's transaction, as far as points stand behind it.
type Statement string

// The statements, in their order.
const (
	stmtBegin   Statement = "BEGIN"
	stmtInsert  Statement = "INSERT INTO skald.sagas"
	stmtUpdate  Statement = "UPDATE skald.sagas"
	stmtHistory Statement = "INSERT INTO skald.history"
	stmtOutbox  Statement = "INSERT INTO skald.outbox"
	stmtAudit   Statement = "skald.append_audit"
	stmtLast    Statement = "the last before COMMIT"
	stmtCommit  Statement = "COMMIT"
)

// statements say which sagas the statements of the present transaction are about: by events of what kind.
type statements struct {
	began   []saga.ID // replies of a transaction that begins
	started bool
	replies []saga.ID
	timers  []saga.ID
	acts    []saga.ID
	outbox  bool
}

func (t *Tap) expect(s statements) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = s
}

// after are the points behind a statement of the present transaction.
func (s *statements) after(st Statement) map[Point][]saga.ID {
	points := map[Point][]saga.ID{}
	add := func(p Point, sagas []saga.ID) {
		if len(sagas) > 0 {
			points[p] = sagas
		}
	}
	switch st {
	case stmtBegin:
		add(ReplyBegun, s.began)
	case stmtInsert:
		if s.started {
			points[StartInserted] = nil
		}
	case stmtUpdate:
		add(ReplyUpdated, s.replies)
	case stmtHistory:
		add(ReplyHistory, s.replies)
	case stmtOutbox:
		if s.outbox {
			add(ReplyOutbox, s.replies)
		}
	case stmtAudit:
		add(ActAudited, s.acts)
	case stmtLast:
		add(ReplyWritten, s.replies)
		add(TimerWritten, s.timers)
	case stmtCommit:
		if s.started {
			points[StartUnknown] = nil
		}
		add(ReplyUnknown, s.replies)
	}
	return points
}

// dies asks at each point behind a statement whether the process dies there.
func (t *Tap) dies(st Statement) (Point, bool) {
	t.mu.Lock()
	now := t.now
	t.mu.Unlock()
	at := now.after(st)
	for _, p := range All() {
		if sagas, ok := at[p]; ok && t.cfg.Hit(p, t.cfg.Phases.of(sagas)) {
			return p, true
		}
	}
	return "", false
}

// tx is a transaction with the Tap in front of it.
type tx struct {
	orchestrator.Tx
	t       *Tap
	replies []saga.ID
}

func (x *tx) Load(ctx context.Context, ids []saga.ID) error {
	err := x.Tx.Load(ctx, ids)
	for _, id := range ids {
		if row := x.Tx.Row(id); err == nil && row.State == orchestrator.RowLoaded {
			x.t.knows(&row.Instance)
		}
	}
	return err
}

func (x *tx) Commit(ctx context.Context, batch orchestrator.Batch) error {
	t := x.t
	s := x.judge(&batch)
	settled := t.settling(batch.Settled)
	if len(batch.Settled) > 0 {
		t.At(RelayAcked, settled...)
	}
	t.expect(s)
	if !t.cfg.Wire {
		x.step(ctx, batch)
	}
	err := x.Tx.Commit(ctx, batch)
	t.expect(statements{})
	if err != nil {
		return err
	}
	t.committed(&batch)
	if len(batch.Settled) > 0 {
		t.At(RelaySettled, settled...)
	}
	if s.started {
		t.At(StartCommitted)
	}
	if len(s.timers) > 0 {
		t.At(TimerCommitted, s.timers...)
	}
	return nil
}

// step is at each statement of a store whose transactions are invisible until their end: whoever dies leaves nothing.
func (x *tx) step(ctx context.Context, batch orchestrator.Batch) {
	t := x.t
	for _, st := range []Statement{stmtInsert, stmtUpdate, stmtHistory, stmtOutbox, stmtAudit, stmtLast} {
		if p, dies := t.dies(st); dies {
			t.cfg.Die(p)
		}
	}
	if p, dies := t.dies(stmtCommit); dies {
		if t.cfg.Lost() {
			_ = x.Tx.Commit(ctx, batch) // nobody is left to hear the answer
		}
		t.cfg.Die(p)
	}
}

// judge says what the batch's writes came from: a start, a reply that was fetched, an action, or else a timer.
func (x *tx) judge(batch *orchestrator.Batch) (s statements) {
	s.outbox = len(batch.Outbox) > 0
	for i := range batch.Audit {
		s.acts = append(s.acts, batch.Audit[i].Saga)
	}
	for i := range batch.Writes {
		switch id := batch.Writes[i].Next.ID; {
		case batch.Writes[i].Next.Revision == 1:
			s.started = true
		case slices.Contains(x.replies, id):
			s.replies = append(s.replies, id)
		case !slices.Contains(s.acts, id):
			s.timers = append(s.timers, id)
		}
	}
	return s
}

func (t *Tap) committed(batch *orchestrator.Batch) {
	for i := range batch.Writes {
		t.knows(&batch.Writes[i].Next)
	}
	if len(batch.Outbox) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batches[batch.ID] = sagasOf(batch.Outbox)
}
