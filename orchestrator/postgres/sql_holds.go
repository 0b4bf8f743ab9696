package postgres

// Holds and breakers (design rule 10).
const (
	holdColumns = `tenant, scope, name, version, from_at, to_at, reason, kind, set_by, ended_by, spread, rest_at, quiet_at, try_from, try_for, trips`

	// A breaker that nobody has closed is listed although it may be over.
	sqlHoldsInForce = `
SELECT ` + holdColumns + `
FROM skald.holds
WHERE to_at IS NULL OR to_at + spread * interval '1 microsecond' > skald.clock() - interval '30 days'
ORDER BY id`

	sqlListHolds = `
SELECT ` + holdColumns + `, id, skald.clock()
FROM skald.holds
WHERE tenant = $1
	AND (to_at IS NULL
		OR to_at + spread * interval '1 microsecond' > skald.clock()
			AND rest_at IS NULL
			AND (try_from IS NULL OR try_from + try_for * interval '1 microsecond' > skald.clock()))
ORDER BY id`

	sqlHold = `SELECT ` + holdColumns + `, id, skald.clock() FROM skald.holds WHERE tenant = $1 AND id = $2`

	// Only what is blocked can wait for a hold: an index knows it.
	sqlWhereHeld = `
SELECT id
FROM skald.sagas
WHERE id > $2
	AND wake_at IS NOT NULL
	AND causes && '{backoff,hold,attention}'
	AND 'hold' = ANY (causes)
	AND ($1 = '' OR 'hold ' || $1 = ANY (waits))`

	sqlHeld         = sqlWhereHeld + ` AND tenant = $4 ORDER BY id LIMIT $3`
	sqlHeldAnywhere = sqlWhereHeld + ` ORDER BY id LIMIT $3`

	sqlInsertHold = `
INSERT INTO skald.holds (tenant, scope, name, version, reason, kind, set_by)
VALUES ($1, $2, $3, $4, $5, 'operator', $6)
RETURNING id`

	sqlEndHold = `
UPDATE skald.holds
SET to_at = skald.clock(), spread = $3, ended_by = $4
WHERE tenant = $1 AND id = $2 AND to_at IS NULL`

	sqlEndRelease = `
UPDATE skald.holds
SET rest_at = skald.clock()
WHERE tenant = $1 AND id = $2 AND to_at IS NOT NULL AND rest_at IS NULL AND to_at + spread * interval '1 microsecond' > skald.clock()`

	// The index lets in one that nobody has closed; whoever comes second writes nothing.
	sqlOpenBreaker = `
INSERT INTO skald.holds (tenant, scope, name, version, from_at, reason, kind, set_by, try_from, try_for, trips)
SELECT $1, 'participant', $2, 0, now, $4, 'breaker', $7, now + $5 * interval '1 microsecond', $6, $3
FROM (SELECT skald.clock() AS now) AS c
ON CONFLICT (tenant, name) WHERE kind = 'breaker' AND to_at IS NULL DO NOTHING`

	// Another replica that judged the same has counted the trip already.
	sqlReopenBreaker = `
UPDATE skald.holds
SET try_from = skald.clock() + $5 * interval '1 microsecond', try_for = $6, trips = trips + 1, reason = $4, quiet_at = NULL
WHERE tenant = $1 AND id = $2 AND trips = $3 AND kind = 'breaker' AND to_at IS NULL
	AND skald.clock() >= try_from AND skald.clock() < try_from + try_for * interval '1 microsecond'`

	sqlNoteQuiet = `UPDATE skald.holds SET quiet_at = skald.clock() WHERE tenant = $1 AND id = $2 AND quiet_at IS NULL`
)
