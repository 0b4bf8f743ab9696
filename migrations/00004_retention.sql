-- What retention has done: how far payloads were taken away, and which weeks were detached; and an index for the record of operator
-- actions. Locks: none but on the new tables, and SHARE on audit, which few write.

-- +goose Up
SET LOCAL lock_timeout = '2s';

-- How far the payloads of a definition's sagas were looked at. A pass goes on where it stopped, and begins again once a day at the
-- oldest saga that it had to pass over, because it was live or had just ended.
CREATE TABLE skald.retention (
	tenant  text        NOT NULL,
	saga    text        NOT NULL, -- the definition's name
	looked  uuid        NOT NULL, -- every saga up to it was looked at in this pass
	behind  uuid,                 -- the next pass begins after it; NULL: nothing was passed over
	pass_at timestamptz NOT NULL, -- when this pass began
	sagas   bigint      NOT NULL, -- that lost their payloads, ever
	bytes   bigint      NOT NULL, -- that they are smaller, ever
	PRIMARY KEY (tenant, saga)
);

-- The tables of weeks that retention took from their parents. A row is written before its table is detached.
CREATE TABLE skald.retention_tables (
	name        text        NOT NULL PRIMARY KEY,
	week        date        NOT NULL, -- its Monday
	bytes       bigint      NOT NULL,
	detached_at timestamptz,
	dropped_at  timestamptz           -- NULL: it is there, unless somebody else dropped it
);

CREATE INDEX audit_saga ON skald.audit (tenant, saga_id, seq) WHERE saga_id IS NOT NULL;

-- +goose Down
SET LOCAL lock_timeout = '2s';
DROP INDEX skald.audit_saga;
DROP TABLE skald.retention_tables;
DROP TABLE skald.retention;
