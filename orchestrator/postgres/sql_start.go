package postgres

// Starting a saga in the caller's own transaction.
const (
	sqlClaimBusinessKey = `
INSERT INTO skald.business_keys (tenant, saga, key, id, hash)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING`

	sqlReadBusinessKey = `SELECT id, hash FROM skald.business_keys WHERE tenant = $1 AND saga = $2 AND key = $3`

	sqlHint = `SELECT pg_notify('` + HintChannel + `', '')`

	sqlListen = `LISTEN ` + HintChannel
)
