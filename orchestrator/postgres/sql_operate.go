package postgres

// Definitions, the audit and the ring of keys.
const (
	sqlInsertDefinition = `
INSERT INTO skald.definitions (tenant, name, version, state, hash, content, source)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING`

	sqlDefinitionColumns = `SELECT name, version, state, hash, content, source, created_at FROM skald.definitions WHERE tenant = $1`

	sqlDefinition       = sqlDefinitionColumns + ` AND name = $2 AND version = $3`
	sqlActiveDefinition = sqlDefinitionColumns + ` AND name = $2 AND state = 'active' ORDER BY version DESC LIMIT 1`
	sqlListDefinitions  = sqlDefinitionColumns + ` AND ($2 = '' OR name = $2) ORDER BY name COLLATE "C", version DESC`

	sqlSetDefinitionState = `UPDATE skald.definitions SET state = $4 WHERE tenant = $1 AND name = $2 AND version = $3`

	sqlListAudit = `
SELECT seq, entry, hash
FROM skald.audit
WHERE tenant = $1 AND seq < $2
ORDER BY seq DESC
LIMIT $3`

	sqlFilterAudit = `
SELECT seq, entry, hash
FROM skald.audit
WHERE tenant = $1
	AND seq < $2
	AND ($3 = '' OR actor = $3)
	AND ($4 = '' OR action = $4 OR starts_with(action, $4 || '.'))
	AND ($5::uuid IS NULL OR saga_id = $5)
	AND ($6 = '' OR target = $6)
	AND ($7::timestamptz IS NULL OR at >= $7)
	AND ($8::timestamptz IS NULL OR at < $8)
ORDER BY seq DESC
LIMIT $9`

	sqlReadAudit = `SELECT seq, at, actor, action, saga_id, target, entry, hash FROM skald.audit WHERE tenant = $1 ORDER BY seq`

	sqlAuditHead = `SELECT seq, hash FROM skald.audit_heads WHERE tenant = $1`

	sqlListKeys = `SELECT kid, secret FROM skald.keys ORDER BY seq DESC`

	sqlLockKeys = `LOCK TABLE skald.keys IN SHARE ROW EXCLUSIVE MODE`

	sqlFirstKey = `
INSERT INTO skald.keys (kid, secret)
SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM skald.keys)`
)
