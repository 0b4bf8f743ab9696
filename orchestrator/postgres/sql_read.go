package postgres

// What the API and the dashboard ask.
const (
	sqlSaga = `
SELECT wake_at, instance
FROM skald.sagas
WHERE shard = $1 AND id = $2 AND tenant = $3`

	sqlBatches = `
SELECT b.batch, o.waiting, r.acks
FROM unnest($1::uuid[]) AS b (batch)
LEFT JOIN skald.outbox AS o ON o.batch = b.batch
LEFT JOIN skald.receipts AS r ON r.batch = b.batch AND r.batch BETWEEN $2 AND $3`

	// Which commands wait to be published is known to the outbox alone (see stored.Causes). Only live sagas wait, and most of them
	// for a reply: the first two lines name the indexes that know. Mostly the outbox is empty: then none is looked at.
	sqlCauses = `
	($6 = '' OR s.wake_at IS NOT NULL)
	AND ($6 IN ('', 'reply', 'unpublished') OR s.causes && '{backoff,hold,attention}')
	AND ($6 <> 'unpublished' OR EXISTS (SELECT FROM skald.outbox WHERE retry_at < 'infinity'))
	AND ($6 = ''
		OR $6 NOT IN ('reply', 'unpublished') AND $6 = ANY (s.causes)
		OR 'reply' = ANY (s.causes) AND CASE $6
			WHEN 'unpublished' THEN (
				SELECT bool_or(b.batch IN (SELECT batch FROM skald.outbox)) FROM unnest(s.batches) AS b (batch)
			)
			WHEN 'reply' THEN coalesce((
				SELECT NOT bool_and(b.batch IN (SELECT batch FROM skald.outbox)) FROM unnest(s.batches) AS b (batch)
			), true)
		END)`

	// The bounds of the ids follow from the page and from the times of creation, with a day's allowance for replicas' clocks.
	sqlWhereSagas = `
FROM skald.sagas AS s
WHERE s.tenant = $1
	AND s.id >= $2 AND s.id < $3
	AND ($4 = '' OR s.saga = $4)
	AND (cardinality($5::text[]) = 0 OR s.status = ANY ($5))
	AND (cardinality($5) = 0 OR $5 && '{completed,compensated,abandoned}' OR s.wake_at IS NOT NULL)
	AND ` + sqlCauses + `
	AND ($12 = '' OR s.wake_at IS NOT NULL AND s.waits && ARRAY['reply ' || $12, 'backoff ' || $12, 'hold ' || $12, 'attention ' || $12])
	AND ($7 = '' OR s.attention <> '{}')
	AND ($7 IN ('', 'any') OR $7 = ANY (s.attention))
	AND ($8::text IS NULL OR s.labels @> $8::jsonb)
	AND ($9::timestamptz IS NULL OR s.created_at > $9)
	AND ($10::timestamptz IS NULL OR s.created_at < $10)
	AND ($13 = '' OR s.verdict = $13)
	AND ($14 = 0 OR s.version = $14)
	AND ($15::uuid[] IS NULL OR s.id = ANY ($15))`

	sqlAndKey = ` AND s.key = $16 AND s.key <> ''`

	sqlSagas      = `SELECT s.wake_at, s.instance` + sqlWhereSagas + ` ORDER BY s.id DESC LIMIT $11`
	sqlSagasByKey = `SELECT s.wake_at, s.instance` + sqlWhereSagas + sqlAndKey + ` ORDER BY s.id DESC LIMIT $11`

	sqlOldestSagas      = `SELECT s.wake_at, s.instance` + sqlWhereSagas + ` ORDER BY s.id LIMIT $11`
	sqlOldestSagasByKey = `SELECT s.wake_at, s.instance` + sqlWhereSagas + sqlAndKey + ` ORDER BY s.id LIMIT $11`

	sqlCountSagas      = `SELECT count(*) FROM (SELECT` + sqlWhereSagas + ` LIMIT $11) AS n`
	sqlCountSagasByKey = `SELECT count(*) FROM (SELECT` + sqlWhereSagas + sqlAndKey + ` LIMIT $11) AS n`

	// Counting live sagas goes by their index.
	sqlCountLive      = `SELECT count(*) FROM (SELECT` + sqlWhereSagas + ` AND s.wake_at IS NOT NULL LIMIT $11) AS n`
	sqlCountLiveByKey = `SELECT count(*) FROM (SELECT` + sqlWhereSagas + sqlAndKey + ` AND s.wake_at IS NOT NULL LIMIT $11) AS n`

	// The row that holds the fact after $4, and those after it.
	sqlHistory = `
SELECT h.batch, h.facts
FROM skald.history AS h
WHERE h.shard = $1
	AND h.saga_id = $2
	AND h.seq >= coalesce((SELECT max(p.seq) FROM skald.history AS p WHERE p.shard = $1 AND p.saga_id = $2 AND p.seq <= $4 + 1), 0)
	AND EXISTS (SELECT FROM skald.sagas AS s WHERE s.shard = $1 AND s.id = $2 AND s.tenant = $3)
ORDER BY h.seq
LIMIT $5`

	sqlSagaExists = `SELECT EXISTS (SELECT FROM skald.sagas WHERE shard = $1 AND id = $2 AND tenant = $3)`

	sqlRevisions = `
SELECT s.id, s.revision
FROM (
	SELECT * FROM unnest($1::smallint[], $2::uuid[]) LIMIT $5
) AS n (shard, id)
JOIN skald.sagas AS s ON s.shard = n.shard AND s.id = n.id
WHERE s.id BETWEEN $3 AND $4`

	// The outbox is read once, and not for each saga: while Kafka is away it is large, and people look.
	sqlStats = `
SELECT s.saga, s.status, s.attention <> '{}', s.causes, coalesce(s.unpublished > 0, false), coalesce(s.unpublished < cardinality(s.batches), false), s.waits, count(*)
FROM (
	SELECT saga, status, attention, causes, batches, waits,
		CASE WHEN 'reply' = ANY (causes) THEN (
			SELECT count(*) FILTER (WHERE b.batch IN (SELECT batch FROM skald.outbox)) FROM unnest(batches) AS b (batch)
		) END AS unpublished
	FROM skald.sagas
	WHERE tenant = $1 AND wake_at IS NOT NULL
	OFFSET 0
) AS s
GROUP BY 1, 2, 3, 4, 5, 6, 7`
)
