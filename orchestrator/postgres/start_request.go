package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator"
)

var _ orchestrator.StartRequests = (*StartRequests)(nil)

// StartRequests are the starts that skald.start_saga asked for. It is safe for concurrent use.
type StartRequests struct {
	store *Store

	mu   sync.Mutex // guards conn, which one waits on at a time
	conn *pgx.Conn  // that listens; nil: none does
}

// StartRequests are the requests in this store's database. Close ends the connection that listens for hints.
func (s *Store) StartRequests() *StartRequests { return &StartRequests{store: s} }

// TakeStartRequests implements orchestrator.StartRequests.
func (r *StartRequests) TakeStartRequests(ctx context.Context, limit int, lease time.Duration) ([]orchestrator.StartAsked, error) {
	const what = "take start requests"
	rows, err := r.store.cfg.Engine.Query(ctx, sqlTakeStartRequests, limit, lease)
	if err != nil {
		return nil, translate(what, err)
	}
	asked, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a orchestrator.StartAsked, err error) {
		var labels, input string
		err = row.Scan(&a.Seq, &a.Until, &a.Tenant, &a.ID, &a.Role, &a.At, &a.Saga, &a.Version, &a.Key, &labels, &input)
		if err != nil {
			return a, err
		}
		a.At, a.Input = a.At.UTC(), json.RawMessage(input)
		return a, json.Unmarshal([]byte(labels), &a.Labels)
	})
	slices.SortFunc(asked, func(a, b orchestrator.StartAsked) int { return cmp.Compare(a.Seq, b.Seq) })
	return asked, translate(what, err)
}

// AnswerStartRequests implements orchestrator.StartRequests.
func (r *StartRequests) AnswerStartRequests(ctx context.Context, answers []orchestrator.StartAnswered) error {
	n := len(answers)
	seqs, codes, messages := make([]int64, n), make([]string, n), make([]string, n)
	ids, until := make([]pgtype.UUID, n), make([]time.Time, n)
	for i, a := range answers {
		seqs[i], until[i], ids[i], codes[i], messages[i] = a.Seq, a.Until, uuidOrNull(a.Saga), a.Code, a.Message
	}
	_, err := r.store.cfg.Engine.Exec(ctx, sqlAnswerStartRequests, seqs, until, ids, codes, messages)
	return translate("answer start requests", err)
}

// AwaitStartRequests implements orchestrator.StartRequests. It has a connection of its own beside the pool, which it makes when there
// is none, and then returns at once: whatever came before it listened left no hint. An error says that hints may have been lost.
func (r *StartRequests) AwaitStartRequests(ctx context.Context, d time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn == nil {
		conn, err := pgx.ConnectConfig(ctx, r.store.cfg.Engine.Config().ConnConfig)
		if err != nil {
			return fmt.Errorf("listen for start requests: %w", err)
		}
		if _, err := conn.Exec(ctx, sqlListenStarts); err != nil {
			return errors.Join(translate("listen for start requests", err), conn.Close(context.WithoutCancel(ctx)))
		}
		r.conn = conn
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	_, err := r.conn.WaitForNotification(limited)
	if err == nil || limited.Err() != nil && !r.conn.IsClosed() {
		return nil
	}
	conn := r.conn
	r.conn = nil
	return errors.Join(fmt.Errorf("listen for start requests: %w", err), conn.Close(context.WithoutCancel(ctx)))
}

// Close ends the connection that listens, once nobody waits on it. A second call is harmless.
func (r *StartRequests) Close(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn == nil {
		return nil
	}
	conn := r.conn
	r.conn = nil
	return conn.Close(ctx)
}
