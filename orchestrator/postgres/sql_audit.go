package postgres

// What the audit reads. Each page is a few statements in one snapshot. They go by keys alone, so that a page costs the same
// however large the tables are.
const (
	// Each tenant is found by a step over the index.
	sqlAuditTenants = `
WITH RECURSIVE of_sagas AS (
	(SELECT tenant FROM skald.sagas ORDER BY tenant LIMIT 1)
	UNION ALL
	SELECT (SELECT s.tenant FROM skald.sagas AS s WHERE s.tenant > t.tenant ORDER BY s.tenant LIMIT 1)
	FROM of_sagas AS t
	WHERE t.tenant IS NOT NULL
), of_business_keys AS (
	(SELECT tenant FROM skald.business_keys ORDER BY tenant LIMIT 1)
	UNION ALL
	SELECT (SELECT k.tenant FROM skald.business_keys AS k WHERE k.tenant > t.tenant ORDER BY k.tenant LIMIT 1)
	FROM of_business_keys AS t
	WHERE t.tenant IS NOT NULL
), of_idempotency_keys AS (
	(SELECT tenant FROM skald.idempotency_keys ORDER BY tenant LIMIT 1)
	UNION ALL
	SELECT (SELECT k.tenant FROM skald.idempotency_keys AS k WHERE k.tenant > t.tenant ORDER BY k.tenant LIMIT 1)
	FROM of_idempotency_keys AS t
	WHERE t.tenant IS NOT NULL
)
SELECT tenant COLLATE "C" FROM (
	SELECT tenant FROM of_sagas
	UNION
	SELECT tenant FROM of_business_keys
	UNION
	SELECT tenant FROM of_idempotency_keys
	UNION
	SELECT tenant FROM skald.audit_heads
) AS t
WHERE tenant IS NOT NULL
ORDER BY 1`

	// Weeks are detached from the oldest on.
	sqlAuditSince = `
SELECT min(to_timestamp(right(c.relname, 8), 'YYYYMMDD'))
FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'skald.sagas'::regclass AND NOT i.inhdetachpending`

	sqlAuditSagas = `
SELECT s.shard, s.id, s.tenant, s.saga, s.version, s.key, s.status, s.revision, s.created_at, s.wake_at, s.labels::text,
	s.attention, s.causes, s.waits, coalesce(s.verdict, ''), s.batches, s.instance
FROM skald.sagas AS s
WHERE s.tenant = $1
	AND s.id > $2
	AND ($3 = '' OR s.saga = $3)
	AND ($4 = 0 OR s.version = $4)
	AND ($5::timestamptz IS NULL OR s.created_at >= $5)
ORDER BY s.id
LIMIT $6`

	sqlAuditSaga = `
SELECT s.shard, s.id, s.tenant, s.saga, s.version, s.key, s.status, s.revision, s.created_at, s.wake_at, s.labels::text,
	s.attention, s.causes, s.waits, coalesce(s.verdict, ''), s.batches, s.instance
FROM skald.sagas AS s
WHERE s.tenant = $1 AND s.id = $2`

	sqlAuditHistory = `
SELECT h.saga_id, h.seq, h.batch, h.facts
FROM (
	SELECT * FROM unnest($1::smallint[], $2::uuid[]) LIMIT $5
) AS n (shard, id)
JOIN skald.history AS h ON h.shard = n.shard AND h.saga_id = n.id
WHERE h.saga_id BETWEEN $3 AND $4
ORDER BY h.saga_id, h.seq`

	sqlAuditBatches = `
SELECT b.batch, o.batch IS NOT NULL, o.waiting, r.acks
FROM (
	SELECT * FROM unnest($1::uuid[]) LIMIT $4
) AS b (batch)
LEFT JOIN skald.outbox AS o ON o.batch = b.batch
LEFT JOIN skald.receipts AS r ON r.batch = b.batch AND r.batch BETWEEN $2 AND $3
WHERE o.batch IS NOT NULL OR r.batch IS NOT NULL`

	// Who has a business key, with the time at which that saga was made.
	sqlAuditOwners = `
SELECT n.ord, k.id, k.hash, (SELECT s.created_at FROM skald.sagas AS s WHERE s.tenant = k.tenant AND s.id = k.id)
FROM (
	SELECT * FROM unnest($2::text[], $3::text[]) WITH ORDINALITY LIMIT $4
) AS n (saga, key, ord)
JOIN skald.business_keys AS k ON k.tenant = $1 AND k.saga = n.saga AND k.key = n.key`

	sqlAuditOutbox = `
SELECT batch, nullif(retry_at, 'infinity'), waiting, records
FROM skald.outbox
WHERE batch > $1
ORDER BY batch
LIMIT $2`

	sqlAuditNamed = `
SELECT s.id, s.tenant, s.saga, s.key, s.revision, CASE WHEN $6 THEN s.instance END
FROM (
	SELECT * FROM unnest($1::smallint[], $2::uuid[]) LIMIT $5
) AS n (shard, id)
JOIN skald.sagas AS s ON s.shard = n.shard AND s.id = n.id
WHERE s.id BETWEEN $3 AND $4`

	sqlAuditBusinessKeys = `
SELECT saga, key, id, hash, NULL::bytea
FROM skald.business_keys
WHERE tenant = $1 AND (saga, key) > ($2, $3)
ORDER BY saga, key
LIMIT $4`

	sqlAuditIdempotencyKeys = `
SELECT '', key, id, hash, answer
FROM skald.idempotency_keys
WHERE tenant = $1 AND $2 = '' AND key > $3
ORDER BY key
LIMIT $4`

	// Histories without a saga. Both are read along their primary keys.
	sqlAuditStrays = `
SELECT DISTINCT h.saga_id
FROM skald.history AS h
WHERE h.shard BETWEEN $1 AND $2
	AND NOT EXISTS (SELECT FROM skald.sagas AS s WHERE s.shard = h.shard AND s.id = h.saga_id)
ORDER BY h.saga_id
LIMIT $3`
)
