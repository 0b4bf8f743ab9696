-- The verdict of each saga that has ended, so that a list of those that left something behind reads no other.
-- Locks: ACCESS EXCLUSIVE on sagas for a moment, and SHARE while the index is built: the committer waits for it. Sagas that ended before
-- have no verdict here (their certificate has): a list by verdict leaves them out.

-- +goose Up
SET LOCAL lock_timeout = '2s';

ALTER TABLE skald.sagas ADD COLUMN verdict text; -- NULL: it has not ended
CREATE INDEX sagas_verdict ON skald.sagas (tenant, verdict, id) WHERE verdict IN ('cleanly_aborted', 'residue');

-- +goose Down
SET LOCAL lock_timeout = '2s';
ALTER TABLE skald.sagas DROP COLUMN verdict;
