package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

var _ audit.Store = (*Store)(nil)

// snapshot reads in one snapshot, which ends before anything is judged: it holds nobody up, and keeps nothing from vacuum for long.
func (s *Store) snapshot(ctx context.Context, what string, read func(pgx.Tx) error) error {
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return translate(what, pgx.BeginTxFunc(ctx, s.cfg.API, opts, read))
}

// AuditScope implements audit.Source.
func (s *Store) AuditScope(ctx context.Context) (scope audit.Scope, err error) {
	err = s.snapshot(ctx, "list tenants", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sqlAuditTenants)
		if err != nil {
			return err
		}
		if scope.Tenants, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return err
		}
		var since pgtype.Timestamptz
		err = tx.QueryRow(ctx, sqlAuditSince).Scan(&since)
		scope.SagasSince = timeOf(since)
		return err
	})
	return scope, err
}

// AuditSagas implements audit.Source.
func (s *Store) AuditSagas(ctx context.Context, q audit.SagaQuery) (slice audit.Slice, err error) {
	err = s.snapshot(ctx, "read sagas to audit", func(tx pgx.Tx) error {
		slice = audit.Slice{Batches: map[saga.BatchID]audit.Batch{}}
		if err := tx.QueryRow(ctx, sqlClock).Scan(&slice.At); err != nil {
			return err
		}
		slice.At = slice.At.UTC()
		slice.ReceiptsSince = slice.At.Add(-s.cfg.KeepReceipts)
		rows, err := auditRows(ctx, tx, &q)
		if err != nil {
			return err
		}
		if slice.Sagas, err = pgx.CollectRows(rows, scanAuditSaga); err != nil || len(slice.Sagas) == 0 {
			return err
		}
		if err := readAuditHistory(ctx, tx, &slice); err != nil {
			return err
		}
		if err := readAuditBatches(ctx, tx, &slice); err != nil {
			return err
		}
		return readAuditOwners(ctx, tx, q.Tenant, &slice)
	})
	return slice, err
}

func auditRows(ctx context.Context, tx pgx.Tx, q *audit.SagaQuery) (pgx.Rows, error) {
	if !q.ID.IsZero() {
		return tx.Query(ctx, sqlAuditSaga, q.Tenant, uuid(q.ID))
	}
	after := q.After
	if since := q.CreatedSince.Add(-clockAllowance); !q.CreatedSince.IsZero() && since.UnixMilli() > 0 {
		// No id below this was made since, whatever a replica's clock said: those pages need not be read.
		if first := saga.NewID(since, 0, 0); stored.CompareIDs(first, after) > 0 {
			after = first
		}
	}
	return tx.Query(ctx, sqlAuditSagas, q.Tenant, uuid(after), q.Saga, q.Version, timestampOrNull(q.CreatedSince), q.Limit)
}

func scanAuditSaga(row pgx.CollectableRow) (out audit.Saga, err error) {
	var (
		shard  int16
		wakeAt pgtype.Timestamptz
		labels *string
		open   []pgtype.UUID
		status string
	)
	err = row.Scan(&shard, (*[16]byte)(&out.ID), &out.Tenant, &out.Saga, &out.Version, &out.Key, &status, &out.Revision, &out.CreatedAt, &wakeAt,
		&labels, &out.Attention, &out.Causes, &out.Waits, &out.Verdict, &open, &out.Instance)
	if err != nil {
		return out, err
	}
	out.Shard, out.Status, out.WakeAt, out.CreatedAt = uint16(shard), saga.Status(status), timeOf(wakeAt), out.CreatedAt.UTC()
	for _, id := range open {
		out.Batches = append(out.Batches, id.Bytes)
	}
	if labels != nil {
		err = json.Unmarshal([]byte(*labels), &out.Labels)
	}
	return out, err
}

func readAuditHistory(ctx context.Context, tx pgx.Tx, slice *audit.Slice) error {
	var k keys
	at := make(map[saga.ID]*audit.Saga, len(slice.Sagas))
	for i := range slice.Sagas {
		row := &slice.Sagas[i]
		at[row.ID] = row
		k.add(row.ID)
	}
	rows, err := tx.Query(ctx, sqlAuditHistory, k.args()...)
	if err != nil {
		return err
	}
	var (
		id    saga.ID
		first int64
		batch saga.BatchID
		facts []byte
	)
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &first, (*[16]byte)(&batch), &facts}, func() error {
		row := at[id]
		list, err := stored.SplitFacts(facts)
		if err != nil { // the audit finds that it cannot be read
			list = [][]byte{facts}
		}
		for i := range list {
			row.Facts = append(row.Facts, audit.Fact{Seq: first + int64(i), Batch: batch, Bytes: list[i]})
		}
		facts = nil // the next row gets bytes of its own
		return nil
	})
	return err
}

func readAuditBatches(ctx context.Context, tx pgx.Tx, slice *audit.Slice) error {
	named := map[saga.BatchID]bool{}
	for i := range slice.Sagas {
		for _, id := range slice.Sagas[i].Batches {
			named[id] = true
		}
		for _, fact := range slice.Sagas[i].Facts {
			named[fact.Batch] = true
		}
	}
	ids := make(uuids, 0, len(named))
	var lowest, upper pgtype.UUID
	for id := range named {
		ids = append(ids, uuid(id))
		lowest, upper = widen(lowest, upper, id)
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, sqlAuditBatches, ids, lowest, upper, int64(len(ids)))
	if err != nil {
		return err
	}
	var (
		id    saga.BatchID
		batch audit.Batch
	)
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &batch.InOutbox, &batch.Waiting, &batch.Acks}, func() error {
		slice.Batches[id] = batch
		batch.Waiting, batch.Acks = nil, nil
		return nil
	})
	return err
}

func readAuditOwners(ctx context.Context, tx pgx.Tx, tenant string, slice *audit.Slice) error {
	var (
		sagas, names []string
		of           []*audit.Saga
	)
	for i := range slice.Sagas {
		if row := &slice.Sagas[i]; row.Key != "" {
			sagas, names, of = append(sagas, row.Saga), append(names, row.Key), append(of, row)
		}
	}
	if len(of) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, sqlAuditOwners, tenant, sagas, names, len(of))
	if err != nil {
		return err
	}
	var (
		ord     int
		owner   audit.Owner
		created pgtype.Timestamptz
	)
	_, err = pgx.ForEachRow(rows, []any{&ord, (*[16]byte)(&owner.ID), &owner.Hash, &created}, func() error {
		own := owner
		own.CreatedAt = timeOf(created)
		of[ord-1].Owner = &own
		owner.Hash = nil
		return nil
	})
	return err
}

// AuditOutbox implements audit.Source.
func (s *Store) AuditOutbox(ctx context.Context, after saga.BatchID, limit int) (page audit.Outbox, err error) {
	err = s.snapshot(ctx, "read the outbox to audit", func(tx pgx.Tx) error {
		page = audit.Outbox{Sagas: map[saga.ID][]byte{}}
		if err := tx.QueryRow(ctx, sqlClock).Scan(&page.At); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, sqlAuditOutbox, uuid(after), limit)
		if err != nil {
			return err
		}
		page.Rows, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (out audit.OutboxRow, err error) {
			var retryAt pgtype.Timestamptz
			err = row.Scan((*[16]byte)(&out.Batch), &retryAt, &out.Waiting, &out.Records)
			out.RetryAt = timeOf(retryAt)
			return out, err
		})
		if err != nil {
			return err
		}
		var ids []saga.ID
		for i := range page.Rows {
			ids = append(ids, audit.RecordSagas(&page.Rows[i])...)
		}
		return readNamed(ctx, tx, ids, true, func(id saga.ID, _ audit.KeyOwner, instance []byte) { page.Sagas[id] = instance })
	})
	return page, err
}

// readNamed reads what is known of sagas, with their instances where they are asked for.
func readNamed(ctx context.Context, tx pgx.Tx, ids []saga.ID, instances bool, found func(saga.ID, audit.KeyOwner, []byte)) error {
	slices.SortFunc(ids, stored.CompareIDs)
	if ids = slices.Compact(ids); len(ids) == 0 {
		return nil
	}
	k := keysOf(ids)
	rows, err := tx.Query(ctx, sqlAuditNamed, append(k.args(), instances)...)
	if err != nil {
		return err
	}
	var (
		id       saga.ID
		owner    audit.KeyOwner
		instance []byte
	)
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &owner.Tenant, &owner.Saga, &owner.Key, &owner.Revision, &instance}, func() error {
		found(id, owner, instance)
		instance = nil
		return nil
	})
	return err
}

// AuditKeys implements audit.Source.
func (s *Store) AuditKeys(ctx context.Context, kind orchestrator.ClaimKind, tenant string, after audit.Key, limit int) (page audit.Keys, err error) {
	statement := map[orchestrator.ClaimKind]string{
		orchestrator.ClaimBusinessKey:    sqlAuditBusinessKeys,
		orchestrator.ClaimIdempotencyKey: sqlAuditIdempotencyKeys,
	}[kind]
	err = s.snapshot(ctx, fmt.Sprintf("read %s keys to audit", kind), func(tx pgx.Tx) error {
		page = audit.Keys{Sagas: map[saga.ID]audit.KeyOwner{}}
		rows, err := tx.Query(ctx, statement, tenant, after.Saga, after.Key, limit)
		if err != nil {
			return err
		}
		page.Keys, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (k audit.KeyRow, err error) {
			err = row.Scan(&k.Saga, &k.Key.Key, (*[16]byte)(&k.ID), &k.Hash, &k.Answer)
			return k, err
		})
		if err != nil {
			return err
		}
		var ids []saga.ID
		for i := range page.Keys {
			ids = append(ids, page.Keys[i].Named()...)
		}
		return readNamed(ctx, tx, ids, false, func(id saga.ID, owner audit.KeyOwner, _ []byte) { page.Sagas[id] = owner })
	})
	return page, err
}

// AuditHistory implements audit.Source.
func (s *Store) AuditHistory(ctx context.Context, from, to uint16, limit int) (ids []saga.ID, err error) {
	err = s.snapshot(ctx, "look for histories without a saga", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sqlAuditStrays, int16(from), int16(to), limit)
		if err != nil {
			return err
		}
		ids, err = pgx.CollectRows(rows, scanID)
		return err
	})
	return ids, err
}
