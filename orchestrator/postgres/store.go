package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Config is what a Store is made of. Engine is required; zero fields take the defaults.
type Config struct {
	Engine          *pgxpool.Pool // made by OpenPool: the store relies on its parameters
	API             *pgxpool.Pool // of Reader and Definitions; nil: Engine
	AcquireTimeout  time.Duration // for a connection of a pool; 0: 2 s
	CommitTimeout   time.Duration // after which a commit is unknown; 0: 5 s
	CountTimeout    time.Duration // after which counting stops (design section 8); 0: 200 ms
	QuarantineBytes int64         // kept per hour, beyond it coordinates and a hash; 0: 64 MiB
	KeepKeys        time.Duration // how long idempotency keys last; 0: 7 days
	KeepReceipts    time.Duration // how long receipts last; 0: 90 days
	KeepHandled     time.Duration // how long ended operations and handled quarantined records last; 0: 30 days, below 0: for ever
}

// Store keeps sagas in Postgres. It is safe for concurrent use. It does not close its pools.
type Store struct {
	cfg Config
}

var (
	_ orchestrator.Store       = (*Store)(nil)
	_ orchestrator.Reader      = (*Store)(nil)
	_ orchestrator.Definitions = (*Store)(nil)
	_ orchestrator.AuditLog    = (*Store)(nil)
)

// New returns a store on a database that is migrated.
func New(cfg Config) *Store {
	if cfg.API == nil {
		cfg.API = cfg.Engine
	}
	cfg.AcquireTimeout = or(cfg.AcquireTimeout, 2*time.Second)
	cfg.CommitTimeout = or(cfg.CommitTimeout, 5*time.Second)
	cfg.CountTimeout = or(cfg.CountTimeout, 200*time.Millisecond)
	cfg.QuarantineBytes = or(cfg.QuarantineBytes, 64<<20)
	cfg.KeepKeys = or(cfg.KeepKeys, 7*24*time.Hour)
	cfg.KeepReceipts = or(cfg.KeepReceipts, 90*24*time.Hour)
	cfg.KeepHandled = or(cfg.KeepHandled, 30*24*time.Hour)
	return &Store{cfg: cfg}
}

func (s *Store) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.AcquireTimeout)
	defer cancel()
	conn, err := s.cfg.Engine.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("get a connection: %w", err)
	}
	return conn, nil
}

// inTx runs do in a transaction and commits it; when do fails it is rolled back.
func (s *Store) inTx(ctx context.Context, pool *pgxpool.Pool, what string, do func(pgx.Tx) error) error {
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, do)
	return translate(what, err)
}

// Committed implements orchestrator.Store. A false answer is final: where the commit is still under way it is waited for, and
// where it has not come yet it will fail. A true one is as durable as any commit: it is itself the answer to one that wrote
// something, so that a synchronous replica has everything before it.
func (s *Store) Committed(ctx context.Context, id saga.BatchID, write orchestrator.Write) (committed bool, err error) {
	what := "resolve batch " + id.String()
	conn, err := s.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	delete(conn.Conn().PgConn().CustomData(), warningKey)
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		fenced, err := tx.Exec(ctx, sqlFence, uuid(id))
		if err != nil || len(write.Facts) == 0 {
			return err
		}
		in := &write.Next
		row := tx.QueryRow(ctx, sqlCommitted, int16(in.ID.Shard()), uuid(in.ID), write.Facts[0].Seq, uuid(id))
		if err := row.Scan(&committed); err != nil || !committed {
			return err
		}
		clear := sqlTouchOutbox
		if fenced.RowsAffected() == 1 { // its outbox row has been settled and deleted: no fence is needed
			clear = sqlDeleteOutbox
		}
		_, err = tx.Exec(ctx, clear, uuid(id))
		return err
	})
	if warning := conn.Conn().PgConn().CustomData()[warningKey]; err == nil && warning != nil {
		err = fmt.Errorf("%w: %v", orchestrator.ErrUnknown, warning)
	}
	return committed && err == nil, translate(what, err)
}

// Due implements orchestrator.Store.
func (s *Store) Due(ctx context.Context, limit int) ([]saga.ID, error) {
	rows, err := s.cfg.Engine.Query(ctx, sqlDue, limit)
	if err != nil {
		return nil, translate("list due sagas", err)
	}
	due, err := pgx.CollectRows(rows, scanID)
	return due, translate("list due sagas", err)
}

func scanID(row pgx.CollectableRow) (id saga.ID, err error) {
	err = row.Scan((*[16]byte)(&id))
	return id, err
}

// TakeOverdue implements orchestrator.Store.
func (s *Store) TakeOverdue(ctx context.Context, limit int, again time.Duration) ([]orchestrator.OutboxRow, error) {
	rows, err := s.cfg.Engine.Query(ctx, sqlTakeOverdue, limit, again)
	if err != nil {
		return nil, translate("take overdue outbox rows", err)
	}
	taken, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (orchestrator.OutboxRow, error) {
		var (
			batch   [16]byte
			waiting []int32
			records []byte
			tried   bool
		)
		if err := row.Scan(&batch, &waiting, &records, &tried); err != nil {
			return orchestrator.OutboxRow{}, err
		}
		return stored.OutboxRow(batch, records, waiting, tried)
	})
	if err != nil {
		return nil, translate("take overdue outbox rows", err)
	}
	slices.SortFunc(taken, func(a, b orchestrator.OutboxRow) int { return stored.CompareBatches(a.Batch, b.Batch) })
	return taken, nil
}

// Settle implements orchestrator.Store. Settling twice is harmless, so any error may be tried again.
func (s *Store) Settle(ctx context.Context, settled []orchestrator.Settled) error {
	if len(settled) == 0 {
		return nil
	}
	return s.inTx(ctx, s.cfg.Engine, "settle the outbox", func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		queueSettled(b, settled)
		return tx.SendBatch(ctx, b).Close()
	})
}
