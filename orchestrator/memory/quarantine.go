package memory

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
)

type quarantineRow struct {
	orchestrator.QuarantineEntry
	lock *tx // nil: nobody has it
}

func (r *quarantineRow) seenBy(tenant string) bool {
	return r.ID != 0 && (r.Tenant == tenant || r.Tenant == "" && tenant == stored.TenantDefault) // 0: it was removed
}

func (r *quarantineRow) matches(q *orchestrator.QuarantineQuery) bool {
	return r.seenBy(q.Tenant) &&
		(q.Fingerprint == "" || r.Fingerprint == q.Fingerprint) &&
		(q.Reason == "" || r.Reason == q.Reason) &&
		(q.Topic == "" || r.Topic == q.Topic) &&
		(q.Saga.IsZero() || r.Saga == q.Saga) &&
		(q.State == "" || r.Handling.State == q.State)
}

// quarantineKey tells a record that comes again from another one at the same place of a topic that was made anew.
type quarantineKey struct {
	topic     string
	partition int32
	offset    int64
	timestamp int64
}

func keyOfRecord(q *orchestrator.Quarantined) quarantineKey {
	return quarantineKey{q.Topic, q.Partition, q.Offset, q.Timestamp.UnixMicro()}
}

func checkQuarantine(records []orchestrator.Quarantined) error {
	for i := range records {
		for _, s := range []string{records[i].Reason, records[i].Message, records[i].Topic, records[i].Tenant} {
			if !stored.ValidText(s) {
				return fmt.Errorf("%w: quarantine: %q is no text", orchestrator.ErrData, s)
			}
		}
	}
	return nil
}

func (s *Store) quarantineLocked(records []orchestrator.Quarantined) {
	now := s.nowLocked()
	hour := now.Truncate(time.Hour)
	for i := range records {
		q := records[i]
		size := stored.QuarantineSize(&q)
		s.quota[hour] += size
		key := keyOfRecord(&q)
		if s.quarantined[key] {
			continue
		}
		s.quarantined[key] = true
		row := quarantineRow{QuarantineEntry: orchestrator.QuarantineEntry{
			ID:          int64(len(s.quarantine)) + 1,
			At:          now,
			Fingerprint: orchestrator.Fingerprint(q.Reason, q.Message, q.Topic),
			SHA256:      sha256.Sum256(q.Value),
			Bytes:       len(q.Value),
			Kept:        s.quota[hour] <= s.cfg.QuarantineBytes,
			Handling:    orchestrator.QuarantineHandling{State: orchestrator.QuarantineWaiting},
		}}
		q.Timestamp = q.Timestamp.UTC().Truncate(time.Microsecond)
		if !row.Kept {
			q.Key, q.Value, q.Headers = nil, nil, nil
		}
		q.Key, q.Value, q.Headers = slices.Clone(q.Key), slices.Clone(q.Value), slices.Clone(q.Headers)
		row.Quarantined = q
		s.quarantine = append(s.quarantine, row)
	}
}

// LockQuarantined implements orchestrator.Tx.
func (t *tx) LockQuarantined(_ context.Context, ids []int64) (map[int64]orchestrator.QuarantineHandling, error) {
	s := t.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.over {
		return nil, errOver
	}
	got := map[int64]orchestrator.QuarantineHandling{}
	for _, id := range ids {
		row := s.quarantineRowLocked(id)
		if row == nil || row.lock != nil && row.lock != t {
			continue
		}
		row.lock = t
		t.quarantined = append(t.quarantined, id)
		got[id] = row.Handling
	}
	return got, nil
}

// quarantineRowLocked is nil where there is none.
func (s *Store) quarantineRowLocked(id int64) *quarantineRow {
	if id < 1 || id > int64(len(s.quarantine)) || s.quarantine[id-1].ID == 0 {
		return nil
	}
	return &s.quarantine[id-1]
}

func (t *tx) checkHandledLocked(handled []orchestrator.QuarantineHandled) error {
	for i := range handled {
		h := &handled[i]
		row := t.store.quarantineRowLocked(h.ID)
		if row == nil || row.lock != nil && row.lock != t || row.Handling.State != orchestrator.QuarantineWaiting {
			return fmt.Errorf("%w: quarantined record %d does not wait", orchestrator.ErrConflict, h.ID)
		}
		texts := []string{string(h.Handling.State), string(h.Handling.Outcome), h.Handling.Why, h.Handling.By, h.Handling.Reason}
		if h.Cause != nil {
			texts = append(texts, h.Cause.Reason, h.Cause.Message)
		}
		for _, text := range texts {
			if !stored.ValidText(text) {
				return fmt.Errorf("%w: quarantined record %d: %q is no text", orchestrator.ErrData, h.ID, text)
			}
		}
	}
	return nil
}

func (s *Store) handleLocked(handled []orchestrator.QuarantineHandled) {
	for i := range handled {
		h, row := &handled[i], s.quarantineRowLocked(handled[i].ID)
		row.Handling = h.Handling
		row.Handling.At = h.Handling.At.UTC().Truncate(time.Microsecond)
		if h.Cause != nil {
			row.Reason, row.Message = h.Cause.Reason, h.Cause.Message
			row.Fingerprint = orchestrator.Fingerprint(row.Reason, row.Message, row.Topic)
		}
	}
}

// Quarantine implements orchestrator.QuarantineReader.
func (s *Store) Quarantine(_ context.Context, q orchestrator.QuarantineQuery) ([]orchestrator.QuarantineEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []orchestrator.QuarantineEntry
	add := func(row *quarantineRow) bool {
		if row.matches(&q) && (q.Before == 0 || row.ID < q.Before) {
			e := row.QuarantineEntry
			e.Key, e.Value, e.Headers = nil, nil, nil
			entries = append(entries, e)
		}
		return len(entries) < q.Limit
	}
	if q.OldestFirst {
		for i := range s.quarantine {
			if !add(&s.quarantine[i]) {
				break
			}
		}
		return entries, nil
	}
	for i := len(s.quarantine) - 1; i >= 0; i-- {
		if !add(&s.quarantine[i]) {
			break
		}
	}
	return entries, nil
}

// QuarantineRecord implements orchestrator.QuarantineReader.
func (s *Store) QuarantineRecord(_ context.Context, tenant string, id int64) (orchestrator.QuarantineEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.quarantineRowLocked(id)
	if row == nil || !row.seenBy(tenant) {
		return orchestrator.QuarantineEntry{}, fmt.Errorf("quarantined record %d: %w", id, orchestrator.ErrNotFound)
	}
	return row.QuarantineEntry, nil
}

// QuarantineGroups implements orchestrator.QuarantineReader.
func (s *Store) QuarantineGroups(_ context.Context, q orchestrator.QuarantineQuery) ([]orchestrator.QuarantineGroup, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var groups []orchestrator.QuarantineGroup
	for i := len(s.quarantine) - 1; i >= 0; i-- {
		row := &s.quarantine[i]
		if !row.matches(&q) {
			continue
		}
		at := slices.IndexFunc(groups, func(g orchestrator.QuarantineGroup) bool { return g.Fingerprint == row.Fingerprint })
		if at < 0 {
			at = len(groups)
			groups = append(groups, orchestrator.QuarantineGroup{
				Fingerprint: row.Fingerprint, Reason: row.Reason, Topic: row.Topic, Message: row.Message, Last: row.At, Example: row.ID,
			})
		}
		groups[at].Count++
		groups[at].First = row.At
	}
	return groups[:min(len(groups), q.Limit)], nil
}
