package postgres

// What retention asks and does. Slices go by the index of lists, (tenant, id), and by keys.
const (
	// One at a time, whoever it is: the keeper of a replica or a person.
	sqlTryRetain = `SELECT pg_try_advisory_lock(x'736b616c6b72'::bigint)`
	sqlRetained  = `SELECT pg_advisory_unlock(x'736b616c6b72'::bigint)`

	sqlSessionUser = `SELECT session_user::text`

	sqlRetainedDefinitions = `SELECT DISTINCT tenant, name FROM skald.definitions ORDER BY tenant, name`

	sqlRetentionState = `SELECT looked, behind, pass_at, sagas, bytes FROM skald.retention WHERE tenant = $1 AND saga = $2`

	sqlPutRetentionState = `
INSERT INTO skald.retention (tenant, saga, looked, behind, pass_at, sagas, bytes)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant, saga) DO UPDATE
SET looked = excluded.looked, behind = excluded.behind, pass_at = excluded.pass_at, sagas = excluded.sagas, bytes = excluded.bytes`

	// A slice of all of a tenant's sagas: one that asked for the definition alone would read on and on where it is rare.
	sqlRetentionSlice = `
SELECT s.id, s.saga = $2 AND s.blanked_at IS NULL, s.wake_at IS NULL
FROM skald.sagas AS s
WHERE s.tenant = $1 AND s.id > $3 AND s.id < skald.uuid_at($4)
ORDER BY s.id
LIMIT $5`

	sqlReadToBlank = `
SELECT s.id, s.revision, s.instance
FROM (
	SELECT * FROM unnest($1::smallint[], $2::uuid[]) LIMIT $5
) AS n (shard, id)
JOIN skald.sagas AS s ON s.shard = n.shard AND s.id = n.id
WHERE s.id BETWEEN $3 AND $4 AND s.wake_at IS NULL AND s.blanked_at IS NULL`

	sqlLockToBlank = sqlReadToBlank + `
FOR UPDATE OF s SKIP LOCKED`

	sqlFactsToBlank = `
SELECT h.saga_id, h.seq, h.facts
FROM (
	SELECT * FROM unnest($1::smallint[], $2::uuid[]) LIMIT $5
) AS n (shard, id)
JOIN skald.history AS h ON h.shard = n.shard AND h.saga_id = n.id
WHERE h.saga_id BETWEEN $3 AND $4`

	sqlBlankSagas = `
WITH changed AS (
	UPDATE skald.sagas AS s
	SET instance = u.instance, revision = u.revision, blanked_at = $3
	FROM (
		SELECT * FROM unnest($1::smallint[], $2::uuid[], $4::bigint[], $5::bytea[]) LIMIT $8
	) AS u (shard, id, revision, instance)
	WHERE s.shard = u.shard AND s.id = u.id AND s.id BETWEEN $6 AND $7 AND s.revision = u.revision - 1
	RETURNING 1
)
SELECT skald.expect(count(*), $8) FROM changed`

	sqlBlankFacts = `
WITH changed AS (
	UPDATE skald.history AS h
	SET facts = u.facts
	FROM (
		SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::bytea[]) LIMIT $7
	) AS u (shard, id, seq, facts)
	WHERE h.shard = u.shard AND h.saga_id = u.id AND h.seq = u.seq AND h.saga_id BETWEEN $5 AND $6
	RETURNING 1
)
SELECT skald.expect(count(*), $7) FROM changed`

	sqlTableBytes = `SELECT coalesce(pg_total_relation_size(to_regclass('skald.' || quote_ident($1))), 0)`

	sqlPutRetainedTable = `
INSERT INTO skald.retention_tables (name, week, bytes)
VALUES ($1, to_date(right($1, 8), 'YYYYMMDD'), $2)
ON CONFLICT DO NOTHING`

	sqlTableDetached = `UPDATE skald.retention_tables SET detached_at = skald.clock() WHERE name = $1 AND detached_at IS NULL`
	sqlTableDropped  = `UPDATE skald.retention_tables SET dropped_at = skald.clock() WHERE name = $1`

	// Detached by this or an earlier run, and there: neither dropped by hand nor attached again.
	sqlTablesToDrop = `
SELECT t.name, t.bytes
FROM skald.retention_tables AS t
WHERE t.dropped_at IS NULL
	AND t.detached_at IS NOT NULL
	AND to_regclass('skald.' || quote_ident(t.name)) IS NOT NULL
	AND NOT EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = to_regclass('skald.' || quote_ident(t.name)))
ORDER BY t.name`

	// Keys of sagas that are gone, a slice at a time along the primary key.
	sqlKeysToForget = `
SELECT tenant, saga, key, id < skald.uuid_at($4)
FROM skald.business_keys
WHERE (tenant, saga, key) > ($1, $2, $3)
ORDER BY tenant, saga, key
LIMIT $5`

	sqlForgetKeys = `
DELETE FROM skald.business_keys AS k
USING unnest($1::text[], $2::text[], $3::text[]) AS u (tenant, saga, key)
WHERE k.tenant = u.tenant AND k.saga = u.saga AND k.key = u.key AND k.id < skald.uuid_at($4)`
)
