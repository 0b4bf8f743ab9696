package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// tx is an open transaction on a connection of its own.
type tx struct {
	store   *Store
	conn    *pgxpool.Conn // nil: over
	at      time.Time
	claimed []orchestrator.Claimed
	rows    map[saga.ID]orchestrator.Row
	holds   []orchestrator.Hold
}

var errOver = errors.New("the transaction is over")

// Begin implements orchestrator.Store.
func (s *Store) Begin(ctx context.Context, need orchestrator.Need) (orchestrator.Tx, error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	t := &tx{store: s, conn: conn, rows: make(map[saga.ID]orchestrator.Row, len(need.Sagas))}
	if err := t.begin(ctx, need); err != nil {
		t.Rollback(ctx)
		return nil, err
	}
	return t, nil
}

func (t *tx) begin(ctx context.Context, need orchestrator.Need) error {
	b := &pgx.Batch{}
	b.Queue(sqlBegin)
	if len(need.Claims) > 0 {
		b.Queue(sqlShortLocks)
	}
	c := claimsOf(need.Claims)
	c.queueInserts(b)
	claims := b.Len()
	c.queueReads(b)
	queueLoad(b, need.Sagas)
	b.Queue(sqlHoldsInForce)
	b.Queue(sqlClock)

	res := t.conn.SendBatch(ctx, b)
	defer res.Close()
	for range claims {
		if _, err := res.Exec(); err != nil {
			return translateClaim(err)
		}
	}
	var err error
	if t.claimed, err = c.read(res); err != nil {
		return translate("read claimed keys", err)
	}
	if err := t.readLoad(res, need.Sagas); err != nil {
		return translate("load sagas", err)
	}
	if t.holds, err = readHolds(res); err != nil {
		return translate("read holds", err)
	}
	if err := res.QueryRow().Scan(&t.at); err != nil {
		return translate("read the clock", err)
	}
	t.at = t.at.UTC()
	return translate("begin", res.Close())
}

func queueLoad(b *pgx.Batch, ids []saga.ID) {
	if len(ids) == 0 {
		return
	}
	k := keysOf(ids)
	b.Queue(sqlLoad, k.args()...)
	b.Queue(sqlLoadBatches, k.args()...)
}

func (t *tx) readLoad(res pgx.BatchResults, ids []saga.ID) error {
	if len(ids) == 0 {
		return nil
	}
	loaded, err := readSagas(res)
	if err != nil {
		return err
	}
	found, batches, err := readFound(res)
	if err != nil {
		return err
	}
	for _, id := range ids {
		row, ok := loaded[id]
		switch {
		case ok:
			row.Sent = stored.Sent(&row.Instance, batches)
		case found[id]:
			row.State = orchestrator.RowBusy
		default:
			row.State = orchestrator.RowMissing
		}
		t.rows[id] = row
	}
	return nil
}

func readSagas(res pgx.BatchResults) (map[saga.ID]orchestrator.Row, error) {
	rows, err := res.Query()
	if err != nil {
		return nil, err
	}
	var (
		id       saga.ID
		wakeAt   pgtype.Timestamptz
		instance pgtype.DriverBytes // valid until the next row; decoding copies what it keeps
		loaded   = map[saga.ID]orchestrator.Row{}
	)
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &wakeAt, &instance}, func() error {
		in, err := saga.DecodeInstance(instance)
		if err != nil {
			return fmt.Errorf("%w: saga %s: %w", orchestrator.ErrData, id, err)
		}
		loaded[id] = orchestrator.Row{State: orchestrator.RowLoaded, Instance: in, WakeAt: timeOf(wakeAt)}
		return nil
	})
	return loaded, err
}

// readFound reads which sagas are there, and what is known of their batches.
func readFound(res pgx.BatchResults) (map[saga.ID]bool, map[saga.BatchID]stored.Published, error) {
	rows, err := res.Query()
	if err != nil {
		return nil, nil, err
	}
	var (
		id, batch pgtype.UUID
		waiting   []int32
		acks      pgtype.DriverBytes
		found     = map[saga.ID]bool{}
		batches   = map[saga.BatchID]stored.Published{}
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &batch, &waiting, &acks}, func() error {
		if id.Valid {
			found[id.Bytes] = true
			return nil
		}
		return addBatch(batches, batch.Bytes, waiting, acks)
	})
	return found, batches, err
}

func collectBatches(rows pgx.Rows) (map[saga.BatchID]stored.Published, error) {
	var (
		batch   saga.BatchID
		waiting []int32
		acks    pgtype.DriverBytes
		batches = map[saga.BatchID]stored.Published{}
	)
	_, err := pgx.ForEachRow(rows, []any{(*[16]byte)(&batch), &waiting, &acks}, func() error {
		return addBatch(batches, batch, waiting, acks)
	})
	return batches, err
}

func addBatch(batches map[saga.BatchID]stored.Published, id saga.BatchID, waiting []int32, acks []byte) error {
	acked, err := stored.DecodeAcks(acks)
	if err != nil {
		return fmt.Errorf("batch %s: %w", id, err)
	}
	batches[id] = stored.Published{Left: slices.Clone(waiting), Acked: acked}
	return nil
}

func readHolds(res pgx.BatchResults) ([]orchestrator.Hold, error) {
	rows, err := res.Query()
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanHold)
}

// At implements orchestrator.Tx.
func (t *tx) At() time.Time { return t.at }

// Row implements orchestrator.Tx.
func (t *tx) Row(id saga.ID) orchestrator.Row { return t.rows[id] }

// Claimed implements orchestrator.Tx.
func (t *tx) Claimed(i int) orchestrator.Claimed { return t.claimed[i] }

// Holds implements orchestrator.Tx.
func (t *tx) Holds() []orchestrator.Hold { return t.holds }

// Load implements orchestrator.Tx.
func (t *tx) Load(ctx context.Context, ids []saga.ID) error {
	if t.conn == nil {
		return errOver
	}
	var missing []saga.ID
	for _, id := range ids {
		if t.rows[id].State != orchestrator.RowLoaded {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	b := &pgx.Batch{}
	queueLoad(b, missing)
	res := t.conn.SendBatch(ctx, b)
	defer res.Close()
	if err := t.readLoad(res, missing); err != nil {
		return translate("load sagas", err)
	}
	return translate("load sagas", res.Close())
}

// rollbackLimit bounds how long giving back may take; then the connection is closed, and the server rolls back.
const rollbackLimit = 5 * time.Second

// Rollback implements orchestrator.Tx.
func (t *tx) Rollback(ctx context.Context) {
	if t.conn == nil {
		return
	}
	conn := t.conn
	t.conn = nil
	defer conn.Release() // closes the connection if it is still in a transaction
	if conn.Conn().PgConn().TxStatus() == 'I' || conn.Conn().IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackLimit)
	defer cancel()
	_, _ = conn.Exec(ctx, sqlRollback) // where it fails Release closes the connection
}
