-- The hot tables: sagas, their history, the outbox and its receipts.
-- Locks: none but on the new tables.
--
-- sagas, history and receipts are partitioned by a week of their UUIDv7 ids, so that retention detaches whole partitions. No
-- foreign keys between them: they would lock hot rows, and stand in the way of detaching.

-- +goose Up
SET LOCAL lock_timeout = '2s';

CREATE TABLE skald.sagas (
	shard      smallint    NOT NULL, -- the 12 bits that the id names
	id         uuid        NOT NULL,
	tenant     text        NOT NULL,
	saga       text        NOT NULL,
	version    integer     NOT NULL,
	key        text        NOT NULL, -- '': none
	status     text        NOT NULL,
	revision   bigint      NOT NULL,
	created_at timestamptz NOT NULL,
	wake_at    timestamptz,          -- on a grid of 10 s, so that a fast saga's transitions leave its index alone
	labels     jsonb,                -- NULL: none
	attention  text[]      NOT NULL, -- reasons
	causes     text[]      NOT NULL, -- why it waits; unpublished is kept as reply, the outbox tells them apart
	waits      text[]      NOT NULL DEFAULT '{}', -- a cause and whom it is about, such as 'reply payments'; in no index
	batches    uuid[]      NOT NULL, -- of open commands; not indexed: the load joins the outbox with it
	instance   bytea       NOT NULL,
	blanked_at timestamptz,          -- when retention took the payloads away; NULL: they are there
	PRIMARY KEY (shard, id),
	CONSTRAINT sagas_status CHECK (status IN ('running', 'compensating', 'suspended', 'completed', 'compensated', 'abandoned')),
	-- L2: not terminal means that there is a time to look at it again.
	CONSTRAINT sagas_wake_at CHECK ((status IN ('completed', 'compensated', 'abandoned')) = (wake_at IS NULL))
) PARTITION BY RANGE (id);

-- No index may hold a column that changes at every transition: that would end HOT updates.
-- The time of creation is the database's, that in the id a replica's: between the two a list by time reads the index alone.
CREATE INDEX sagas_list ON skald.sagas (tenant, id, created_at);
CREATE INDEX sagas_key ON skald.sagas (tenant, key, id) WHERE key <> '';
CREATE INDEX sagas_live ON skald.sagas (wake_at, id) WHERE wake_at IS NOT NULL;
-- What lists look for is often rare, or old: a page must not read through all that has completed since. Most sagas never enter those
-- below but the first two; the columns in their conditions change with wake_at, or seldom.
CREATE INDEX sagas_saga ON skald.sagas (tenant, saga, id);
CREATE INDEX sagas_waiting ON skald.sagas (tenant, id) WHERE wake_at IS NOT NULL;
CREATE INDEX sagas_status ON skald.sagas (tenant, status, id) WHERE status IN ('compensating', 'suspended', 'compensated', 'abandoned');
CREATE INDEX sagas_attention ON skald.sagas (tenant, id) WHERE attention <> '{}';
CREATE INDEX sagas_blocked ON skald.sagas (tenant, id) WHERE causes && '{backoff,hold,attention}';
-- Without a pending list: each query would read it, and a transaction of the committer would have to clear it.
CREATE INDEX sagas_labels ON skald.sagas USING gin (labels jsonb_path_ops) WITH (fastupdate = off) WHERE labels IS NOT NULL;

CREATE TABLE skald.history (
	shard   smallint NOT NULL,
	saga_id uuid     NOT NULL,
	seq     bigint   NOT NULL, -- of the first fact in the row; facts count 1, 2, ... without holes (S4)
	batch   uuid     NOT NULL, -- the transaction that wrote them, and of a command its row in receipts
	facts   bytea    NOT NULL, -- all that the transaction added: a row for each would be twice the writes
	PRIMARY KEY (shard, saga_id, seq)
) PARTITION BY RANGE (saga_id);

CREATE TABLE skald.receipts (
	batch uuid  NOT NULL PRIMARY KEY,
	acks  bytea NOT NULL -- where each record stands in Kafka; grows at its end when a batch is settled in parts
) PARTITION BY RANGE (batch);

CREATE TABLE skald.outbox (
	batch    uuid        NOT NULL PRIMARY KEY,
	retry_at timestamptz NOT NULL, -- before it the row is its owner's to publish; infinity: a batch given up as lost
	tried    boolean     NOT NULL, -- somebody may have published it
	waiting  integer[]   NOT NULL, -- indexes of records that are not settled yet
	records  bytea       NOT NULL
) WITH (
	autovacuum_vacuum_scale_factor = 0,
	autovacuum_vacuum_threshold = 1000,
	autovacuum_vacuum_cost_delay = 0
);
-- Compressing a batch costs more time than writing it.
ALTER TABLE skald.outbox ALTER COLUMN records SET STORAGE EXTERNAL;
CREATE INDEX outbox_retry_at ON skald.outbox (retry_at);

-- Makes the partitions of sagas, history and receipts from last week (clocks differ) to the week that is `weeks` ahead. It runs
-- as its owner, so that the engine's role needs no right to make tables. Each is made first and attached then: making one in
-- place would lock out every reader and writer of the parent, attaching takes SHARE UPDATE EXCLUSIVE on it.
-- +goose StatementBegin
CREATE FUNCTION skald.make_partitions(weeks integer, OUT made integer, OUT until timestamptz)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '2s'
AS $$
DECLARE
	parent text;
	child  text;
	start  timestamptz;
BEGIN
	IF weeks NOT BETWEEN 1 AND 26 THEN
		RAISE EXCEPTION 'partitions for % weeks ahead: want 1 to 26', weeks USING ERRCODE = 'invalid_parameter_value';
	END IF;
	made := 0;
	FOREACH parent IN ARRAY ARRAY['sagas', 'history', 'receipts'] LOOP
		FOR start IN
			SELECT generate_series(date_trunc('week', now) - interval '1 week', date_trunc('week', now + weeks * interval '1 week'), interval '1 week')
			FROM (SELECT skald.clock() AS now) AS c
		LOOP
			until := start + interval '1 week';
			child := parent || '_' || to_char(start, 'YYYYMMDD');
			CONTINUE WHEN to_regclass('skald.' || child) IS NOT NULL;
			EXECUTE format('LOCK TABLE skald.%I IN SHARE UPDATE EXCLUSIVE MODE', parent);
			CONTINUE WHEN to_regclass('skald.' || child) IS NOT NULL;
			EXECUTE format('CREATE TABLE skald.%I (LIKE skald.%I INCLUDING ALL)', child, parent);
			IF parent = 'sagas' THEN
				EXECUTE format('ALTER TABLE skald.%I SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, '
					'autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0)', child);
			ELSIF parent = 'history' THEN
				EXECUTE format('ALTER TABLE skald.%I SET (autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.1)', child);
			END IF;
			EXECUTE format('ALTER TABLE skald.%I ATTACH PARTITION skald.%I FOR VALUES FROM (%L) TO (%L)',
				parent, child, skald.uuid_at(start), skald.uuid_at(until));
			made := made + 1;
		END LOOP;
	END LOOP;
END
$$;
-- +goose StatementEnd

SELECT skald.make_partitions(4);

-- +goose Down
SET LOCAL lock_timeout = '2s';
DROP FUNCTION skald.make_partitions(integer);
DROP TABLE skald.outbox;
DROP TABLE skald.receipts;
DROP TABLE skald.history;
DROP TABLE skald.sagas;
