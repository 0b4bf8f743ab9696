-- API keys, and the sessions of the dashboard.
-- Locks: none but on the new tables.

-- +goose Up
SET LOCAL lock_timeout = '2s';

CREATE TABLE skald.api_keys (
	id         text        NOT NULL PRIMARY KEY CHECK (id ~ '^[0-9a-f]{16}$'), -- stands in the key itself
	tenant     text        NOT NULL,
	name       text        NOT NULL,
	roles      text[]      NOT NULL CHECK (cardinality(roles) >= 1),
	secret     bytea       NOT NULL CHECK (octet_length(secret) = 32), -- SHA-256: 256 random bits need no slow hash
	old_secret bytea       CHECK (octet_length(old_secret) = 32),      -- the one before a rotation, good until old_until
	old_until  timestamptz,
	created_at timestamptz NOT NULL DEFAULT skald.clock(),
	created_by text        NOT NULL,
	expires_at timestamptz, -- NULL: never
	revoked_at timestamptz, -- NULL: it was not
	used_at    timestamptz, -- noted once a minute; NULL: never
	CHECK ((old_secret IS NULL) = (old_until IS NULL))
);

-- A name is free again once its key is revoked.
CREATE UNIQUE INDEX api_keys_name ON skald.api_keys (tenant, name) WHERE revoked_at IS NULL;

CREATE TABLE skald.sessions (
	id         bytea       NOT NULL PRIMARY KEY CHECK (octet_length(id) = 32), -- SHA-256 of what the browser has
	tenant     text        NOT NULL,
	data       bytea       NOT NULL, -- who signed in, and how
	created_at timestamptz NOT NULL DEFAULT skald.clock(),
	idle_until timestamptz NOT NULL, -- moved on while it is used
	ends_at    timestamptz NOT NULL, -- never moved
	CHECK (idle_until <= ends_at)
);

CREATE INDEX sessions_idle ON skald.sessions (idle_until);

-- +goose Down
SET LOCAL lock_timeout = '2s';
DROP TABLE skald.sessions;
DROP TABLE skald.api_keys;
