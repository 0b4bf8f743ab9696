package inbox

// {schema} is replaced by the quoted name of the schema; nothing else is ever put into a statement's text.
const (
	// Taken only where the schema or the table is missing, so that a role without CREATE can start a participant
	// whose tables are there.
	migrateLockSQL = `SELECT pg_advisory_xact_lock(hashtextextended('skald.participants.inbox.' || $1::text, 0))`

	tableExistsSQL = `SELECT to_regclass('{schema}.barrier') IS NOT NULL`

	schemaExistsSQL = `SELECT to_regnamespace('{schema}') IS NOT NULL`

	createSchemaSQL = `CREATE SCHEMA IF NOT EXISTS {schema}`

	// output is bytea: jsonb would change the bytes of what was answered. A row that others can see as claimed
	// belongs to an effect outside of this database.
	createTableSQL = `CREATE TABLE IF NOT EXISTS {schema}.barrier (
	saga_id    uuid        NOT NULL,
	step       text        NOT NULL,
	verb       text        NOT NULL CHECK (verb IN ('execute', 'compensate')),
	command_id uuid        NOT NULL,
	edition    integer     NOT NULL CHECK (edition >= 0),
	state      text        NOT NULL CHECK (state IN ('claimed', 'succeeded', 'rejected', 'compensate_tombstone', 'probe_tombstone')),
	code       text        NOT NULL DEFAULT '',
	message    text        NOT NULL DEFAULT '',
	output     bytea,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (saga_id, step, verb),
	CHECK (verb = 'execute' OR state IN ('claimed', 'succeeded', 'rejected'))
)`

	// Rows come in the order of their time: a BRIN is enough to purge by, and costs an insert nothing.
	createIndexSQL = `CREATE INDEX IF NOT EXISTS barrier_created_at ON {schema}.barrier USING brin (created_at)`

	// Waits for an open transaction that has inserted the key.
	insertSQL = `INSERT INTO {schema}.barrier (saga_id, step, verb, command_id, edition, state, code, message, output)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING`

	lockSQL = `SELECT command_id, edition, state, code, message, output
FROM {schema}.barrier
WHERE saga_id = $1 AND step = $2 AND verb = $3
FOR UPDATE`

	// The row is locked by lockSQL or was inserted by this transaction: what it held cannot have changed.
	updateSQL = `UPDATE {schema}.barrier
SET command_id = $4, edition = $5, state = $6, code = $7, message = $8, output = $9
WHERE saga_id = $1 AND step = $2 AND verb = $3`

	purgeSQL = `DELETE FROM {schema}.barrier
WHERE ctid = ANY (ARRAY(
	SELECT ctid
	FROM {schema}.barrier
	WHERE created_at < clock_timestamp() - $1::interval AND state <> 'claimed'
	LIMIT $2
	FOR UPDATE SKIP LOCKED
))`

	savepointSQL = `SAVEPOINT skald_effects`

	rollbackToSQL = `ROLLBACK TO SAVEPOINT skald_effects`

	lockTimeoutSQL = `SELECT set_config('lock_timeout', $1, true)`

	lockTimeoutDefaultSQL = `SET LOCAL lock_timeout TO DEFAULT`
)
