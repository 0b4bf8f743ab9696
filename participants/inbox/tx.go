package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

const (
	commitTimeout   = 10 * time.Second
	rollbackTimeout = 5 * time.Second
	insertTries     = 3 // more than one only where a row is purged between insert and lock
)

var errHandlerEnds = errors.New("a handler must not end the barrier's transaction")

// barrierTx is a transaction on a connection of its own.
type barrierTx struct {
	conn       *pgxpool.Conn // nil after it ended
	tx         pgx.Tx        // nil before the first Insert
	statements *statements
	lockWait   time.Duration
}

// Insert implements participants.BarrierTx. Its INSERT is the first statement of the transaction but where there is a
// lock wait to be set.
func (t *barrierTx) Insert(ctx context.Context, key participants.RowKey, row participants.Row) (participants.Row, bool, error) {
	if t.conn == nil {
		return participants.Row{}, false, pgx.ErrTxClosed
	}
	for range insertTries {
		inserted := false
		err := t.waiting(ctx, func(batch *pgx.Batch) {
			batch.Queue(t.statements.insert, arguments(key, row)...).Exec(func(tag pgconn.CommandTag) error {
				inserted = tag.RowsAffected() == 1
				return nil
			})
		})
		if err != nil || inserted {
			return participants.Row{}, inserted, err
		}
		existing, found := participants.Row{}, false
		err = t.waiting(ctx, func(batch *pgx.Batch) {
			batch.Queue(t.statements.lock, uuid(key.SagaID), key.Step, string(key.Verb)).QueryRow(func(r pgx.Row) (err error) {
				existing, found, err = scan(r)
				return err
			})
		})
		if err != nil || found {
			return existing, false, err
		}
	}
	return participants.Row{}, false, errors.New("row keeps vanishing between insert and lock")
}

// Update implements participants.BarrierTx.
func (t *barrierTx) Update(ctx context.Context, key participants.RowKey, row participants.Row) error {
	if t.tx == nil {
		return pgx.ErrTxClosed
	}
	batch := &pgx.Batch{}
	batch.Queue(t.statements.update, arguments(key, row)...).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != 1 {
			return fmt.Errorf("row is not there: %w", pgx.ErrNoRows)
		}
		return nil
	})
	batch.Queue(savepointSQL)
	return t.tx.SendBatch(ctx, batch).Close()
}

// UndoEffects implements participants.BarrierTx. The savepoint stands after the last row that was written or locked:
// going back to it must not give a lock away.
func (t *barrierTx) UndoEffects(ctx context.Context) error {
	if t.tx == nil {
		return pgx.ErrTxClosed
	}
	_, err := t.tx.Exec(ctx, rollbackToSQL)
	return err
}

// Handle implements participants.BarrierTx; it returns a pgx.Tx.
func (t *barrierTx) Handle() any { return lentTx{t.tx} }

// Commit implements participants.BarrierTx.
func (t *barrierTx) Commit(ctx context.Context) error {
	if t.tx == nil {
		return pgx.ErrTxClosed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	err := t.tx.Commit(ctx)
	t.release()
	return err
}

// Rollback implements participants.BarrierTx.
func (t *barrierTx) Rollback(ctx context.Context) {
	if t.conn == nil {
		return
	}
	if t.tx != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		// Where this fails the connection is closed, which rolls back too.
		_ = t.tx.Rollback(ctx)
	}
	t.release()
}

func (t *barrierTx) release() {
	t.conn.Release()
	t.conn, t.tx = nil, nil
}

// waiting sends what queue queues, within the lock wait and with a savepoint after it, in one round trip, which also
// begins the transaction where it has not begun.
func (t *barrierTx) waiting(ctx context.Context, queue func(*pgx.Batch)) error {
	batch := &pgx.Batch{}
	if t.tx == nil {
		batch.BeginTx(pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	}
	if t.lockWait > 0 {
		batch.Queue(lockTimeoutSQL, strconv.FormatInt(max(1, t.lockWait.Milliseconds()), 10)+"ms")
	}
	queue(batch)
	if t.lockWait > 0 {
		batch.Queue(lockTimeoutDefaultSQL) // the handler's own statements wait as long as the team wants
	}
	batch.Queue(savepointSQL)
	var results pgx.BatchResults
	if t.tx == nil {
		results = t.conn.SendBatch(ctx, batch)
		t.tx = results.Tx()
	} else {
		results = t.tx.SendBatch(ctx, batch)
	}
	return mapError(results.Close())
}

func mapError(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == pgerrcode.LockNotAvailable {
		return participants.ErrRowOpen
	}
	return err
}

func arguments(key participants.RowKey, row participants.Row) []any {
	return []any{
		uuid(key.SagaID), key.Step, string(key.Verb), uuid(row.CommandID), row.Edition, string(row.State), row.Code,
		row.Message, []byte(row.Output),
	}
}

func uuid(id wire.ID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

func scan(r pgx.Row) (participants.Row, bool, error) {
	var row participants.Row
	var id pgtype.UUID
	var state string
	var output []byte
	err := r.Scan(&id, &row.Edition, &state, &row.Code, &row.Message, &output)
	if errors.Is(err, pgx.ErrNoRows) {
		return participants.Row{}, false, nil
	}
	row.CommandID, row.State, row.Output = id.Bytes, participants.State(state), json.RawMessage(output)
	return row, err == nil, err
}

// lentTx is what handlers get: all of a transaction but its end.
type lentTx struct{ pgx.Tx }

// Commit refuses: the barrier's row would commit without its answer.
func (lentTx) Commit(context.Context) error { return errHandlerEnds }

// Rollback refuses; a handler that wants its writes undone returns Reject, Fail or an error.
func (lentTx) Rollback(context.Context) error { return errHandlerEnds }
