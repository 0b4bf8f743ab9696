package postgres

// Operations over many sagas.
const (
	sqlInsertOperation = `
INSERT INTO skald.operations (tenant, actor, request, idempotency_key)
VALUES ($1, $2, $3, NULLIF($4, ''))
ON CONFLICT (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING id`

	sqlOperationColumns = `id, tenant, actor, request, coalesce(idempotency_key, ''), state, paused, created_at, started_at, ended_at,
	total, succeeded, refused, failed, gathered, lease`

	sqlOperation      = `SELECT ` + sqlOperationColumns + ` FROM skald.operations WHERE tenant = $1 AND id = $2`
	sqlLockOperation  = sqlOperation + ` FOR UPDATE`
	sqlOperationByKey = `SELECT ` + sqlOperationColumns + ` FROM skald.operations WHERE tenant = $1 AND idempotency_key = $2`

	sqlListOperations = `
SELECT ` + sqlOperationColumns + `
FROM skald.operations
WHERE tenant = $1 AND id < $2
ORDER BY id DESC
LIMIT $3`

	sqlChangeOperation = `
UPDATE skald.operations
SET state = $3,
	paused = $4,
	ended_at = CASE WHEN $3 IN ('completed', 'cancelled') THEN skald.clock() END
WHERE tenant = $1 AND id = $2 AND state IN ('gathering', 'running')
RETURNING ` + sqlOperationColumns

	// One slice at a time: whoever has the row locked takes it, and a lease keeps it for as long as the slice may last.
	sqlTakeOperation = `
UPDATE skald.operations
SET lease = lease + 1,
	due_at = skald.clock() + $1::interval
WHERE id = (
	SELECT id
	FROM skald.operations
	WHERE state IN ('gathering', 'running') AND NOT paused AND due_at <= skald.clock()
	ORDER BY due_at
	LIMIT 1
	FOR UPDATE SKIP LOCKED)
RETURNING ` + sqlOperationColumns

	sqlGatherOperation = `
INSERT INTO skald.operation_sagas (operation_id, saga_id)
SELECT $1, unnest($2::uuid[])
ON CONFLICT DO NOTHING`

	sqlGatheredOperation = `
UPDATE skald.operations
SET total = total + $3,
	gathered = $4,
	state = CASE WHEN state = 'gathering' AND $4::uuid IS NULL THEN 'running' ELSE state END,
	started_at = CASE WHEN state = 'gathering' AND $4::uuid IS NULL THEN skald.clock() ELSE started_at END,
	lease = lease + 1,
	due_at = skald.clock() + $5::interval
WHERE id = $1 AND lease = $2`

	sqlLeftOfOperation = `
SELECT saga_id
FROM skald.operation_sagas
WHERE operation_id = $1 AND outcome IS NULL
ORDER BY saga_id
LIMIT $2`

	// What has an outcome keeps it.
	sqlNoteOutcomes = `
WITH noted AS (
	UPDATE skald.operation_sagas AS s
	SET outcome = u.outcome,
		code = u.code,
		message = u.message,
		revision = u.revision,
		at = skald.clock()
	FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[]) AS u (id, outcome, code, message, revision)
	WHERE s.operation_id = $1 AND s.saga_id = u.id AND s.outcome IS NULL
	RETURNING s.outcome)
SELECT count(*) FILTER (WHERE outcome = 'succeeded'), count(*) FILTER (WHERE outcome = 'refused'), count(*) FILTER (WHERE outcome = 'failed')
FROM noted`

	sqlNotedOperation = `
UPDATE skald.operations
SET succeeded = succeeded + $3,
	refused = refused + $4,
	failed = failed + $5,
	lease = lease + 1,
	due_at = skald.clock() + $6::interval,
	state = CASE WHEN state = 'running' AND succeeded + refused + failed + $3 + $4 + $5 = total THEN 'completed' ELSE state END,
	paused = paused AND NOT (state = 'running' AND succeeded + refused + failed + $3 + $4 + $5 = total),
	ended_at = CASE WHEN state = 'running' AND succeeded + refused + failed + $3 + $4 + $5 = total THEN skald.clock() ELSE ended_at END
WHERE id = $1 AND lease = $2`

	sqlListOutcomes = `
SELECT s.saga_id, coalesce(s.outcome, 'pending'), s.code, s.message, s.revision, s.at
FROM skald.operation_sagas AS s
JOIN skald.operations AS o ON o.id = s.operation_id
WHERE o.tenant = $1 AND s.operation_id = $2 AND s.saga_id > $3 AND ($4 = '' OR coalesce(s.outcome, 'pending') = $4)
ORDER BY s.saga_id
LIMIT $5`
)
