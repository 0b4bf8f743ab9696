package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

var _ audit.Store = (*Store)(nil)

// AuditScope implements audit.Source.
func (s *Store) AuditScope(context.Context) (audit.Scope, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tenants := map[string]bool{}
	for row := range maps.Values(s.sagas) {
		tenants[row.tenant] = true
	}
	for key := range s.keys {
		tenants[key.tenant] = true
	}
	for tenant := range s.audit {
		tenants[tenant] = true
	}
	return audit.Scope{Tenants: slices.Sorted(maps.Keys(tenants))}, nil
}

// AuditSagas implements audit.Source.
func (s *Store) AuditSagas(_ context.Context, q audit.SagaQuery) (audit.Slice, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.nowLocked()
	slice := audit.Slice{At: now, ReceiptsSince: now.Add(-s.cfg.KeepReceipts), Batches: map[saga.BatchID]audit.Batch{}}
	var ids []saga.ID
	for id, row := range s.sagas {
		if row.tenant == q.Tenant && stored.CompareIDs(id, q.After) > 0 && (q.ID.IsZero() || id == q.ID) &&
			(q.Saga == "" || row.saga == q.Saga) && !row.createdAt.Before(q.CreatedSince) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, stored.CompareIDs)
	for _, id := range ids {
		row, err := s.auditRowLocked(id)
		if err != nil {
			return slice, err
		}
		if q.Version != 0 && row.Version != q.Version {
			continue
		}
		if len(slice.Sagas) == q.Limit {
			break
		}
		slice.Sagas = append(slice.Sagas, row)
		for _, batch := range row.Batches {
			s.auditBatchLocked(&slice, batch)
		}
		for _, fact := range row.Facts {
			s.auditBatchLocked(&slice, fact.Batch)
		}
	}
	return slice, nil
}

func (s *Store) auditRowLocked(id saga.ID) (audit.Saga, error) {
	row := s.sagas[id]
	in, err := saga.DecodeInstance(row.bytes) // for the version, which nothing here has a column for
	if err != nil {
		return audit.Saga{}, err
	}
	out := audit.Saga{
		ID: id, Shard: id.Shard(), Tenant: row.tenant, Saga: row.saga, Version: in.Version, Key: row.key, Status: row.status, Revision: row.revision,
		CreatedAt: row.createdAt, WakeAt: row.wakeAt, Labels: row.labels, Attention: row.attention, Causes: row.causes, Waits: row.waits, Verdict: row.verdict, Batches: row.batches,
		Instance: row.bytes,
	}
	for i, fact := range s.history[id] {
		out.Facts = append(out.Facts, audit.Fact{Seq: int64(i) + 1, Batch: fact.batch, Bytes: fact.bytes})
	}
	if key := s.keys[claimKey{orchestrator.ClaimBusinessKey, row.tenant, row.saga, row.key}]; key != nil && row.key != "" {
		out.Owner = &audit.Owner{ID: key.id, Hash: slices.Clone(key.hash[:])}
		if owner := s.sagas[key.id]; owner != nil {
			out.Owner.CreatedAt = owner.createdAt
		}
	}
	return out, nil
}

func (s *Store) auditBatchLocked(slice *audit.Slice, id saga.BatchID) {
	b := audit.Batch{Acks: s.receipts[id]}
	if row := s.outbox[id]; row != nil {
		b.InOutbox, b.Waiting = true, slices.Clone(row.left)
	}
	if b.InOutbox || b.Acks != nil {
		slice.Batches[id] = b
	}
}

// AuditOutbox implements audit.Source.
func (s *Store) AuditOutbox(_ context.Context, after saga.BatchID, limit int) (audit.Outbox, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := audit.Outbox{At: s.nowLocked(), Sagas: map[saga.ID][]byte{}}
	for _, id := range slices.SortedFunc(maps.Keys(s.outbox), stored.CompareBatches) {
		if stored.CompareBatches(id, after) <= 0 {
			continue
		}
		if len(page.Rows) == limit {
			break
		}
		row := s.outbox[id]
		out := audit.OutboxRow{Batch: id, RetryAt: row.retryAt, Waiting: slices.Clone(row.left), Records: row.records}
		page.Rows = append(page.Rows, out)
		for _, named := range audit.RecordSagas(&out) {
			if owner := s.sagas[named]; owner != nil {
				page.Sagas[named] = owner.bytes
			}
		}
	}
	return page, nil
}

// AuditKeys implements audit.Source.
func (s *Store) AuditKeys(_ context.Context, kind orchestrator.ClaimKind, tenant string, after audit.Key, limit int) (audit.Keys, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := audit.Keys{Sagas: map[saga.ID]audit.KeyOwner{}}
	compare := func(a, b audit.Key) int { return cmp.Or(cmp.Compare(a.Saga, b.Saga), cmp.Compare(a.Key, b.Key)) }
	var keys []audit.Key
	for key := range s.keys {
		if k := (audit.Key{Saga: key.saga, Key: key.key}); key.kind == kind && key.tenant == tenant && compare(k, after) > 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, compare)
	for _, k := range keys[:min(limit, len(keys))] {
		row := s.keys[claimKey{kind, tenant, k.Saga, k.Key}]
		out := audit.KeyRow{Key: k, ID: row.id, Hash: slices.Clone(row.hash[:]), Answer: row.answer}
		page.Keys = append(page.Keys, out)
		for _, named := range out.Named() {
			if owner := s.sagas[named]; owner != nil {
				page.Sagas[named] = audit.KeyOwner{Tenant: owner.tenant, Saga: owner.saga, Key: owner.key, Revision: owner.revision}
			}
		}
	}
	return page, nil
}

// AuditHistory implements audit.Source.
func (s *Store) AuditHistory(_ context.Context, from, to uint16, limit int) ([]saga.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []saga.ID
	for id := range s.history {
		if s.sagas[id] == nil && id.Shard() >= from && id.Shard() <= to {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, stored.CompareIDs)
	return ids[:min(limit, len(ids))], nil
}
