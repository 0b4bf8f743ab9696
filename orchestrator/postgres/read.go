package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Saga implements orchestrator.Reader.
func (s *Store) Saga(ctx context.Context, tenant string, id saga.ID) (orchestrator.View, error) {
	rows, err := s.cfg.API.Query(ctx, sqlSaga, int16(id.Shard()), uuid(id), tenant)
	if err != nil {
		return orchestrator.View{}, translate("read saga", err)
	}
	views, err := s.views(ctx, rows)
	if err != nil {
		return orchestrator.View{}, translate("read saga "+id.String(), err)
	}
	if len(views) == 0 {
		return orchestrator.View{}, fmt.Errorf("saga %s: %w", id, orchestrator.ErrNotFound)
	}
	return views[0], nil
}

// views reads rows of (wake_at, instance), and what is known of their open commands.
func (s *Store) views(ctx context.Context, rows pgx.Rows) ([]orchestrator.View, error) {
	views, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v orchestrator.View, err error) {
		var (
			wakeAt   pgtype.Timestamptz
			instance pgtype.DriverBytes
		)
		if err := row.Scan(&wakeAt, &instance); err != nil {
			return v, err
		}
		v.WakeAt = timeOf(wakeAt)
		v.Instance, err = saga.DecodeInstance(instance)
		return v, err
	})
	if err != nil {
		return nil, err
	}
	var open []saga.BatchID
	for i := range views {
		open = append(open, stored.OpenBatches(&views[i].Instance)...)
	}
	batches, err := s.batches(ctx, open)
	if err != nil {
		return nil, err
	}
	for i := range views {
		views[i].Sent = stored.Sent(&views[i].Instance, batches)
	}
	return views, nil
}

func (s *Store) batches(ctx context.Context, ids []saga.BatchID) (map[saga.BatchID]stored.Published, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	slices.SortFunc(ids, stored.CompareBatches)
	ids = slices.Compact(ids)
	list := make(uuids, len(ids))
	for i, id := range ids {
		list[i] = uuid(id)
	}
	rows, err := s.cfg.API.Query(ctx, sqlBatches, list, list[0], list[len(list)-1])
	if err != nil {
		return nil, err
	}
	return collectBatches(rows)
}

// Sagas implements orchestrator.Reader.
func (s *Store) Sagas(ctx context.Context, q orchestrator.SagaQuery) (orchestrator.SagaPage, error) {
	const what = "list sagas"
	var page orchestrator.SagaPage
	args, err := filters(&q)
	if err != nil {
		return page, translate(what, err)
	}
	if q.Limit < 1 {
		return page, fmt.Errorf("%s: limit %d: want 1 or more", what, q.Limit)
	}
	rows, err := s.cfg.API.Query(ctx, pageOf(&q), args.with(bounds(&q), q.Limit+1)...)
	if err != nil {
		return page, translate(what, err)
	}
	if page.Sagas, err = s.views(ctx, rows); err != nil {
		return page, translate(what, err)
	}
	if len(page.Sagas) > q.Limit {
		page.Sagas = page.Sagas[:q.Limit]
		page.Next = page.Sagas[q.Limit-1].Instance.ID
	}
	if q.Count {
		page.Count, page.Exact, err = s.count(ctx, &q, args, len(page.Sagas))
	}
	return page, translate("count sagas", err)
}

// pageOf is the statement that reads a page.
func pageOf(q *orchestrator.SagaQuery) string {
	switch {
	case q.OldestFirst && q.Key != "":
		return sqlOldestSagasByKey
	case q.OldestFirst:
		return sqlOldestSagas
	case q.Key != "":
		return sqlSagasByKey
	}
	return sqlSagas
}

// sagaFilters are the parameters of sqlWhereSagas; $2, $3 and $11 differ between a page and its count.
type sagaFilters []any

func (f sagaFilters) with(between idRange, limit int) []any {
	args := slices.Clone(f)
	args[1], args[2], args[10] = uuid(between.lower), uuid(between.upper), limit
	return args
}

func filters(q *orchestrator.SagaQuery) (sagaFilters, error) {
	statuses := make([]string, len(q.Statuses))
	for i, st := range q.Statuses {
		statuses[i] = string(st)
	}
	var labels *string
	if len(q.Labels) > 0 {
		text, err := json.Marshal(q.Labels)
		if err != nil {
			return nil, err
		}
		s := string(text)
		labels = &s
	}
	f := sagaFilters{
		q.Tenant, nil, nil, q.Saga, statuses, string(q.BlockedOn), q.Attention, labels,
		timestampOrNull(q.CreatedAfter), timestampOrNull(q.CreatedBefore), nil, q.Participant,
		string(q.Verdict), q.Version, idsOrNull(q.IDs),
	}
	if q.Key != "" {
		f = append(f, q.Key)
	}
	return f, nil
}

// clockAllowance is how far the clock of the replica that made an id may be from the database's.
const clockAllowance = 24 * time.Hour

// idRange are the ids from lower on and below upper.
type idRange struct{ lower, upper saga.ID }

// created is where the ids of sagas lie that were created when the query says so.
func created(q *orchestrator.SagaQuery) idRange {
	r := idRange{upper: saga.ID(slices.Repeat([]byte{0xff}, 16))}
	if at := q.CreatedAfter.Add(-clockAllowance); !q.CreatedAfter.IsZero() && at.UnixMilli() > 0 {
		r.lower = saga.NewID(at, 0, 0)
	}
	if at := q.CreatedBefore.Add(clockAllowance); !q.CreatedBefore.IsZero() && at.UnixMilli() > 0 {
		r.upper = saga.NewID(at, 0, 0)
	}
	return r
}

// bounds is where the ids of the query's page lie.
func bounds(q *orchestrator.SagaQuery) idRange {
	r := created(q)
	switch {
	case q.Past.IsZero():
	case q.OldestFirst:
		if next := after(q.Past); less(r.lower, next) {
			r.lower = next
		}
	case less(q.Past, r.upper):
		r.upper = q.Past
	}
	return r
}

// after is the next id that there could be.
func after(id saga.ID) saga.ID {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			break
		}
	}
	return id
}

func idsOrNull(ids []saga.ID) uuids {
	if len(ids) == 0 {
		return nil
	}
	out := make(uuids, len(ids))
	for i, id := range ids {
		out[i] = uuid(id)
	}
	return out
}

// countAtLeast is how far is counted where counting them all takes too long.
const countAtLeast = 1000

// count answers an exact number, or a lower bound where that takes longer than CountTimeout. Live sagas are always counted.
func (s *Store) count(ctx context.Context, q *orchestrator.SagaQuery, args sagaFilters, seen int) (int64, bool, error) {
	live := len(q.Statuses) > 0 && !slices.ContainsFunc(q.Statuses, saga.Status.Terminal)
	statement := map[[2]bool]string{
		{false, false}: sqlCountSagas,
		{false, true}:  sqlCountSagasByKey,
		{true, false}:  sqlCountLive,
		{true, true}:   sqlCountLiveByKey,
	}[[2]bool{live, q.Key != ""}]
	count := func(limit int, timeout time.Duration) (n int64, err error) {
		err = pgx.BeginFunc(ctx, s.cfg.API, func(tx pgx.Tx) error {
			if timeout > 0 {
				if _, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', $1, true)`, milliseconds(timeout)); err != nil {
					return err
				}
			}
			return tx.QueryRow(ctx, statement, args.with(created(q), limit)...).Scan(&n)
		})
		return n, err
	}
	if q.CountMost > 0 {
		n, err := count(int(q.CountMost)+1, s.cfg.CountTimeout)
		if tookTooLong(err) {
			return int64(seen), false, nil
		}
		return min(n, q.CountMost), n <= q.CountMost, err
	}
	if live {
		n, err := count(1<<31-1, 0)
		return n, true, err
	}
	n, err := count(1<<31-1, s.cfg.CountTimeout)
	if !tookTooLong(err) {
		return n, true, err
	}
	if n, err = count(countAtLeast, s.cfg.CountTimeout); tookTooLong(err) {
		return int64(seen), false, nil
	}
	return n, false, err
}

func tookTooLong(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == pgerrcode.QueryCanceled
}

// History implements orchestrator.Reader.
func (s *Store) History(ctx context.Context, tenant string, id saga.ID, after int64, limit int) ([]orchestrator.HistoryEntry, error) {
	what := "read history of " + id.String()
	b := &pgx.Batch{}
	b.Queue(sqlSagaExists, int16(id.Shard()), uuid(id), tenant)
	b.Queue(sqlHistory, int16(id.Shard()), uuid(id), tenant, after, limit)
	res := s.cfg.API.SendBatch(ctx, b)
	defer res.Close()
	var exists bool
	if err := res.QueryRow().Scan(&exists); err != nil {
		return nil, translate(what, err)
	}
	if !exists {
		return nil, fmt.Errorf("%s: %w", what, orchestrator.ErrNotFound)
	}
	rows, err := res.Query()
	if err != nil {
		return nil, translate(what, err)
	}
	var (
		entries []orchestrator.HistoryEntry
		batch   saga.BatchID
		packed  pgtype.DriverBytes
	)
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&batch), &packed}, func() error {
		facts, err := stored.DecodeFacts(packed)
		for i := range facts {
			if facts[i].Seq > after && len(entries) < limit {
				entries = append(entries, orchestrator.HistoryEntry{Batch: batch, Fact: facts[i]})
			}
		}
		return err
	})
	if err = errors.Join(err, res.Close()); err != nil {
		return nil, translate(what, err)
	}
	ids := make([]saga.BatchID, len(entries))
	for i := range entries {
		ids[i] = entries[i].Batch
	}
	batches, err := s.batches(ctx, ids)
	if err != nil {
		return nil, translate(what, err)
	}
	for i, e := range entries {
		entries[i] = stored.HistoryEntry(e.Fact, e.Batch, batches[e.Batch].Acked)
	}
	return entries, nil
}

// Revisions implements orchestrator.Reader.
func (s *Store) Revisions(ctx context.Context, ids []saga.ID) (map[saga.ID]int64, error) {
	revisions := make(map[saga.ID]int64, len(ids))
	if len(ids) == 0 {
		return revisions, nil
	}
	k := keysOf(ids)
	rows, err := s.cfg.API.Query(ctx, sqlRevisions, k.args()...)
	if err != nil {
		return nil, translate("read revisions", err)
	}
	var (
		id       saga.ID
		revision int64
	)
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &revision}, func() error {
		revisions[id] = revision
		return nil
	})
	return revisions, translate("read revisions", err)
}

// OutboxDepth implements orchestrator.Reader.
func (s *Store) OutboxDepth(ctx context.Context, atMost int) (n int, err error) {
	err = s.cfg.API.QueryRow(ctx, sqlOutboxDepth, atMost).Scan(&n)
	return n, translate("count the outbox", err)
}

// Lateness implements orchestrator.Reader.
func (s *Store) Lateness(ctx context.Context) (late orchestrator.Lateness, err error) {
	var (
		now    time.Time
		wake   *time.Time
		oldest *[16]byte
	)
	if err := s.cfg.API.QueryRow(ctx, sqlLateness).Scan(&now, &wake, &oldest); err != nil {
		return late, translate("look how late it is", err)
	}
	if wake != nil {
		late.Overdue = max(0, now.Sub(*wake))
	}
	if oldest != nil {
		late.Outbox = max(0, now.Sub(saga.ID(*oldest).Time()))
	}
	return late, nil
}

// Stats implements orchestrator.Reader.
func (s *Store) Stats(ctx context.Context, tenant string) (orchestrator.Stats, error) {
	stats := orchestrator.Stats{
		ByStatus:     map[saga.Status]int64{},
		ByCause:      map[saga.Cause]int64{},
		ByDefinition: map[string]int64{},

		ByParticipant: map[string]orchestrator.ParticipantStats{},
	}
	rows, err := s.cfg.API.Query(ctx, sqlStats, tenant)
	if err != nil {
		return stats, translate("count sagas", err)
	}
	var (
		definition, status            string
		attention, waiting, published bool
		causes, waits                 []string
		n                             int64
	)
	_, err = pgx.ForEachRow(rows, []any{&definition, &status, &attention, &causes, &waiting, &published, &waits, &n}, func() error {
		stats.Live += n
		stats.ByStatus[saga.Status(status)] += n
		stats.ByDefinition[definition] += n
		if attention {
			stats.WithAttention += n
		}
		stored.AddWaits(&stats, waits, n)
		for _, c := range causes {
			if c != string(saga.CauseReply) {
				stats.ByCause[saga.Cause(c)] += n
				continue
			}
			if waiting {
				stats.ByCause[saga.CauseUnpublished] += n
			}
			if published || !waiting {
				stats.ByCause[saga.CauseReply] += n
			}
		}
		return nil
	})
	if err != nil {
		return stats, translate("count sagas", err)
	}
	err = s.cfg.API.QueryRow(ctx, sqlCountQuarantine, seenBy(tenant)).Scan(&stats.Quarantined)
	return stats, translate("count quarantine", err)
}
