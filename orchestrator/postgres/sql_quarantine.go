package postgres

// What is asked of the quarantine, and what is noted there.
const (
	// Records that somebody else has locked are left out: nobody waits for them with sagas locked.
	sqlLockQuarantined = `
SELECT id, state, outcome, why, handled_by, handled_for, handled_at, redrives, vouched, attempt
FROM skald.quarantine
WHERE id = ANY ($1::bigint[])
FOR UPDATE SKIP LOCKED`

	// Of records that this transaction has locked. A cause of NULL stays as it was. The state is a parameter, so that records are
	// looked up by id, and not by walking over the index of those that wait.
	sqlHandled = `
WITH changed AS (
	UPDATE skald.quarantine AS q
	SET state = u.state,
		outcome = u.outcome,
		why = u.why,
		handled_by = u.handled_by,
		handled_for = u.handled_for,
		handled_at = u.handled_at,
		redrives = u.redrives,
		vouched = u.vouched,
		attempt = u.attempt,
		reason = coalesce(u.reason, q.reason),
		message = coalesce(u.message, q.message),
		fingerprint = coalesce(u.fingerprint, q.fingerprint)
	FROM (
		SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
			$8::integer[], $9::boolean[], $10::uuid[], $11::text[], $12::text[], $13::text[]) LIMIT $14
	) AS u (id, state, outcome, why, handled_by, handled_for, handled_at, redrives, vouched, attempt, reason, message, fingerprint)
	WHERE q.id = u.id AND q.state = $15
	RETURNING 1
)
SELECT skald.expect(count(*), $14) FROM changed`

	sqlCountQuarantine = `SELECT count(*) FROM skald.quarantine WHERE tenant = ANY ($1::text[]) AND state = 'waiting'`

	sqlWhereQuarantine = `
FROM skald.quarantine
WHERE tenant = ANY ($1::text[])
	AND ($2 = '' OR fingerprint = $2)
	AND ($3 = '' OR reason = $3)
	AND ($4 = '' OR topic = $4)
	AND ($5::uuid IS NULL OR saga_id = $5)
	AND ($6 = '' OR state = $6)`

	sqlQuarantineColumns = `
SELECT id, at, tenant, saga_id, reason, message, topic, partition, record_offset, record_at,
	state, outcome, why, handled_by, handled_for, handled_at, redrives, vouched, attempt, fingerprint, token_sha256, sha256, bytes,
	headers IS NOT NULL,`

	sqlQuarantineBytes = ` key, value, headers`
	sqlQuarantineBare  = ` NULL::bytea, NULL::bytea, NULL::bytea`

	sqlListQuarantine   = sqlQuarantineColumns + sqlQuarantineBare + sqlWhereQuarantine + ` AND id < $7 ORDER BY id DESC LIMIT $8`
	sqlOldestQuarantine = sqlQuarantineColumns + sqlQuarantineBare + sqlWhereQuarantine + ` AND id < $7 ORDER BY id LIMIT $8`

	// What reading a saga asks for, as a statement of its own so that a generic plan goes by the index.
	sqlWaitingOfSaga = sqlQuarantineColumns + sqlQuarantineBare + `
FROM skald.quarantine
WHERE saga_id = $2 AND state = 'waiting' AND tenant = ANY ($1::text[])
ORDER BY id DESC
LIMIT $3`

	sqlQuarantineRecord = sqlQuarantineColumns + sqlQuarantineBytes + `
FROM skald.quarantine
WHERE id = $1 AND tenant = ANY ($2::text[])`

	sqlQuarantineGroups = `
SELECT g.fingerprint, e.reason, e.topic, e.message, g.n, g.first_at, g.last_at, g.example
FROM (
	SELECT fingerprint, count(*) AS n, min(at) AS first_at, max(at) AS last_at, max(id) AS example` + sqlWhereQuarantine + `
	GROUP BY fingerprint
	ORDER BY example DESC
	LIMIT $7
) AS g
JOIN skald.quarantine AS e ON e.id = g.example
ORDER BY g.example DESC`
)
