package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func queueQuarantine(b *pgx.Batch, records []orchestrator.Quarantined, quota int64) {
	if len(records) == 0 {
		return
	}
	var (
		tenants, reasons, messages, topics, prints []string
		ids                                        uuids
		partitions, bytes                          []int32
		offsets, sizes                             []int64
		at                                         times
		keys, values, headers, hashes, tokens      [][]byte
		offered                                    int64
	)
	for i := range records {
		q := &records[i]
		hash := sha256.Sum256(q.Value)
		tenants, reasons = append(tenants, q.Tenant), append(reasons, q.Reason)
		messages, topics = append(messages, q.Message), append(topics, q.Topic)
		prints = append(prints, orchestrator.Fingerprint(q.Reason, q.Message, q.Topic))
		ids = append(ids, uuidOrNull(q.Saga))
		partitions, offsets = append(partitions, q.Partition), append(offsets, q.Offset)
		at = append(at, timestamp(q.Timestamp))
		keys = append(keys, stored.EncodePlain(q.Key))
		values = append(values, stored.EncodePlain(q.Value))
		headers = append(headers, stored.EncodeHeaders(q.Headers))
		hashes, bytes = append(hashes, hash[:]), append(bytes, int32(len(q.Value)))
		tokens = append(tokens, q.TokenSHA256)
		size := stored.QuarantineSize(q)
		sizes, offered = append(sizes, size), offered+size
	}
	b.Queue(sqlQuarantine, tenants, ids, reasons, messages, topics, partitions, offsets, at, keys, values, headers, hashes, bytes,
		offered, quota, sizes, tokens, prints)
}

// queueHandled notes what was done about records. Their locks are held already.
func queueHandled(b *pgx.Batch, handled []orchestrator.QuarantineHandled) {
	if len(handled) == 0 {
		return
	}
	var (
		ids                                []int64
		states, outcomes, whys, by, wishes []string
		at                                 times
		redrives                           []int32
		vouched                            []bool
		attempts                           uuids
		reasons, messages, prints          []*string
	)
	for i := range handled {
		h := &handled[i].Handling
		ids = append(ids, handled[i].ID)
		states, outcomes = append(states, string(h.State)), append(outcomes, string(h.Outcome))
		whys, by, wishes = append(whys, h.Why), append(by, h.By), append(wishes, h.Reason)
		at, redrives = append(at, timestamp(h.At)), append(redrives, int32(h.Redrives))
		vouched, attempts = append(vouched, h.Vouched), append(attempts, uuidOrNull(h.Attempt))
		var reason, message, print *string
		if c := handled[i].Cause; c != nil {
			f := orchestrator.Fingerprint(c.Reason, c.Message, handled[i].Topic)
			reason, message, print = &c.Reason, &c.Message, &f
		}
		reasons, messages, prints = append(reasons, reason), append(messages, message), append(prints, print)
	}
	b.Queue(sqlHandled, ids, states, outcomes, whys, by, wishes, at, redrives, vouched, attempts, reasons, messages, prints, int64(len(ids)),
		string(orchestrator.QuarantineWaiting))
}

// LockQuarantined implements orchestrator.Tx.
func (t *tx) LockQuarantined(ctx context.Context, ids []int64) (map[int64]orchestrator.QuarantineHandling, error) {
	if t.conn == nil {
		return nil, errOver
	}
	const what = "lock quarantined records"
	rows, err := t.conn.Query(ctx, sqlLockQuarantined, ids)
	if err != nil {
		return nil, translate(what, err)
	}
	got := make(map[int64]orchestrator.QuarantineHandling, len(ids))
	var (
		id int64
		h  handlingColumns
	)
	_, err = pgx.ForEachRow(rows, append([]any{&id}, h.targets()...), func() error {
		got[id] = h.handling()
		return nil
	})
	return got, translate(what, err)
}

// handlingColumns are the columns of a record that tell what was done about it, in the order in which all statements have them.
type handlingColumns struct {
	h       orchestrator.QuarantineHandling
	at      pgtype.Timestamptz
	attempt pgtype.UUID
}

func (c *handlingColumns) targets() []any {
	return []any{&c.h.State, &c.h.Outcome, &c.h.Why, &c.h.By, &c.h.Reason, &c.at, &c.h.Redrives, &c.h.Vouched, &c.attempt}
}

func (c *handlingColumns) handling() orchestrator.QuarantineHandling {
	h := c.h
	h.At, h.Attempt = timeOf(c.at), saga.ID(c.attempt.Bytes)
	return h
}

// seenBy are the tenants whose quarantined records a tenant sees: its own, and the operator's also those of nobody.
func seenBy(tenant string) []string {
	if tenant == stored.TenantDefault {
		return []string{tenant, ""}
	}
	return []string{tenant}
}

func quarantineFilter(q *orchestrator.QuarantineQuery) []any {
	return []any{seenBy(q.Tenant), q.Fingerprint, q.Reason, q.Topic, uuidOrNull(q.Saga), string(q.State)}
}

// Quarantine implements orchestrator.QuarantineReader.
func (s *Store) Quarantine(ctx context.Context, q orchestrator.QuarantineQuery) ([]orchestrator.QuarantineEntry, error) {
	const what = "list quarantine"
	statement, args := listQuarantine(&q)
	rows, err := s.cfg.API.Query(ctx, statement, args...)
	if err != nil {
		return nil, translate(what, err)
	}
	entries, err := pgx.CollectRows(rows, scanQuarantined)
	return entries, translate(what, err)
}

func listQuarantine(q *orchestrator.QuarantineQuery) (statement string, args []any) {
	waiting := orchestrator.QuarantineQuery{Tenant: q.Tenant, Saga: q.Saga, State: orchestrator.QuarantineWaiting, Limit: q.Limit}
	if *q == waiting && !q.Saga.IsZero() { // nothing else is asked for: an index of its own answers that, for every look at a saga
		return sqlWaitingOfSaga, []any{seenBy(q.Tenant), uuid(q.Saga), q.Limit}
	}
	statement = sqlListQuarantine
	if q.OldestFirst {
		statement = sqlOldestQuarantine
	}
	before := q.Before
	if before <= 0 {
		before = math.MaxInt64
	}
	return statement, append(quarantineFilter(q), before, q.Limit)
}

// QuarantineRecord implements orchestrator.QuarantineReader.
func (s *Store) QuarantineRecord(ctx context.Context, tenant string, id int64) (orchestrator.QuarantineEntry, error) {
	what := fmt.Sprintf("quarantined record %d", id)
	rows, err := s.cfg.API.Query(ctx, sqlQuarantineRecord, id, seenBy(tenant))
	if err != nil {
		return orchestrator.QuarantineEntry{}, translate(what, err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, scanQuarantined)
	if errors.Is(err, pgx.ErrNoRows) {
		return e, fmt.Errorf("%s: %w", what, orchestrator.ErrNotFound)
	}
	return e, translate(what, err)
}

// QuarantineGroups implements orchestrator.QuarantineReader.
func (s *Store) QuarantineGroups(ctx context.Context, q orchestrator.QuarantineQuery) ([]orchestrator.QuarantineGroup, error) {
	const what = "group quarantine"
	rows, err := s.cfg.API.Query(ctx, sqlQuarantineGroups, append(quarantineFilter(&q), q.Limit)...)
	if err != nil {
		return nil, translate(what, err)
	}
	groups, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (g orchestrator.QuarantineGroup, err error) {
		var first, last pgtype.Timestamptz
		err = row.Scan(&g.Fingerprint, &g.Reason, &g.Topic, &g.Message, &g.Count, &first, &last, &g.Example)
		g.First, g.Last = timeOf(first), timeOf(last)
		return g, err
	})
	return groups, translate(what, err)
}

func scanQuarantined(row pgx.CollectableRow) (e orchestrator.QuarantineEntry, err error) {
	var (
		id                        pgtype.UUID
		at, recordAt              pgtype.Timestamptz
		key, value, headers, hash []byte
		h                         handlingColumns
	)
	targets := []any{&e.ID, &at, &e.Tenant, &id, &e.Reason, &e.Message, &e.Topic, &e.Partition, &e.Offset, &recordAt}
	targets = append(targets, h.targets()...)
	targets = append(targets, &e.Fingerprint, &e.TokenSHA256, &hash, &e.Bytes, &e.Kept, &key, &value, &headers)
	if err = row.Scan(targets...); err != nil {
		return e, err
	}
	e.At, e.Timestamp, e.Saga, e.Handling = timeOf(at), timeOf(recordAt), saga.ID(id.Bytes), h.handling()
	copy(e.SHA256[:], hash)
	if e.Key, err = stored.DecodePlain(key); err != nil {
		return e, err
	}
	if e.Value, err = stored.DecodePlain(value); err != nil {
		return e, err
	}
	if headers != nil {
		e.Headers, err = stored.DecodeHeaders(headers)
	}
	return e, err
}
