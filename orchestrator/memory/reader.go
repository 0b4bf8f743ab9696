package memory

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Saga implements orchestrator.Reader.
func (s *Store) Saga(_ context.Context, tenant string, id saga.ID) (orchestrator.View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.sagas[id]
	if row == nil || row.tenant != tenant {
		return orchestrator.View{}, orchestrator.ErrNotFound
	}
	return s.viewLocked(row)
}

func (s *Store) viewLocked(row *sagaRow) (orchestrator.View, error) {
	in, sent, err := s.decodeLocked(row)
	return orchestrator.View{Instance: in, WakeAt: row.wakeAt, Sent: sent}, err
}

// Sagas implements orchestrator.Reader. No count takes it long.
func (s *Store) Sagas(_ context.Context, q orchestrator.SagaQuery) (orchestrator.SagaPage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []saga.ID
	for id, row := range s.sagas {
		if s.matchesLocked(id, row, &q) {
			ids = append(ids, id)
		}
	}
	order := func(a, b saga.ID) int { return stored.CompareIDs(b, a) }
	if q.OldestFirst {
		order = stored.CompareIDs
	}
	slices.SortFunc(ids, order)
	page := orchestrator.SagaPage{}
	if q.Count {
		page.Count, page.Exact = int64(len(ids)), true
		if q.CountMost > 0 && page.Count > q.CountMost {
			page.Count, page.Exact = q.CountMost, false
		}
	}
	for _, id := range ids {
		if !q.Past.IsZero() && order(id, q.Past) <= 0 {
			continue
		}
		if len(page.Sagas) == q.Limit {
			page.Next = page.Sagas[len(page.Sagas)-1].Instance.ID
			break
		}
		view, err := s.viewLocked(s.sagas[id])
		if err != nil {
			return page, err
		}
		page.Sagas = append(page.Sagas, view)
	}
	return page, nil
}

func (s *Store) matchesLocked(id saga.ID, row *sagaRow, q *orchestrator.SagaQuery) bool {
	for k, v := range q.Labels {
		if got, ok := row.labels[k]; !ok || got != v {
			return false
		}
	}
	return row.tenant == q.Tenant &&
		(len(q.IDs) == 0 || slices.Contains(q.IDs, id)) &&
		(q.Saga == "" || row.saga == q.Saga) &&
		(q.Version == 0 || row.version == q.Version) &&
		(q.Verdict == "" || row.verdict == string(q.Verdict)) &&
		(q.Key == "" || row.key == q.Key) &&
		(len(q.Statuses) == 0 || slices.Contains(q.Statuses, row.status)) &&
		(q.Attention == "" || q.Attention == "any" && len(row.attention) > 0 || slices.Contains(row.attention, q.Attention)) &&
		(q.Participant == "" || slices.ContainsFunc(row.waits, func(w string) bool { return strings.HasSuffix(w, " "+q.Participant) })) &&
		(q.BlockedOn == "" || slices.Contains(s.causesLocked(row), q.BlockedOn)) &&
		(q.CreatedAfter.IsZero() || row.createdAt.After(q.CreatedAfter)) &&
		(q.CreatedBefore.IsZero() || row.createdAt.Before(q.CreatedBefore))
}

// causesLocked tells `unpublished` from `reply` by the outbox (see stored.Causes).
func (s *Store) causesLocked(row *sagaRow) []saga.Cause {
	var causes []saga.Cause
	for _, c := range row.causes {
		if c != string(saga.CauseReply) {
			causes = append(causes, saga.Cause(c))
			continue
		}
		waiting := slices.ContainsFunc(row.batches, func(b saga.BatchID) bool { return s.outbox[b] != nil })
		published := slices.ContainsFunc(row.batches, func(b saga.BatchID) bool { return s.outbox[b] == nil })
		if waiting {
			causes = append(causes, saga.CauseUnpublished)
		}
		if published || !waiting {
			causes = append(causes, saga.CauseReply)
		}
	}
	return causes
}

// History implements orchestrator.Reader.
func (s *Store) History(_ context.Context, tenant string, id saga.ID, after int64, limit int) ([]orchestrator.HistoryEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row := s.sagas[id]; row == nil || row.tenant != tenant {
		return nil, orchestrator.ErrNotFound
	}
	rows := s.history[id]
	rows = rows[min(max(after, 0), int64(len(rows))):]
	entries := make([]orchestrator.HistoryEntry, 0, min(limit, len(rows)))
	for _, row := range rows[:min(limit, len(rows))] {
		fact, err := saga.DecodeFact(row.bytes)
		if err != nil {
			return nil, err
		}
		acks, err := stored.DecodeAcks(s.receipts[row.batch])
		if err != nil {
			return nil, err
		}
		entries = append(entries, stored.HistoryEntry(fact, row.batch, acks))
	}
	return entries, nil
}

// Revisions implements orchestrator.Reader.
func (s *Store) Revisions(_ context.Context, ids []saga.ID) (map[saga.ID]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	revisions := make(map[saga.ID]int64, len(ids))
	for _, id := range ids {
		if row := s.sagas[id]; row != nil {
			revisions[id] = row.revision
		}
	}
	return revisions, nil
}

// Stats implements orchestrator.Reader.
func (s *Store) Stats(_ context.Context, tenant string) (orchestrator.Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := orchestrator.Stats{
		ByStatus:     map[saga.Status]int64{},
		ByCause:      map[saga.Cause]int64{},
		ByDefinition: map[string]int64{},

		ByParticipant: map[string]orchestrator.ParticipantStats{},
	}
	for row := range maps.Values(s.sagas) {
		if row.tenant != tenant || row.wakeAt.IsZero() {
			continue
		}
		stats.Live++
		stats.ByStatus[row.status]++
		stats.ByDefinition[row.saga]++
		stored.AddWaits(&stats, row.waits, 1)
		for _, c := range s.causesLocked(row) {
			stats.ByCause[c]++
		}
		if len(row.attention) > 0 {
			stats.WithAttention++
		}
	}
	for i := range s.quarantine {
		if row := &s.quarantine[i]; row.seenBy(tenant) && row.Handling.State == orchestrator.QuarantineWaiting {
			stats.Quarantined++
		}
	}
	return stats, nil
}

// Maintain implements orchestrator.Store. There are no partitions; they are said to reach four weeks ahead.
func (s *Store) Maintain(context.Context) (orchestrator.Maintained, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.nowLocked()
	done := orchestrator.Maintained{Ran: true, PartitionsUntil: now.Add(4 * 7 * 24 * time.Hour)}
	for key, row := range s.keys {
		if key.kind == orchestrator.ClaimIdempotencyKey && !row.at.After(now.Add(-s.cfg.KeepKeys)) {
			delete(s.keys, key)
			done.KeysRemoved++
		}
	}
	for batch := range s.receipts {
		if batchTime(batch).Before(now.Add(-s.cfg.KeepReceipts)) {
			delete(s.receipts, batch)
			done.ReceiptsRemoved++
		}
	}
	s.removeHandledLocked(now.Add(-s.cfg.KeepHandled), &done)
	return done, nil
}

// removeHandledLocked leaves an empty row where there was one: its id is its place.
func (s *Store) removeHandledLocked(before time.Time, done *orchestrator.Maintained) {
	for i, row := range s.operations {
		if !row.EndedAt.IsZero() && !row.EndedAt.After(before) {
			s.operations[i] = &operationRow{}
			done.OperationsRemoved++
		}
	}
	for i := range s.quarantine {
		row := &s.quarantine[i]
		if h := &row.Handling; row.ID != 0 && row.lock == nil && h.State != orchestrator.QuarantineWaiting && !h.At.After(before) {
			delete(s.quarantined, keyOfRecord(&row.Quarantined))
			s.quarantine[i] = quarantineRow{}
			done.QuarantineRemoved++
		}
	}
}

func batchTime(id saga.BatchID) time.Time { return saga.ID(id).Time() }
