package participants

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/skaldhq/skald/participants/wire"
)

// ErrRowOpen is returned by Insert when the row belongs to a transaction that did not end within the lock wait.
var ErrRowOpen = errors.New("barrier row is held by an open transaction")

// Barrier keeps the rows that make commands idempotent. The rules are in rules.go; a Barrier only stores. Every
// implementation passes participanttest.RunBarrierSuite. It is safe for concurrent use.
type Barrier interface {
	// Begin opens a transaction, in which effects and rows commit together. lockWait bounds how long Insert waits
	// for another's open transaction; 0: as long as ctx.
	Begin(ctx context.Context, lockWait time.Duration) (BarrierTx, error)
}

// BarrierTx is one transaction. It is for one goroutine.
type BarrierTx interface {
	// Insert inserts row unless the key is there; then it returns the row that is, locked until the transaction
	// ends. It waits for a transaction that has inserted or locked the row, and gives ErrRowOpen after the lock
	// wait. Effects begin after it.
	Insert(ctx context.Context, key RowKey, row Row) (existing Row, inserted bool, err error)
	// Update replaces a row that this transaction inserted or locked. Effects begin after it.
	Update(ctx context.Context, key RowKey, row Row) error
	// UndoEffects takes back what was written since the last Insert or Update, also after a failed statement.
	UndoEffects(ctx context.Context) error
	// Handle is what handlers find in Request.Tx.
	Handle() any
	// Commit makes rows and effects durable, or returns an error; then neither may be, or both: sending the command
	// again finds out. Cancelling ctx does not cancel it.
	Commit(ctx context.Context) error
	// Rollback takes everything back. After Commit it does nothing. Cancelling ctx does not cancel it.
	Rollback(ctx context.Context)
}

// RowKey names a row: one for a step's execute, one for its compensate. Probes have none.
type RowKey struct {
	SagaID wire.ID
	Step   string
	Verb   wire.Verb // wire.Execute or wire.Compensate
}

// State is what a row holds.
type State string

const (
	// Claimed: the command has begun and is not answered. Outside of the transaction that runs it, it is seen only
	// for external effects; the claimant, an Ask, or a duplicate of the command moves it on.
	Claimed State = "claimed"
	// Succeeded: answered; final for an execute. A compensate's is taken over by a higher edition where it was
	// nothing_to_undo.
	Succeeded State = "succeeded"
	// Rejected: answered without effect; taken over by a higher edition, a compensate or a probe.
	Rejected State = "rejected"
	// CompensateTombstone, of an execute: the step was compensated, no execute will ever have an effect again.
	CompensateTombstone State = "compensate_tombstone"
	// ProbeTombstone, of an execute: a probe found nothing and this edition will never have an effect; taken over
	// by a higher edition or a compensate.
	ProbeTombstone State = "probe_tombstone"
)

// Row is a row of the barrier.
type Row struct {
	CommandID wire.ID
	Edition   int
	State     State
	Code      string
	Message   string
	Output    json.RawMessage // nil: none
}

// executeKey is the row of the step's execute, whatever verb c has.
func executeKey(c *wire.Command) RowKey {
	return RowKey{SagaID: c.SagaID, Step: c.Step, Verb: wire.Execute}
}

func compensateKey(c *wire.Command) RowKey {
	return RowKey{SagaID: c.SagaID, Step: c.Step, Verb: wire.Compensate}
}
