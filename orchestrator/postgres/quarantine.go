package postgres

import (
	"context"
	"crypto/sha256"
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
		tenants, reasons, messages, topics []string
		ids                                uuids
		partitions, bytes                  []int32
		offsets, sizes                     []int64
		at                                 times
		keys, values, headers, hashes      [][]byte
		offered                            int64
	)
	for i := range records {
		q := &records[i]
		hash := sha256.Sum256(q.Value)
		tenants, reasons = append(tenants, q.Tenant), append(reasons, q.Reason)
		messages, topics = append(messages, q.Message), append(topics, q.Topic)
		ids = append(ids, uuidOrNull(q.Saga))
		partitions, offsets = append(partitions, q.Partition), append(offsets, q.Offset)
		at = append(at, timestamp(q.Timestamp))
		keys = append(keys, stored.EncodePlain(q.Key))
		values = append(values, stored.EncodePlain(q.Value))
		headers = append(headers, stored.EncodeHeaders(q.Headers))
		hashes, bytes = append(hashes, hash[:]), append(bytes, int32(len(q.Value)))
		size := stored.QuarantineSize(q)
		sizes, offered = append(sizes, size), offered+size
	}
	b.Queue(sqlQuarantine, tenants, ids, reasons, messages, topics, partitions, offsets, at, keys, values, headers, hashes, bytes,
		offered, quota, sizes)
}

// seenBy are the tenants whose quarantined records a tenant sees: its own, and the operator's also those of nobody.
func seenBy(tenant string) []string {
	if tenant == stored.TenantDefault {
		return []string{tenant, ""}
	}
	return []string{tenant}
}

// Quarantine implements orchestrator.Reader. Records whose tenant is not known are shown to tenant `default`.
func (s *Store) Quarantine(ctx context.Context, tenant string, before int64, limit int) ([]orchestrator.QuarantineEntry, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	rows, err := s.cfg.API.Query(ctx, sqlListQuarantine, seenBy(tenant), before, limit)
	if err != nil {
		return nil, translate("list quarantine", err)
	}
	entries, err := pgx.CollectRows(rows, scanQuarantined)
	return entries, translate("list quarantine", err)
}

func scanQuarantined(row pgx.CollectableRow) (e orchestrator.QuarantineEntry, err error) {
	var (
		id                        pgtype.UUID
		at, recordAt              pgtype.Timestamptz
		key, value, headers, hash []byte
	)
	err = row.Scan(&e.ID, &at, &e.Tenant, &id, &e.Reason, &e.Message, &e.Topic, &e.Partition, &e.Offset, &recordAt,
		&key, &value, &headers, &hash, &e.Bytes)
	if err != nil {
		return e, err
	}
	e.At, e.Timestamp, e.Saga = timeOf(at), timeOf(recordAt), saga.ID(id.Bytes)
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
