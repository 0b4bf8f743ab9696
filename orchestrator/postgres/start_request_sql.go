package postgres

// StartsChannel is where skald.start_saga leaves its hints.
const StartsChannel = "skald_starts"

const (
	sqlListenStarts = `LISTEN ` + StartsChannel

	sqlTakeStartRequests = `
WITH due AS (
	SELECT seq
	FROM skald.start_requests
	WHERE state = 'waiting' AND due_at <= (SELECT skald.clock())
	ORDER BY due_at, seq
	LIMIT $1
	FOR UPDATE SKIP LOCKED
)
UPDATE skald.start_requests AS r
SET due_at = skald.clock() + $2::interval
FROM due
WHERE r.seq = due.seq
RETURNING r.seq, r.due_at, r.tenant, r.id, r.role, r.asked_at, r.saga, coalesce(r.version, 0), coalesce(r.key, ''), r.labels::text, r.input::text`

	// A saga is the last word. A late refusal, of a replica that was taken for dead, changes nothing: whoever has taken the request since
	// may have started its saga, and lost the answer. due_at, which grows with each take, tells.
	sqlAnswerStartRequests = `
UPDATE skald.start_requests AS r
SET state = CASE WHEN u.saga_id IS NULL THEN 'refused' ELSE 'started' END,
	saga_id = u.saga_id,
	code = u.code,
	message = u.message,
	answered_at = skald.clock()
FROM unnest($1::bigint[], $2::timestamptz[], $3::uuid[], $4::text[], $5::text[]) AS u (seq, until, saga_id, code, message)
WHERE r.seq = u.seq AND r.state <> 'started' AND (u.saga_id IS NOT NULL OR r.due_at = u.until)`

	// As long as the keys that their starts won: then the same id is a new request.
	sqlRemoveStartRequests = `
DELETE FROM skald.start_requests
WHERE seq IN (
	SELECT seq
	FROM skald.start_requests
	WHERE state <> 'waiting' AND answered_at <= (SELECT skald.clock()) - $1::interval
	ORDER BY answered_at
	LIMIT $2
	FOR UPDATE SKIP LOCKED
)`
)
