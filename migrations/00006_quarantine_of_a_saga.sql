-- Quarantined records that are about one saga: reading a saga names those that wait for a person.
-- Locks: SHARE on quarantine while the index is built, so records that cannot be applied wait for it; there are few.

-- +goose Up
SET LOCAL lock_timeout = '2s';

CREATE INDEX quarantine_saga ON skald.quarantine (saga_id, id) WHERE state = 'waiting' AND saga_id IS NOT NULL;

-- +goose Down
SET LOCAL lock_timeout = '2s';

DROP INDEX skald.quarantine_saga;
