package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// faultyTx is a transaction of one replica. Its statements take effect in the transaction alone: whatever ends it before its
// commit leaves nothing (S3).
type faultyTx struct {
	orchestrator.Tx
	s       *faultyStore
	severed bool // the database ended the session
	adrift  bool // its commit is on the way and out of its owner's hands
}

// Load implements orchestrator.Tx.
func (t *faultyTx) Load(ctx context.Context, ids []saga.ID) error {
	if err := t.s.call("store.load"); err != nil {
		return err
	}
	if t.severed {
		return fmt.Errorf("load: %w", errConnection)
	}
	return t.Tx.Load(ctx, ids)
}

// LockQuarantined implements orchestrator.Tx.
func (t *faultyTx) LockQuarantined(ctx context.Context, ids []int64) (map[int64]orchestrator.QuarantineHandling, error) {
	if err := t.s.call("store.lock"); err != nil {
		return nil, err
	}
	if t.severed {
		return nil, fmt.Errorf("lock: %w", errConnection)
	}
	return t.Tx.LockQuarantined(ctx, ids)
}

// statements are the ports that the statements of a batch are, in their order.
func statements(b *orchestrator.Batch) []string {
	out := make([]string, 0, 8)
	add := func(n int, name string) {
		if n > 0 {
			out = append(out, name)
		}
	}
	add(len(b.Writes), "commit.sagas")
	add(len(b.Writes), "commit.history")
	add(len(b.Outbox), "commit.outbox")
	add(len(b.Settled), "commit.settle")
	add(len(b.Rekeys), "commit.rekey")
	add(len(b.Answers), "commit.answers")
	add(len(b.Audit), "commit.audit")
	add(len(b.Quarantine), "commit.quarantine")
	add(len(b.Handled), "commit.handled")
	return append(out, "commit.commit")
}

// Commit implements orchestrator.Tx. It may fail at each statement, and be lost on the way there or on the way back.
func (t *faultyTx) Commit(ctx context.Context, batch orchestrator.Batch) error {
	w := t.s.w
	for _, name := range statements(&batch) {
		w.port(t.s.r, name)
		if w.hits(FaultStatement) {
			t.Rollback(ctx)
			return fmt.Errorf("%s: %w", name, errConnection)
		}
	}
	switch {
	case w.hits(FaultSessionEnded):
		t.sever()
		return fmt.Errorf("commit: %w", errConnection)
	case w.hits(FaultConflict):
		t.Rollback(ctx)
		return fmt.Errorf("commit: %w", orchestrator.ErrConflict)
	case t.severed || t.s.unreachable() || w.hits(FaultCommitLostThere):
		t.Rollback(ctx)
		return fmt.Errorf("commit: %w", orchestrator.ErrUnknown)
	}
	if w.hits(FaultCommitLate) {
		t.drift(batch)
		return fmt.Errorf("commit: %w", orchestrator.ErrUnknown)
	}
	t.forget()
	if err := t.commit(ctx, batch); err != nil {
		return err
	}
	w.port(t.s.r, "store.committed")
	if t.s.unreachable() || w.hits(FaultCommitLostBack) {
		w.kafka.oracle.answerLost(batch.ID)
		return fmt.Errorf("commit: %w", orchestrator.ErrUnknown)
	}
	return nil
}

func (t *faultyTx) commit(ctx context.Context, batch orchestrator.Batch) error {
	if err := t.Tx.Commit(ctx, batch); err != nil {
		return err
	}
	t.s.w.report.Commits++
	t.s.w.committed(t.s.r, batch)
	return nil
}

// drift has the commit arrive later, when its owner has asked what became of it, or is dead.
func (t *faultyTx) drift(batch orchestrator.Batch) {
	w := t.s.w
	t.forget()
	t.adrift = true
	w.database.adrift = append(w.database.adrift, t)
	d := w.mostlyShort(FaultCommitLate, 3*time.Second)
	w.hinder(d)
	life := t.s.r.life
	w.after(d, func() {
		if t.adrift {
			w.database.adrift = slices.DeleteFunc(w.database.adrift, func(other *faultyTx) bool { return other == t })
			err := t.commit(context.Background(), batch)
			w.kafka.oracle.answerLost(batch.ID)
			if t.s.r.life != life { // whoever would have published it is dead
				for i := range batch.Outbox {
					w.kafka.oracle.unknown(&batch.Outbox[i])
				}
			}
			w.note("late commit", fmt.Sprint(err))
		}
	})
}

// Rollback implements orchestrator.Tx.
func (t *faultyTx) Rollback(ctx context.Context) {
	if t.adrift {
		return // its owner has no session any more to roll it back in
	}
	t.forget()
	t.Tx.Rollback(ctx)
}

// sever is what the database does when it ends a session: the transaction is rolled back, and its owner does not know yet.
func (t *faultyTx) sever() {
	t.severed, t.adrift = true, false
	t.Rollback(context.Background())
}

func (t *faultyTx) forget() {
	r := t.s.r
	r.open = slices.DeleteFunc(r.open, func(other *faultyTx) bool { return other == t })
}
