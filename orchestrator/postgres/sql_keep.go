package postgres

// What is asked and done between the committer's transactions.
const (
	// Says that a batch is given up as lost: its own INSERT into the outbox can't succeed any more. It waits for a commit that
	// is still under way.
	sqlFence = `
INSERT INTO skald.outbox (batch, retry_at, tried, waiting, records)
VALUES ($1, 'infinity', false, '{}', '')
ON CONFLICT DO NOTHING`

	// Writes without changing anything (see Committed).
	sqlTouchOutbox = `UPDATE skald.outbox SET retry_at = retry_at WHERE batch = $1`

	sqlCommitted = `
SELECT EXISTS (
	SELECT FROM skald.history WHERE shard = $1 AND saga_id = $2 AND seq = $3 AND batch = $4
)`

	sqlDue = `
SELECT id
FROM skald.sagas
WHERE wake_at <= (SELECT skald.clock())
ORDER BY wake_at, id
LIMIT $1
FOR UPDATE SKIP LOCKED`

	sqlTakeOverdue = `
WITH due AS (
	SELECT batch, tried
	FROM skald.outbox
	WHERE retry_at <= (SELECT skald.clock())
	ORDER BY retry_at, batch
	LIMIT $1
	FOR UPDATE SKIP LOCKED
)
UPDATE skald.outbox AS o
SET retry_at = skald.clock() + $2::interval, tried = true
FROM due
WHERE o.batch = due.batch
RETURNING o.batch, o.waiting, o.records, due.tried`

	sqlOutboxDepth = `
SELECT count(*) FROM (SELECT FROM skald.outbox WHERE retry_at < 'infinity' LIMIT $1) AS o`

	// The first entry of an index each: the longest overdue saga, and the oldest batch, whose id begins with its time.
	sqlLateness = `
SELECT
	clock_timestamp(),
	(SELECT min(wake_at) FROM skald.sagas WHERE wake_at IS NOT NULL),
	(SELECT batch FROM skald.outbox WHERE retry_at < 'infinity' ORDER BY batch LIMIT 1)`

	// The keeper's lock: at most one replica is at it.
	sqlTryKeep = `SELECT pg_try_advisory_xact_lock(x'736b616c6b'::bigint)`

	sqlMakePartitions = `SELECT made, until FROM skald.make_partitions(4)`

	sqlRemoveKeys = `
DELETE FROM skald.idempotency_keys
WHERE (tenant, key) IN (
	SELECT tenant, key FROM skald.idempotency_keys
	WHERE at <= (SELECT skald.clock()) - $1::interval
	ORDER BY at
	LIMIT $2
	FOR UPDATE SKIP LOCKED
)`

	sqlRemoveReceipts = `
DELETE FROM skald.receipts
WHERE batch IN (
	SELECT batch FROM skald.receipts
	WHERE batch < skald.uuid_at((SELECT skald.clock()) - $1::interval)
	ORDER BY batch
	LIMIT $2
)`

	// Whoever was given up as lost an hour ago is gone: a session idle in its transaction is ended after seconds.
	sqlRemoveFences = `
DELETE FROM skald.outbox
WHERE retry_at = 'infinity' AND batch < skald.uuid_at((SELECT skald.clock()) - interval '1 hour')`

	// The outcomes of an operation leave before it does, so that no transaction removes more than a slice.
	sqlRemoveOutcomes = `
DELETE FROM skald.operation_sagas
WHERE (operation_id, saga_id) IN (
	SELECT s.operation_id, s.saga_id
	FROM skald.operations AS o
	JOIN skald.operation_sagas AS s ON s.operation_id = o.id
	WHERE o.ended_at <= (SELECT skald.clock()) - $1::interval
	LIMIT $2
)`

	sqlRemoveOperations = `
DELETE FROM skald.operations
WHERE id IN (
	SELECT o.id
	FROM skald.operations AS o
	WHERE o.ended_at <= (SELECT skald.clock()) - $1::interval
		AND NOT EXISTS (SELECT FROM skald.operation_sagas AS s WHERE s.operation_id = o.id)
	LIMIT $2
)`

	// By the primary key: the oldest come first, and what waits for a person is never removed.
	sqlRemoveQuarantine = `
DELETE FROM skald.quarantine
WHERE id IN (
	SELECT id
	FROM skald.quarantine
	WHERE state <> 'waiting' AND handled_at <= (SELECT skald.clock()) - $1::interval
	ORDER BY id
	LIMIT $2
	FOR UPDATE SKIP LOCKED
)`

	sqlRemoveQuotas = `DELETE FROM skald.quarantine_quota WHERE hour < skald.clock() - interval '1 day'`
)

const (
	// The least of the three tables counts. A partition's name is the Monday that it begins with.
	sqlPartitionsUntil = `
SELECT min(until) FROM (
	SELECT max(to_timestamp(right(c.relname, 8), 'YYYYMMDD')) + interval '1 week' AS until
	FROM (VALUES ('sagas'), ('history'), ('receipts')) AS p (parent)
	LEFT JOIN pg_inherits AS i ON i.inhparent = ('skald.' || p.parent)::regclass
	LEFT JOIN pg_class AS c ON c.oid = i.inhrelid
	GROUP BY p.parent
) AS t`

	// The partitions of a table that end at or before $2, oldest first. CASE, because names of other tables that are no time may be
	// read before the join leaves them out.
	sqlOldPartitions = `
SELECT c.relname::text
FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = ('skald.' || $1::text)::regclass
	AND CASE WHEN c.relname ~ '_[0-9]{8}$' THEN to_timestamp(right(c.relname, 8), 'YYYYMMDD') + interval '1 week' <= $2 END
ORDER BY c.relname`

	// Whether a partition is attached, and whether detaching it was begun.
	sqlAttached = `
SELECT count(*) > 0, coalesce(bool_or(i.inhdetachpending), false)
FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = ('skald.' || $1::text)::regclass AND c.relname = $2`
)
