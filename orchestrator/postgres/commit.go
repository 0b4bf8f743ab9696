package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skaldhq/skald/orchestrator"
)

// Commit implements orchestrator.Tx. The outcome is read from COMMIT's tag: a transaction that has failed answers ROLLBACK, and
// that is no error to the server.
func (t *tx) Commit(ctx context.Context, batch orchestrator.Batch) error {
	if t.conn == nil {
		return errOver
	}
	ctx = context.WithoutCancel(ctx)
	defer t.Rollback(ctx) // after a commit it only gives the connection back
	b := &pgx.Batch{}
	if err := t.queueWrites(b, &batch); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.store.cfg.CommitTimeout)
	defer cancel()
	return outcome(t.conn.Conn(), batch, send(ctx, t.conn.Conn(), b))
}

// sent is what came back from the second round trip.
type sent struct {
	tag pgconn.CommandTag // of COMMIT; empty where it did not come
	err error
}

func send(ctx context.Context, conn *pgx.Conn, b *pgx.Batch) (s sent) {
	delete(conn.PgConn().CustomData(), warningKey)
	b.Queue(sqlCommit)
	conn.PgConn().Frontend().Send(roomFor(b))
	res := conn.SendBatch(ctx, b)
	for range b.Len() {
		if s.tag, s.err = res.Exec(); s.err != nil {
			s.tag = pgconn.CommandTag{}
			break
		}
	}
	if err := res.Close(); s.err == nil {
		s.err = err
	}
	return s
}

// outcome says whether the batch is committed (nil), not committed, or ErrUnknown.
func outcome(conn *pgx.Conn, batch orchestrator.Batch, s sent) error {
	what := "commit batch " + batch.ID.String()
	warning := conn.PgConn().CustomData()[warningKey]
	switch committed := s.tag.String() == "COMMIT"; {
	case committed && warning != nil:
		// Committed here, but perhaps on no replica: a failover may still lose it.
		return fmt.Errorf("%s: %w: %v", what, orchestrator.ErrUnknown, warning)
	case committed:
		return nil
	case s.err == nil:
		return fmt.Errorf("%s: answered %q", what, s.tag.String())
	case pgconn.SafeToRetry(s.err):
		return translate(what, s.err) // nothing was sent
	case conn.IsClosed() || fatal(s.err):
		return fmt.Errorf("%s: %w: %w", what, orchestrator.ErrUnknown, s.err)
	case conn.PgConn().TxStatus() == 'I':
		// The server is past the transaction and did not say COMMIT. It rolled back, unless its answer was lost on the way.
		var pg *pgconn.PgError
		if errors.As(s.err, &pg) {
			return translate(what, s.err)
		}
		return fmt.Errorf("%s: %w: %w", what, orchestrator.ErrUnknown, s.err)
	}
	return translate(what, s.err) // still open: not committed, and rolled back by the caller
}
