package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// manySagas are 60,000 over three weeks, in 30,000 minutes. What people look for is rare or old: sagas that wait were started in the first
// week, and everything since has completed.
const manySagas = `
INSERT INTO skald.sagas (shard, id, tenant, saga, version, key, status, revision, created_at, wake_at, labels, attention, causes, batches, instance, verdict)
SELECT
	i % 4096,
	overlay(skald.uuid_at(at)::text PLACING lpad(to_hex(i), 12, '0') FROM 25)::uuid,
	'default',
	CASE WHEN i = 7 THEN 'rare' ELSE 'common' END,
	1,
	'key-' || i,
	status,
	4,
	at,
	CASE WHEN status IN ('running', 'compensating', 'suspended') THEN now() + interval '1 day' END,
	jsonb_build_object('region', (ARRAY['eu', 'us'])[1 + i % 2], 'customer', 'c-' || i % 3000),
	CASE WHEN status = 'suspended' THEN '{undo_failed}' ELSE '{}' END::text[],
	CASE
		WHEN status = 'suspended' THEN '{attention}'
		WHEN i IN (21, 22) THEN '{hold}'
		WHEN status IN ('running', 'compensating') THEN '{reply}'
		ELSE '{}'
	END::text[],
	'{}',
	decode(repeat('00', 600), 'hex'),
	CASE status WHEN 'completed' THEN 'committed' WHEN 'abandoned' THEN 'residue' END
FROM (
	SELECT i, now() - interval '21 days' + i * interval '30 seconds' AS at,
		CASE
			WHEN i > 6000 THEN 'completed'
			WHEN i % 600 = 1 THEN 'suspended'
			WHEN i % 1000 = 2 THEN 'compensating'
			WHEN i % 1000 = 3 THEN 'abandoned'
			ELSE 'running'
		END AS status
	FROM generate_series(1, 60000) AS i
) AS s`

// TestLists_ReadLittle: a page of any list reads by index, and only a small part of what is stored, however rare or old what is
// looked for is.
func TestLists_ReadLittle(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	pool, err := OpenPool(t.Context(), PoolConfig{DSN: dsn, Role: RoleAPI, StatementTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	t.Cleanup(conn.Release)
	for _, sql := range []string{
		`CREATE OR REPLACE FUNCTION skald.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$SELECT clock_timestamp() - interval '3 weeks'$$`,
		`SELECT skald.make_partitions(4)`,
		`CREATE OR REPLACE FUNCTION skald.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()'`,
		manySagas,
		`ANALYZE skald.sagas`,
	} {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	week := 7 * 24 * time.Hour
	deep := saga.NewID(time.Now().Add(-2*week), 0, 0)
	cases := map[string]struct {
		q      orchestrator.SagaQuery
		found  int
		atMost int // rows read
	}{
		"all":              {q: orchestrator.SagaQuery{}, found: 51, atMost: 60},
		"deep":             {q: orchestrator.SagaQuery{Past: deep}, found: 51, atMost: 60},
		"oldest":           {q: orchestrator.SagaQuery{OldestFirst: true}, found: 51, atMost: 60},
		"oldest, deep":     {q: orchestrator.SagaQuery{OldestFirst: true, Past: deep}, found: 51, atMost: 60},
		"oldest that asks": {q: orchestrator.SagaQuery{OldestFirst: true, Attention: "any"}, found: 10, atMost: 20},
		"oldest of a key":  {q: orchestrator.SagaQuery{OldestFirst: true, Key: "key-59000"}, found: 1, atMost: 5},
		"created after":    {q: orchestrator.SagaQuery{CreatedAfter: time.Now().Add(-week)}, found: 51, atMost: 60},
		"created before":   {q: orchestrator.SagaQuery{CreatedBefore: time.Now().Add(-week)}, found: 51, atMost: 60},
		"completed":        {q: orchestrator.SagaQuery{Statuses: []saga.Status{saga.Completed}}, found: 51, atMost: 60},
		"running":          {q: orchestrator.SagaQuery{Statuses: []saga.Status{saga.Running}}, found: 51, atMost: 100},
		"suspended":        {q: orchestrator.SagaQuery{Statuses: []saga.Status{saga.Suspended}}, found: 10, atMost: 20},
		"abandoned":        {q: orchestrator.SagaQuery{Statuses: []saga.Status{saga.Abandoned}}, found: 6, atMost: 20},
		"live":             {q: orchestrator.SagaQuery{Statuses: []saga.Status{saga.Running, saga.Compensating, saga.Suspended}}, found: 51, atMost: 60},
		"rare ends":        {q: orchestrator.SagaQuery{Statuses: []saga.Status{saga.Compensated, saga.Abandoned}}, found: 6, atMost: 20},
		"saga":             {q: orchestrator.SagaQuery{Saga: "common"}, found: 51, atMost: 60},
		"rare saga":        {q: orchestrator.SagaQuery{Saga: "rare"}, found: 1, atMost: 5},
		"no such saga":     {q: orchestrator.SagaQuery{Saga: "nobody"}, found: 0, atMost: 5},
		"saga and status":  {q: orchestrator.SagaQuery{Saga: "common", Statuses: []saga.Status{saga.Suspended}}, found: 10, atMost: 20},
		"verdict":          {q: orchestrator.SagaQuery{Verdict: saga.Committed}, found: 51, atMost: 60},
		"rare verdict":     {q: orchestrator.SagaQuery{Verdict: saga.Residue}, found: 6, atMost: 20},
		"version":          {q: orchestrator.SagaQuery{Saga: "common", Version: 1}, found: 51, atMost: 60},
		"attention":        {q: orchestrator.SagaQuery{Attention: "any"}, found: 10, atMost: 20},
		"reason":           {q: orchestrator.SagaQuery{Attention: "undo_failed"}, found: 10, atMost: 20},
		"no such reason":   {q: orchestrator.SagaQuery{Attention: "stuck"}, found: 0, atMost: 20},
		"held":             {q: orchestrator.SagaQuery{BlockedOn: saga.CauseHold}, found: 2, atMost: 20},
		"in back-off":      {q: orchestrator.SagaQuery{BlockedOn: saga.CauseBackoff}, found: 0, atMost: 20},
		"reply":            {q: orchestrator.SagaQuery{BlockedOn: saga.CauseReply}, found: 51, atMost: 200},
		"unpublished":      {q: orchestrator.SagaQuery{BlockedOn: saga.CauseUnpublished}, found: 0, atMost: 0},
		// For whom a saga waits changes at each transition, so no index may know: these read the live sagas, 6,000 here, and no others.
		"participant":          {q: orchestrator.SagaQuery{Participant: "payments"}, found: 0, atMost: 6000},
		"held for participant": {q: orchestrator.SagaQuery{Participant: "payments", BlockedOn: saga.CauseHold}, found: 0, atMost: 20},
		"key":                  {q: orchestrator.SagaQuery{Key: "key-59000"}, found: 1, atMost: 5},
		"no such key":          {q: orchestrator.SagaQuery{Key: "key-0"}, found: 0, atMost: 5},
		"common label":         {q: orchestrator.SagaQuery{Labels: map[string]string{"region": "eu"}}, found: 51, atMost: 300},
		"label":                {q: orchestrator.SagaQuery{Labels: map[string]string{"customer": "c-17"}}, found: 20, atMost: 60},
		"no such label":        {q: orchestrator.SagaQuery{Labels: map[string]string{"customer": "nobody"}}, found: 0, atMost: 5},
		"labels":               {q: orchestrator.SagaQuery{Labels: map[string]string{"region": "us", "customer": "c-17"}}, found: 20, atMost: 60},
	}
	check := func(name string, q orchestrator.SagaQuery, found, atMost int) {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			q.Tenant, q.Limit = "default", 50
			args, err := filters(&q)
			require.NoError(t, err)
			plan := execute(t, conn.Conn(), pageOf(&q), args.with(bounds(&q), q.Limit+1))
			require.EqualValues(t, found, plan["Actual Rows"], pretty(plan))
			read := 0.0
			walk(plan, func(node map[string]any) {
				if table, _ := node["Relation Name"].(string); !strings.HasPrefix(table, "sagas") {
					return
				}
				here := 0.0
				for _, count := range []string{"Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"} {
					n, _ := node[count].(float64)
					here += n * node["Actual Loops"].(float64)
				}
				read += here
				require.False(t, here > 0 && node["Node Type"] == "Seq Scan", "it reads a week's sagas whole:\n%s", pretty(plan))
			})
			require.LessOrEqual(t, read, float64(atMost), "it reads more than it needs:\n%s", pretty(plan))
		})
	}
	for name, c := range cases {
		check(name, c.q, c.found, c.atMost)
	}
	// Which commands wait to be published is known to the outbox alone, and where it is empty nothing is read; else the live sagas, and no
	// others.
	_, err = conn.Exec(t.Context(), `INSERT INTO skald.outbox (batch, retry_at, tried, waiting, records) VALUES (gen_random_uuid(), now(), false, '{}', '')`)
	require.NoError(t, err)
	check("unpublished with an outbox", orchestrator.SagaQuery{BlockedOn: saga.CauseUnpublished}, 0, 6000)
}

// While Kafka is away the outbox is large, and people look: it is read once, and not once for each saga that waits.
func TestLists_ReadTheOutboxOnce(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	pool, err := OpenPool(t.Context(), PoolConfig{DSN: dsn, Role: RoleAPI})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	t.Cleanup(conn.Release)
	for _, sql := range []string{
		`INSERT INTO skald.sagas (shard, id, tenant, saga, version, key, status, revision, created_at, wake_at, attention, causes, batches, instance)
		SELECT i, overlay(skald.uuid_at(now())::text PLACING lpad(to_hex(i), 12, '0') FROM 25)::uuid, 'default', 'a', 1, '', 'running', 1, now(), now(),
			'{}', '{reply}', ARRAY[gen_random_uuid()], ''
		FROM generate_series(1, 2000) AS i`,
		`INSERT INTO skald.outbox (batch, retry_at, tried, waiting, records) SELECT gen_random_uuid(), now(), false, '{}', '' FROM generate_series(1, 600)`,
	} {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	list := func(cause saga.Cause) []any {
		q := orchestrator.SagaQuery{Tenant: "default", Limit: 50, BlockedOn: cause}
		args, err := filters(&q)
		require.NoError(t, err)
		return args.with(bounds(&q), q.Limit+1)
	}
	for name, c := range map[string]struct {
		sql   string
		args  []any
		found int
	}{
		"unpublished": {sqlSagas, list(saga.CauseUnpublished), 0},
		"reply":       {sqlSagas, list(saga.CauseReply), 51},
		"stats":       {sqlStats, []any{"default"}, 1},
	} {
		plan := execute(t, conn.Conn(), c.sql, c.args)
		require.EqualValues(t, c.found, plan["Actual Rows"], name)
		read := 0.0
		walk(plan, func(node map[string]any) {
			if node["Relation Name"] == "outbox" {
				read += node["Actual Rows"].(float64) * node["Actual Loops"].(float64)
			}
		})
		require.LessOrEqual(t, read, 1300.0, "%s reads the outbox again and again:\n%s", name, pretty(plan))
	}
}

// The indexes that lists go by cost a saga's transitions nothing: none holds a column that changes at each.
func TestTransitions_TouchNoIndex(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	_, err = conn.Exec(t.Context(), `
		INSERT INTO skald.sagas (shard, id, tenant, saga, version, key, status, revision, created_at, wake_at, labels, attention, causes, batches, instance)
		VALUES (1, skald.uuid_at(now()), 'default', 'a', 1, 'k', 'running', 1, now(), now(), '{"a": "b"}', '{}', '{reply}', '{}', '')`)
	require.NoError(t, err)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(context.Background())) }()
	_, err = tx.Exec(t.Context(), `
		UPDATE skald.sagas
		SET version = 1, status = 'running', revision = 2, attention = '{}', causes = '{reply}', batches = ARRAY[gen_random_uuid()], instance = 'next'`)
	require.NoError(t, err)
	var updated, hot int
	require.NoError(t, tx.QueryRow(t.Context(), `SELECT sum(n_tup_upd), sum(n_tup_hot_upd) FROM pg_stat_xact_user_tables WHERE relname LIKE 'sagas%'`).Scan(&updated, &hot))
	require.Equal(t, 1, updated)
	require.Equal(t, 1, hot, "an index on what changes at every transition ends HOT updates")
}

// execute runs a statement, as the API's pool plans it, and answers its plan with what was read.
func execute(t *testing.T, conn *pgx.Conn, sql string, args []any) map[string]any {
	t.Helper()
	return explained(t, conn, "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON, COSTS OFF)", sql, args)
}
