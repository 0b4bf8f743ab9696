package postgres

// API keys and sessions.
const (
	apiKeyColumns = `id, tenant, name, roles, secret, old_secret, old_until, created_at, created_by, expires_at, revoked_at, used_at`

	sqlCreateAPIKey = `
INSERT INTO skald.api_keys (id, tenant, name, roles, secret, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)`

	sqlFindAPIKey = `SELECT ` + apiKeyColumns + ` FROM skald.api_keys WHERE id = $1`

	sqlListAPIKeys = `
SELECT ` + apiKeyColumns + `
FROM skald.api_keys
WHERE $1 = '' OR tenant = $1
ORDER BY tenant COLLATE "C", name COLLATE "C", created_at, id`

	sqlRotateAPIKey = `
UPDATE skald.api_keys
SET secret = $3, old_secret = secret, old_until = $4
WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL`

	sqlRevokeAPIKey = `
UPDATE skald.api_keys
SET revoked_at = skald.clock()
WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL`

	sqlNoteAPIKeyUse = `
UPDATE skald.api_keys
SET used_at = skald.clock()
WHERE id = $1 AND (used_at IS NULL OR used_at < skald.clock() - interval '1 minute')`

	sqlPutSession = `
INSERT INTO skald.sessions (id, tenant, data, idle_until, ends_at)
VALUES ($1, $2, $3, $4, $5)`

	sqlFindSession = `
SELECT tenant, data, idle_until, ends_at
FROM skald.sessions
WHERE id = $1 AND idle_until > skald.clock()`

	sqlTouchSession = `
UPDATE skald.sessions
SET idle_until = least($2, ends_at)
WHERE id = $1 AND idle_until > skald.clock()`

	sqlEndSession = `DELETE FROM skald.sessions WHERE id = $1`

	sqlSweepSessions = `DELETE FROM skald.sessions WHERE idle_until <= skald.clock()`
)
