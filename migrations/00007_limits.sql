-- Limits: bounds on how much of a definition or a participant goes on at once.
-- Locks: none but on the new tables.

-- +goose Up
SET LOCAL lock_timeout = '2s';

CREATE TABLE skald.limits (
	tenant   text        NOT NULL,
	scope    text        NOT NULL CHECK (scope IN ('saga_type', 'participant')),
	name     text        NOT NULL, -- of the definition or the participant
	sagas    integer     NOT NULL CHECK (sagas >= 0),    -- live sagas that have begun; 0: no bound
	commands integer     NOT NULL CHECK (commands >= 0), -- commands that are out; 0: no bound
	reason   text        NOT NULL,
	set_by   text        NOT NULL,
	set_at   timestamptz NOT NULL DEFAULT skald.clock(),
	PRIMARY KEY (tenant, scope, name),
	CHECK (sagas > 0 OR commands > 0)
);

-- The replicas that look at limits, and share the room under them. A row that is lost, in a crash of the database, comes again within
-- seconds.
CREATE UNLOGGED TABLE skald.limit_replicas (
	replica   text        NOT NULL PRIMARY KEY,
	looked_at timestamptz NOT NULL
);

-- +goose Down
SET LOCAL lock_timeout = '2s';
DROP TABLE skald.limit_replicas;
DROP TABLE skald.limits;
