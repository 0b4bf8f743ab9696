-- Starts that are asked for in SQL: skald.start_saga leaves a row in the caller's own transaction, and the engine starts its saga.
-- Locks: none but on the new tables and functions. Whoever may call skald.start_saga needs USAGE on the schema; so the two functions that
-- run as their owner are no longer everybody's to call, but those roles' that write sagas.

-- +goose Up
SET LOCAL lock_timeout = '2s';

-- Whose sagas a role starts. The role is that of the session: SET ROLE changes nothing.
CREATE TABLE skald.start_roles (
	role   text NOT NULL PRIMARY KEY,
	tenant text NOT NULL CHECK (tenant <> '')
);

CREATE TABLE skald.start_requests (
	seq         bigint      GENERATED ALWAYS AS IDENTITY,
	tenant      text        NOT NULL,
	id          text        NOT NULL, -- the caller's, or one that was made up
	role        text        NOT NULL, -- who asked
	saga        text        NOT NULL,
	version     integer,              -- NULL: the highest active one
	key         text,                 -- NULL: none
	labels      jsonb       NOT NULL,
	input       json        NOT NULL, -- json keeps the text as it was written (S22), jsonb does not
	asked_at    timestamptz NOT NULL DEFAULT skald.clock(),
	state       text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'started', 'refused')),
	due_at      timestamptz NOT NULL DEFAULT skald.clock(), -- when it may be taken; beyond it whoever took it is taken for dead
	saga_id     uuid,
	code        text        NOT NULL DEFAULT '', -- of a refused one
	message     text        NOT NULL DEFAULT '',
	answered_at timestamptz,
	PRIMARY KEY (tenant, id),
	UNIQUE (seq),
	CHECK ((state = 'started') = (saga_id IS NOT NULL)),
	CHECK ((state = 'waiting') = (answered_at IS NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX start_requests_due ON skald.start_requests (due_at, seq) WHERE state = 'waiting';
CREATE INDEX start_requests_answered ON skald.start_requests (answered_at) WHERE state <> 'waiting';

-- +goose StatementBegin
CREATE FUNCTION skald.start_tenant() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found text;
BEGIN
	SELECT r.tenant INTO found FROM skald.start_roles AS r WHERE r.role = session_user::text;
	IF found IS NULL THEN
		RAISE EXCEPTION 'role "%" starts sagas of no tenant', session_user
			USING ERRCODE = 'insufficient_privilege',
				HINT = format('As the owner of schema skald: INSERT INTO skald.start_roles (role, tenant) VALUES (%L, ''default'')', session_user);
	END IF;
	RETURN found;
END
$$;
-- +goose StatementEnd

-- Asks for a saga, and answers the id under which start_status knows the request. The saga starts once the caller's transaction has
-- committed, and never if it does not. The same id again is the same request, and leaves nothing; with another content it fails.
-- What the definition says is judged by the engine: start_status tells.
-- +goose StatementBegin
CREATE FUNCTION skald.start_saga(
	saga    text,
	input   json,
	key     text    DEFAULT NULL,
	version integer DEFAULT NULL,
	labels  jsonb   DEFAULT '{}',
	id      text    DEFAULT NULL
) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	of_tenant CONSTANT text  := skald.start_tenant();
	own_id    CONSTANT text  := coalesce(start_saga.id, gen_random_uuid()::text);
	own_tags  CONSTANT jsonb := coalesce(start_saga.labels, '{}');
	made      bigint;
BEGIN
	IF start_saga.saga IS NULL OR start_saga.saga !~ '^[a-z][a-z0-9-]{0,62}$' THEN
		RAISE EXCEPTION 'saga: % is no name of a definition', coalesce(quote_literal(start_saga.saga), 'NULL') USING ERRCODE = 'invalid_parameter_value';
	ELSIF start_saga.input IS NULL THEN
		RAISE EXCEPTION 'input: want JSON, not NULL' USING ERRCODE = 'invalid_parameter_value';
	ELSIF octet_length(convert_to(start_saga.input::text, 'UTF8')) > 262144 THEN
		RAISE EXCEPTION 'input: larger than 262144 bytes' USING ERRCODE = 'invalid_parameter_value';
	ELSIF start_saga.version < 1 THEN
		RAISE EXCEPTION 'version: want 1 or more' USING ERRCODE = 'invalid_parameter_value';
	ELSIF octet_length(start_saga.key) > 512 OR start_saga.key ~ '[[:cntrl:]]' THEN
		RAISE EXCEPTION 'key: want at most 512 bytes without control characters' USING ERRCODE = 'invalid_parameter_value';
	ELSIF octet_length(own_id) NOT BETWEEN 1 AND 255 OR own_id ~ '[[:cntrl:]]' THEN
		RAISE EXCEPTION 'id: want 1 to 255 bytes without control characters' USING ERRCODE = 'invalid_parameter_value';
	ELSIF jsonb_typeof(own_tags) <> 'object' OR EXISTS (SELECT FROM jsonb_each(own_tags) AS l WHERE jsonb_typeof(l.value) <> 'string') THEN
		RAISE EXCEPTION 'labels: want an object of strings' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	INSERT INTO skald.start_requests (tenant, id, role, saga, version, key, labels, input)
	VALUES (of_tenant, own_id, session_user::text, start_saga.saga, start_saga.version, nullif(start_saga.key, ''), own_tags, start_saga.input)
	ON CONFLICT ON CONSTRAINT start_requests_pkey DO NOTHING
	RETURNING seq INTO made;
	IF made IS NOT NULL THEN
		PERFORM pg_notify('skald_starts', '');
	ELSIF NOT EXISTS (
		SELECT FROM skald.start_requests AS r
		WHERE r.tenant = of_tenant AND r.id = own_id AND r.saga = start_saga.saga AND r.version IS NOT DISTINCT FROM start_saga.version
			AND r.key IS NOT DISTINCT FROM nullif(start_saga.key, '') AND r.labels = own_tags AND r.input::text = start_saga.input::text
	) THEN
		RAISE EXCEPTION 'id % was used for another start', quote_literal(own_id) USING ERRCODE = 'unique_violation';
	END IF;
	RETURN own_id;
END
$$;
-- +goose StatementEnd

-- What became of a request of the caller's tenant; no row: there is none, or it was answered more than seven days ago.
-- +goose StatementBegin
CREATE FUNCTION skald.start_status(id text)
RETURNS TABLE (state text, saga_id uuid, code text, message text, asked_at timestamptz, answered_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT r.state, r.saga_id, r.code, r.message, r.asked_at, r.answered_at
	FROM skald.start_requests AS r
	WHERE r.tenant = skald.start_tenant() AND r.id = start_status.id;
END
$$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION skald.start_tenant() FROM PUBLIC;
REVOKE ALL ON FUNCTION skald.start_saga(text, json, text, integer, jsonb, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION skald.start_status(text) FROM PUBLIC;

-- The engine's roles keep what they had by being anybody.
-- +goose StatementBegin
DO $$
DECLARE
	engine name;
BEGIN
	FOR engine IN
		SELECT r.rolname
		FROM pg_class AS c, aclexplode(c.relacl) AS a
		JOIN pg_roles AS r ON r.oid = a.grantee
		WHERE c.oid = 'skald.sagas'::regclass AND a.privilege_type = 'INSERT'
	LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION skald.append_audit(text, timestamptz, text, text, uuid, text, bytea), skald.make_partitions(integer) TO %I', engine);
		EXECUTE format('GRANT SELECT, UPDATE, DELETE ON skald.start_requests TO %I', engine);
	END LOOP;
END
$$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION skald.append_audit(text, timestamptz, text, text, uuid, text, bytea) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION skald.make_partitions(integer) FROM PUBLIC;

-- +goose Down
SET LOCAL lock_timeout = '2s';
GRANT EXECUTE ON FUNCTION skald.append_audit(text, timestamptz, text, text, uuid, text, bytea) TO PUBLIC;
GRANT EXECUTE ON FUNCTION skald.make_partitions(integer) TO PUBLIC;
DROP FUNCTION skald.start_status(text);
DROP FUNCTION skald.start_saga(text, json, text, integer, jsonb, text);
DROP FUNCTION skald.start_tenant();
DROP TABLE skald.start_requests;
DROP TABLE skald.start_roles;
