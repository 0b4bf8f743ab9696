-- Functions that the engine's statements and later migrations use.
-- Locks: none but on the new functions.

-- +goose Up
SET LOCAL lock_timeout = '2s';

-- The one clock of the engine (S21). Where an index must serve it is written (SELECT skald.clock()), which is evaluated once.
CREATE FUNCTION skald.clock() RETURNS timestamptz
LANGUAGE sql VOLATILE PARALLEL SAFE
AS 'SELECT clock_timestamp()';

-- Fails the transaction where a statement changed another number of rows than it had to: the guard of writes that go to the
-- server in one pipeline with their COMMIT (S17).
-- +goose StatementBegin
CREATE FUNCTION skald.expect(changed bigint, wanted bigint) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	IF changed <> wanted THEN
		RAISE EXCEPTION 'changed % rows, wanted %', changed, wanted USING ERRCODE = 'serialization_failure';
	END IF;
END
$$;
-- +goose StatementEnd

-- The lowest UUIDv7 of a millisecond: the bound between ids made before and from then on.
CREATE FUNCTION skald.uuid_at(at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid$$;

-- +goose Down
SET LOCAL lock_timeout = '2s';
DROP FUNCTION skald.uuid_at(timestamptz);
DROP FUNCTION skald.expect(bigint, bigint);
DROP FUNCTION skald.clock();
