-- What requests and operators leave: definitions, keys that are taken once, holds, quarantine, the audit.
-- Locks: none but on the new tables.

-- +goose Up
SET LOCAL lock_timeout = '2s';

CREATE TABLE skald.definitions (
	tenant     text        NOT NULL,
	name       text        NOT NULL,
	version    integer     NOT NULL,
	state      text        NOT NULL CHECK (state IN ('inactive', 'active', 'retired')),
	hash       bytea       NOT NULL, -- SHA-256 over the canonical JSON
	content    bytea       NOT NULL, -- canonical JSON, as bytes (S22)
	source     bytea,                -- as it was given
	created_at timestamptz NOT NULL DEFAULT skald.clock(),
	PRIMARY KEY (tenant, name, version)
);

-- One live saga per tenant, saga and key; the row stays when its saga ends, and is given on to a later one.
CREATE TABLE skald.business_keys (
	tenant text  NOT NULL,
	saga   text  NOT NULL,
	key    text  NOT NULL,
	id     uuid  NOT NULL,
	hash   bytea NOT NULL, -- of the request
	PRIMARY KEY (tenant, saga, key)
);

CREATE TABLE skald.idempotency_keys (
	tenant text        NOT NULL,
	key    text        NOT NULL,
	id     uuid        NOT NULL,
	hash   bytea       NOT NULL, -- of the request
	answer bytea,                -- NULL: none stored
	at     timestamptz NOT NULL DEFAULT skald.clock(),
	PRIMARY KEY (tenant, key)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX idempotency_keys_at ON skald.idempotency_keys (at);

CREATE TABLE skald.holds (
	id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	tenant  text        NOT NULL,
	scope   text        NOT NULL CHECK (scope IN ('saga_type', 'participant', 'tenant', 'all')),
	name    text        NOT NULL, -- of the definition or the participant
	version integer     NOT NULL, -- of a definition; 0: every version
	from_at timestamptz NOT NULL DEFAULT skald.clock(),
	to_at   timestamptz,          -- when it was ended; NULL: it was not
	reason  text        NOT NULL,
	kind     text       NOT NULL CHECK (kind IN ('operator', 'breaker')),
	set_by   text       NOT NULL,
	ended_by text       NOT NULL DEFAULT '', -- '': nobody yet
	spread   bigint     NOT NULL DEFAULT 0,  -- microseconds from to_at on, over which sagas are let go in an order of their own
	rest_at  timestamptz,                    -- when the rest of them was let go at once; NULL: it was not
	quiet_at timestamptz,                    -- when nothing was in flight under it any more; NULL: not yet
	try_from timestamptz,                    -- of a breaker: from when a growing share of sagas is let through; NULL: never
	try_for  bigint     NOT NULL DEFAULT 0,  -- microseconds after which all are
	trips    integer    NOT NULL DEFAULT 0   -- of a breaker: how often it has opened in this outage
);
-- However many replicas open a breaker, it is one hold.
CREATE UNIQUE INDEX holds_breaker ON skald.holds (tenant, name) WHERE kind = 'breaker' AND to_at IS NULL;

CREATE TABLE skald.quarantine (
	id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at            timestamptz NOT NULL DEFAULT skald.clock(),
	tenant        text        NOT NULL, -- '': not known
	saga_id       uuid,                 -- NULL: not known
	reason        text        NOT NULL,
	message       text        NOT NULL,
	topic         text        NOT NULL,
	partition     integer     NOT NULL,
	record_offset bigint      NOT NULL,
	record_at     timestamptz NOT NULL,
	key           bytea,                -- these three NULL: none, or beyond the quota
	value         bytea,
	headers       bytea,                -- never NULL where the bytes were kept
	sha256        bytea       NOT NULL, -- of the value
	bytes         integer     NOT NULL, -- of the value
	token_sha256  bytea,                -- of the token, which is redacted in the headers; NULL: there was none
	fingerprint   text        NOT NULL, -- of the cause
	-- What was done about it last.
	state         text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'redriven', 'discarded')),
	outcome       text        NOT NULL DEFAULT '',
	why           text        NOT NULL DEFAULT '',
	handled_by    text        NOT NULL DEFAULT '',
	handled_for   text        NOT NULL DEFAULT '', -- the operator's reason
	handled_at    timestamptz,
	redrives      integer     NOT NULL DEFAULT 0,
	vouched       boolean     NOT NULL DEFAULT false,
	attempt       uuid,                 -- of the request that handled it
	-- A record is read again when its offset was not committed in time. The time tells a topic that was made anew.
	UNIQUE (topic, partition, record_offset, record_at)
);
CREATE INDEX quarantine_list ON skald.quarantine (tenant, id);
CREATE INDEX quarantine_waiting ON skald.quarantine (tenant, fingerprint, id) WHERE state = 'waiting';

CREATE TABLE skald.quarantine_quota (
	hour  timestamptz NOT NULL PRIMARY KEY,
	bytes bigint      NOT NULL -- offered within the hour
);

-- Keys that sign reply tokens: the newest signs, all verify.
CREATE TABLE skald.keys (
	kid        text        NOT NULL PRIMARY KEY,
	secret     bytea       NOT NULL,
	seq        bigint      GENERATED ALWAYS AS IDENTITY,
	created_at timestamptz NOT NULL DEFAULT skald.clock()
);

CREATE TABLE skald.audit (
	tenant  text        NOT NULL,
	seq     bigint      NOT NULL, -- 1, 2, ... per tenant
	at      timestamptz NOT NULL,
	actor   text        NOT NULL,
	action  text        NOT NULL,
	saga_id uuid,
	target  text        NOT NULL,
	entry   bytea       NOT NULL, -- what the hash covers
	hash    bytea       NOT NULL, -- SHA-256 over the hash before it and the entry
	PRIMARY KEY (tenant, seq)
);

-- The end of each tenant's chain; its lock makes the chain one line.
CREATE TABLE skald.audit_heads (
	tenant text   NOT NULL PRIMARY KEY,
	seq    bigint NOT NULL,
	hash   bytea  NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION skald.refuse() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
	RAISE EXCEPTION '% of %.%: it can only be added to', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON skald.audit FOR EACH STATEMENT EXECUTE FUNCTION skald.refuse();

-- Adds an entry to its tenant's chain. It runs as its owner, so that the engine's role needs no right to write the chain's end.
-- +goose StatementBegin
CREATE FUNCTION skald.append_audit(the_tenant text, at timestamptz, actor text, action text, saga_id uuid, target text, entry bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	head skald.audit_heads;
BEGIN
	INSERT INTO skald.audit_heads (tenant, seq, hash)
	VALUES (the_tenant, 0, decode(repeat('00', 32), 'hex'))
	ON CONFLICT DO NOTHING;
	UPDATE skald.audit_heads AS h
	SET seq = h.seq + 1, hash = sha256(h.hash || append_audit.entry)
	WHERE h.tenant = the_tenant
	RETURNING h.* INTO head;
	INSERT INTO skald.audit (tenant, seq, at, actor, action, saga_id, target, entry, hash)
	VALUES (the_tenant, head.seq, append_audit.at, append_audit.actor, append_audit.action, append_audit.saga_id, append_audit.target, append_audit.entry, head.hash);
END
$$;
-- +goose StatementEnd

-- +goose Down
SET LOCAL lock_timeout = '2s';
DROP FUNCTION skald.append_audit(text, timestamptz, text, text, uuid, text, bytea);
DROP TABLE skald.audit_heads;
DROP TABLE skald.audit;
DROP FUNCTION skald.refuse();
DROP TABLE skald.keys;
DROP TABLE skald.quarantine_quota;
DROP TABLE skald.quarantine;
DROP TABLE skald.holds;
DROP TABLE skald.idempotency_keys;
DROP TABLE skald.business_keys;
DROP TABLE skald.definitions;
