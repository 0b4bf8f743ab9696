package postgres

// Limits on what goes on at once (design rule 10).
const (
	limitColumns = `tenant, scope, name, sagas, commands, reason, set_by, set_at`

	sqlPutLimit = `
INSERT INTO skald.limits (tenant, scope, name, sagas, commands, reason, set_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant, scope, name) DO UPDATE
SET sagas = excluded.sagas, commands = excluded.commands, reason = excluded.reason, set_by = excluded.set_by, set_at = skald.clock()`

	sqlRemoveLimit = `DELETE FROM skald.limits WHERE tenant = $1 AND scope = $2 AND name = $3`

	sqlLimits    = `SELECT ` + limitColumns + ` FROM skald.limits WHERE tenant = $1 ORDER BY scope, name`
	sqlAllLimits = `SELECT ` + limitColumns + ` FROM skald.limits ORDER BY tenant, scope, name`

	// Two replicas never write the same row, and nobody waits for another's.
	sqlLimitReplica = `
INSERT INTO skald.limit_replicas (replica, looked_at)
VALUES ($1, skald.clock())
ON CONFLICT (replica) DO UPDATE SET looked_at = excluded.looked_at`

	sqlForgetReplicas = `
DELETE FROM skald.limit_replicas
WHERE replica IN (
	SELECT replica FROM skald.limit_replicas WHERE looked_at < skald.clock() - interval '1 hour' FOR UPDATE SKIP LOCKED
)`

	sqlLimitReplicas = `SELECT count(*) FROM skald.limit_replicas WHERE looked_at > skald.clock() - $1 * interval '1 microsecond'`

	// One pass over the live sagas of the tenants that have limits. The empty wait stands for the saga itself.
	sqlLimitUse = `
SELECT s.tenant, s.saga, w.wait, count(*)
FROM skald.sagas AS s
CROSS JOIN LATERAL unnest(array_append(s.waits, '')) AS w (wait)
WHERE s.tenant = ANY ($1) AND s.wake_at IS NOT NULL
GROUP BY 1, 2, 3`

	// Only what is held can wait for a limit: the index of what is blocked knows it.
	sqlLimited = `
SELECT s.id
FROM skald.sagas AS s
WHERE s.tenant = $1
	AND s.id > $4
	AND s.wake_at IS NOT NULL
	AND s.causes && '{backoff,hold,attention}'
	AND 'hold' = ANY (s.causes)
	AND CASE $2
		WHEN 'participant' THEN 'limit ' || $3 = ANY (s.waits)
		ELSE s.saga = $3 AND EXISTS (SELECT FROM unnest(s.waits) AS w (wait) WHERE w.wait LIKE 'limit %')
	END
ORDER BY s.id
LIMIT $5`
)
