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

	// Rows that somebody else has locked are left out, and so is, now and then, one that was changed after the statement began:
	// what is not got here is judged by the next statement.
	sqlLoad = `
SELECT s.id, s.wake_at, s.instance
FROM (
	SELECT * FROM unnest($1::smallint[], $2::uuid[]) LIMIT $5
) AS n (shard, id)
JOIN skald.sagas AS s ON s.shard = n.shard AND s.id = n.id
WHERE s.id BETWEEN $3 AND $4
FOR UPDATE OF s SKIP LOCKED`

	// Which of the sagas are there (id), and what is known of the batches of their open commands (the rest). A statement of its
	// own, after the load: the load's snapshot may be older than the version of a row that it locked. Asked in the same statement
	// as the load, PostgreSQL 18 was seen to miss a row that is there when another transaction changed it meanwhile.
	sqlLoadBatches = `
WITH found AS MATERIALIZED (
	SELECT s.id, s.batches
	FROM (
		SELECT * FROM unnest($1::smallint[], $2::uuid[]) LIMIT $5
	) AS n (shard, id)
	JOIN skald.sagas AS s ON s.shard = n.shard AND s.id = n.id
	WHERE s.id BETWEEN $3 AND $4
)
SELECT NULL::uuid AS id, b.batch, o.waiting, r.acks
FROM (SELECT DISTINCT unnest(batches) AS batch FROM found) AS b
LEFT JOIN skald.outbox AS o ON o.batch = b.batch
LEFT JOIN skald.receipts AS r ON r.batch = b.batch
UNION ALL
SELECT id, NULL, NULL, NULL FROM found`

	// Read last, when all locks are held: an event is never earlier than what it follows (S21).
	sqlClock = `SELECT skald.clock()`

	sqlRollback = `ROLLBACK`
)
