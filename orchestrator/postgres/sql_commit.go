package postgres

// The second round trip of a transaction, in this order. Locks are taken in the same order everywhere: sagas, outbox, keys,
// the end of an audit chain, the quarantine's quota.
const (
	sqlInsertSagas = `
INSERT INTO skald.sagas (
	shard, id, tenant, saga, version, key, status, revision, created_at, wake_at, labels, attention, causes, batches, instance,
	waits, verdict)
SELECT shard, id, tenant, saga, version, key, status, revision, created_at, wake_at, labels::jsonb,
	string_to_array(attention, ','), string_to_array(causes, ','), ($16::uuid[])[first:last], instance,
	string_to_array(waits, ','), verdict
FROM unnest($1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::bigint[],
	$9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::integer[], $15::integer[], $17::bytea[],
	$18::text[], $19::text[])
	AS u (
		shard, id, tenant, saga, version, key, status, revision, created_at, wake_at, labels, attention, causes, first, last, instance, waits,
		verdict)`

	sqlUpdateSagas = `
WITH changed AS (
	UPDATE skald.sagas AS s
	SET version = u.version,
		status = u.status,
		revision = u.revision,
		wake_at = u.wake_at,
		attention = string_to_array(u.attention, ','),
		causes = string_to_array(u.causes, ','),
		waits = string_to_array(u.waits, ','),
		verdict = u.verdict,
		batches = ($11::uuid[])[u.first:u.last],
		instance = u.instance
	FROM (
		SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::text[], $4::integer[], $5::text[], $6::bigint[], $7::timestamptz[],
			$8::text[], $9::text[], $10::integer[], $12::integer[], $13::bytea[], $17::text[], $18::text[]) LIMIT $16
	) AS u (shard, id, tenant, version, status, revision, wake_at, attention, causes, first, last, instance, waits, verdict)
	WHERE s.shard = u.shard
		AND s.id = u.id
		AND s.id BETWEEN $14 AND $15
		AND s.tenant = u.tenant
		AND s.revision = u.revision - 1
	RETURNING 1
)
SELECT skald.expect(count(*), $16) FROM changed`

	sqlInsertHistory = `
INSERT INTO skald.history (shard, saga_id, seq, batch, facts)
SELECT shard, saga_id, seq, $4, facts
FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $5::bytea[]) AS u (shard, saga_id, seq, facts)`

	// Fails where the batch was given up as lost (sqlFence).
	sqlInsertOutbox = `
INSERT INTO skald.outbox (batch, retry_at, tried, waiting, records)
VALUES ($1, skald.clock() + $2::interval, $3, $4, $5)`

	// For a batch without records: the INSERT above has told whether it was given up.
	sqlDeleteOutbox = `DELETE FROM skald.outbox WHERE batch = $1`

	// Rows that are gone were settled by another replica, with its receipts.
	sqlSettle = `
WITH gone AS (
	DELETE FROM skald.outbox WHERE batch = ANY ($1::uuid[]) RETURNING batch
)
INSERT INTO skald.receipts AS r (batch, acks)
SELECT u.batch, u.acks
FROM unnest($1::uuid[], $2::bytea[]) AS u (batch, acks)
JOIN gone ON gone.batch = u.batch
WHERE u.acks IS NOT NULL
ON CONFLICT (batch) DO UPDATE SET acks = r.acks || excluded.acks`

	// What was settled once stays settled, whoever else still waits for it.
	sqlSettlePart = `
WITH cut AS (
	UPDATE skald.outbox
	SET waiting = ARRAY(SELECT i FROM unnest(waiting) WITH ORDINALITY AS w (i, ord) WHERE i = ANY ($2::integer[]) ORDER BY ord)
	WHERE batch = $1
	RETURNING batch
)
INSERT INTO skald.receipts AS r (batch, acks)
SELECT batch, $3::bytea FROM cut WHERE $3::bytea IS NOT NULL
ON CONFLICT (batch) DO UPDATE SET acks = r.acks || excluded.acks`

	sqlDeleteSettled = `DELETE FROM skald.outbox WHERE batch = $1 AND waiting = '{}' AND retry_at < 'infinity'`

	sqlRekey = `
WITH changed AS (
	UPDATE skald.business_keys AS k
	SET id = u.new_id, hash = u.hash
	FROM (
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::bytea[]) LIMIT $7
	) AS u (tenant, saga, key, old_id, new_id, hash)
	WHERE k.tenant = u.tenant
		AND k.saga = u.saga
		AND k.key = u.key
		AND k.id = u.old_id
	RETURNING 1
)
SELECT skald.expect(count(*), $7) FROM changed`

	// Only of keys that this transaction won.
	sqlAnswer = `
WITH changed AS (
	UPDATE skald.idempotency_keys AS k
	SET answer = u.answer
	FROM (
		SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[]) LIMIT $4
	) AS u (tenant, key, answer)
	WHERE k.tenant = u.tenant
		AND k.key = u.key
		AND k.xmin = pg_current_xact_id()::xid
	RETURNING 1
)
SELECT skald.expect(count(*), $4) FROM changed`

	sqlAppendAudit = `SELECT skald.append_audit($1, $2, $3, $4, $5, $6, $7)`

	// The hour's quota counts what was offered, kept or not: so one row is enough to know, and nothing is added up.
	sqlQuarantine = `
WITH quota AS (
	INSERT INTO skald.quarantine_quota AS q (hour, bytes)
	VALUES (date_trunc('hour', skald.clock(), 'UTC'), $14)
	ON CONFLICT (hour) DO UPDATE SET bytes = q.bytes + excluded.bytes
	RETURNING bytes - $14 AS before
), offered AS (
	SELECT u.*, quota.before + sum(u.size) OVER (ORDER BY u.ord) <= $15 AS kept
	FROM quota, unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::bigint[],
		$8::timestamptz[], $9::bytea[], $10::bytea[], $11::bytea[], $12::bytea[], $13::integer[], $16::bigint[], $17::bytea[], $18::text[])
		WITH ORDINALITY AS u (tenant, saga_id, reason, message, topic, partition, record_offset, record_at, key, value, headers,
			sha256, bytes, size, token_sha256, fingerprint, ord)
)
INSERT INTO skald.quarantine (
	tenant, saga_id, reason, message, topic, partition, record_offset, record_at, key, value, headers, sha256, bytes, token_sha256,
	fingerprint)
SELECT tenant, saga_id, reason, message, topic, partition, record_offset, record_at,
	CASE WHEN kept THEN key END, CASE WHEN kept THEN value END, CASE WHEN kept THEN headers END, sha256, bytes, token_sha256,
	fingerprint
FROM offered
ORDER BY ord
ON CONFLICT DO NOTHING`

	sqlCommit = `COMMIT`
)
