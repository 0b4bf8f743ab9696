package postgres

// The first round trip of a transaction.
//
// Where a table is joined to arrays, these have a LIMIT of their length. It takes nothing away. The planner does not know how
// long an array will be and guesses ten rows, and joins ten rows to a table that is still small by reading a whole range of it;
// of a LIMIT it expects a single row, and looks each one up by its key, which is right for any size.
const (
	sqlBegin = `BEGIN ISOLATION LEVEL READ COMMITTED`

	// Somebody's long transaction must not stall the committer. Nothing else in the transaction waits for long either.
	sqlShortLocks = `SET LOCAL lock_timeout = '100ms'`

	// The rows come sorted, so that two transactions never wait for each other.
	sqlClaimBusinessKeys = `
INSERT INTO skald.business_keys (tenant, saga, key, id, hash)
SELECT tenant, saga, key, id, hash
FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::bytea[])
	WITH ORDINALITY AS u (tenant, saga, key, id, hash, ord)
ORDER BY ord
ON CONFLICT DO NOTHING`

	sqlClaimIdempotencyKeys = `
INSERT INTO skald.idempotency_keys (tenant, key, id, hash)
SELECT tenant, key, id, hash
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bytea[])
	WITH ORDINALITY AS u (tenant, key, id, hash, ord)
ORDER BY ord
ON CONFLICT DO NOTHING`

	// A statement of its own: it sees what was committed while the INSERT waited. xmin tells the rows that this transaction
	// inserted.
	sqlReadBusinessKeys = `
SELECT u.ord, k.id, k.hash, k.xmin = pg_current_xact_id()::xid
FROM (
	SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY LIMIT $4
) AS u (tenant, saga, key, ord)
JOIN skald.business_keys AS k ON k.tenant = u.tenant AND k.saga = u.saga AND k.key = u.key
ORDER BY u.ord`

	sqlReadIdempotencyKeys = `
SELECT u.ord, k.id, k.hash, k.answer, k.xmin = pg_current_xact_id()::xid
FROM (
	SELECT * FROM unnest($1::text[], $2::text[]) WITH ORDINALITY LIMIT $3
) AS u (tenant, key, ord)
JOIN skald.idempotency_keys AS k ON k.tenant = u.tenant AND k.key = u.key
ORDER BY u.ord`

	// A row for every id asked for: locked and read; or there but locked by somebody else (true); or not there (false).
	sqlLoad = `
SELECT n.id, s.wake_at, s.instance,
	CASE WHEN s.instance IS NULL THEN EXISTS (
		SELECT FROM skald.sagas AS x
		WHERE x.shard = n.shard AND x.id = n.id AND x.id BETWEEN $3 AND $4
		OFFSET 0 -- else it may be answered by reading the whole range
	) END
FROM (
	SELECT * FROM unnest($1::smallint[], $2::uuid[]) LIMIT $5
) AS n (shard, id)
LEFT JOIN LATERAL (
	SELECT wake_at, instance
	FROM skald.sagas
	WHERE shard = n.shard AND id = n.id AND id BETWEEN $3 AND $4
	FOR UPDATE SKIP LOCKED
) AS s ON true`

	// What is known of the batches of the sagas' open commands. A statement of its own, after the load: the load's snapshot may
	// be older than the version of a row that it locked.
	sqlLoadBatches = `
SELECT b.batch, o.waiting, r.acks
FROM (
	SELECT DISTINCT unnest(s.batches) AS batch
	FROM (
		SELECT * FROM unnest($1::smallint[], $2::uuid[]) LIMIT $5
	) AS n (shard, id)
	JOIN skald.sagas AS s ON s.shard = n.shard AND s.id = n.id
	WHERE s.id BETWEEN $3 AND $4
) AS b
LEFT JOIN skald.outbox AS o ON o.batch = b.batch
LEFT JOIN skald.receipts AS r ON r.batch = b.batch`

	// Read last, when all locks are held: an event is never earlier than what it follows (S21).
	sqlClock = `SELECT skald.clock()`

	sqlHoldsInForce = `
SELECT tenant, scope, name, version, from_at, to_at, reason
FROM skald.holds
WHERE to_at IS NULL OR to_at > skald.clock() - interval '30 days'
ORDER BY id`

	sqlRollback = `ROLLBACK`
)
