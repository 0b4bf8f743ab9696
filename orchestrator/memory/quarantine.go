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

type quarantineRow struct{ orchestrator.QuarantineEntry }

func (r *quarantineRow) seenBy(tenant string) bool {
	return r.Tenant == tenant || r.Tenant == "" && tenant == stored.TenantDefault
}

// quarantineKey tells a record that comes again from another one at the same place of a topic that was made anew.
type quarantineKey struct {
	topic     string
	partition int32
	offset    int64
	timestamp int64
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
		key := quarantineKey{q.Topic, q.Partition, q.Offset, q.Timestamp.UnixMicro()}
		if s.quarantined[key] {
			continue
		}
		s.quarantined[key] = true
		row := quarantineRow{orchestrator.QuarantineEntry{
			ID:     int64(len(s.quarantine)) + 1,
			At:     now,
			SHA256: sha256.Sum256(q.Value),
			Bytes:  len(q.Value),
		}}
		q.Timestamp = q.Timestamp.UTC().Truncate(time.Microsecond)
		if s.quota[hour] > s.cfg.QuarantineBytes {
			q.Key, q.Value, q.Headers = nil, nil, nil
		}
		q.Key, q.Value, q.Headers = slices.Clone(q.Key), slices.Clone(q.Value), slices.Clone(q.Headers)
		row.Quarantined = q
		s.quarantine = append(s.quarantine, row)
	}
}

// Quarantine implements orchestrator.Reader. Records whose tenant is not known are shown to tenant `default`.
func (s *Store) Quarantine(_ context.Context, tenant string, before int64, limit int) ([]orchestrator.QuarantineEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []orchestrator.QuarantineEntry
	for i := len(s.quarantine) - 1; i >= 0 && len(entries) < limit; i-- {
		row := &s.quarantine[i]
		if row.seenBy(tenant) && (before == 0 || row.ID < before) {
			entries = append(entries, row.QuarantineEntry)
		}
	}
	return entries, nil
}
