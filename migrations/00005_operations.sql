-- Operations: one action over many sagas, worked on in slices by whichever replica takes one.
-- Locks: none but on the new tables.

-- +goose Up
SET LOCAL lock_timeout = '2s';

CREATE TABLE skald.operations (
	id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	tenant          text        NOT NULL,
	actor           text        NOT NULL,
	request         bytea       NOT NULL, -- action, filter, arguments, reason, rate
	idempotency_key text,                 -- NULL: none
	state           text        NOT NULL DEFAULT 'gathering' CHECK (state IN ('gathering', 'running', 'completed', 'cancelled')),
	paused          boolean     NOT NULL DEFAULT false,
	created_at      timestamptz NOT NULL DEFAULT skald.clock(), -- no later saga belongs to it
	started_at      timestamptz,          -- when all its sagas were known
	ended_at        timestamptz,
	total           bigint      NOT NULL DEFAULT 0,
	succeeded       bigint      NOT NULL DEFAULT 0,
	refused         bigint      NOT NULL DEFAULT 0,
	failed          bigint      NOT NULL DEFAULT 0,
	gathered        uuid,                 -- the sagas from the newest down to this one are known
	lease           bigint      NOT NULL DEFAULT 0, -- grows with each slice: what an older one writes is refused
	due_at          timestamptz NOT NULL DEFAULT skald.clock(), -- when the next slice may be taken; beyond it the one who has it is taken for dead
	CHECK ((state IN ('completed', 'cancelled')) = (ended_at IS NOT NULL)),
	CHECK (succeeded + refused + failed <= total)
) WITH (fillfactor = 70);
CREATE INDEX operations_due ON skald.operations (due_at) WHERE state IN ('gathering', 'running') AND NOT paused;
CREATE INDEX operations_list ON skald.operations (tenant, id);
CREATE UNIQUE INDEX operations_idempotency ON skald.operations (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- A row for each saga of an operation, from the moment that it is known to belong to it.
CREATE TABLE skald.operation_sagas (
	operation_id bigint      NOT NULL,
	saga_id      uuid        NOT NULL,
	outcome      text        CHECK (outcome IN ('succeeded', 'refused', 'failed')), -- NULL: not done yet
	code         text        NOT NULL DEFAULT '',
	message      text        NOT NULL DEFAULT '',
	revision     bigint      NOT NULL DEFAULT 0, -- that it led to
	at           timestamptz,
	PRIMARY KEY (operation_id, saga_id)
) WITH (fillfactor = 80);
CREATE INDEX operation_sagas_left ON skald.operation_sagas (operation_id, saga_id) WHERE outcome IS NULL;

-- +goose Down
SET LOCAL lock_timeout = '2s';
DROP TABLE skald.operation_sagas;
DROP TABLE skald.operations;
