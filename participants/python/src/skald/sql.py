"""The barrier's statements: those of the Go SDK's package inbox, so that both may share a schema.

{schema} is replaced by the quoted name of the schema; nothing else is ever put into a statement's text.
"""

from typing import LiteralString

from psycopg import sql

MIGRATE_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('skald.participants.inbox.' || %s::text, 0))"
TABLE_EXISTS = "SELECT to_regclass(%s) IS NOT NULL"
SCHEMA_EXISTS = "SELECT to_regnamespace(%s) IS NOT NULL"
CREATE_SCHEMA = "CREATE SCHEMA IF NOT EXISTS {schema}"

CREATE_TABLE = """CREATE TABLE IF NOT EXISTS {schema}.barrier (
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
)"""

CREATE_INDEX = "CREATE INDEX IF NOT EXISTS barrier_created_at ON {schema}.barrier USING brin (created_at)"

# Waits for an open transaction that has inserted the key.
INSERT = """INSERT INTO {schema}.barrier (command_id, edition, state, code, message, output, saga_id, step, verb)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING"""

LOCK = """SELECT command_id, edition, state, code, message, output
FROM {schema}.barrier
WHERE saga_id = %s AND step = %s AND verb = %s
FOR UPDATE"""

# The row is locked by LOCK or was inserted by this transaction: what it held cannot have changed.
UPDATE = """UPDATE {schema}.barrier
SET command_id = %s, edition = %s, state = %s, code = %s, message = %s, output = %s
WHERE saga_id = %s AND step = %s AND verb = %s"""

PURGE = """DELETE FROM {schema}.barrier
WHERE ctid = ANY (ARRAY(
	SELECT ctid
	FROM {schema}.barrier
	WHERE created_at < clock_timestamp() - %s::interval AND state <> 'claimed'
	LIMIT %s
	FOR UPDATE SKIP LOCKED
))"""

SAVEPOINT = "SAVEPOINT skald_effects"
ROLLBACK_TO = "ROLLBACK TO SAVEPOINT skald_effects"
LOCK_TIMEOUT = "SELECT set_config('lock_timeout', %s, true)"
LOCK_TIMEOUT_DEFAULT = "SET LOCAL lock_timeout TO DEFAULT"


class Statements:
    """The statements for one schema."""

    def __init__(self, schema: str) -> None:
        self.schema = schema

        def of(text: LiteralString) -> sql.Composed:
            return sql.SQL(text).format(schema=sql.Identifier(schema))

        self.create_schema = of(CREATE_SCHEMA)
        self.create_table = of(CREATE_TABLE)
        self.create_index = of(CREATE_INDEX)
        self.insert = of(INSERT)
        self.lock = of(LOCK)
        self.update = of(UPDATE)
        self.purge = of(PURGE)
