package orchestrator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// startsDatabase is a live engine that starts what is asked for in SQL.
type startsDatabase struct {
	*running
	dsn      string
	store    *postgres.Store
	owner    *pgx.Conn // of the schema
	requests *requestsThatFail
}

// requestsThatFail are the requests of a database, with what a test has go wrong.
type requestsThatFail struct {
	*postgres.StartRequests
	deaf   atomic.Bool // hints are not heard
	mute   atomic.Bool // answers are not stored
	muted  atomic.Int64
	hinted atomic.Int64 // how often it returned from waiting
}

func (r *requestsThatFail) AwaitStartRequests(ctx context.Context, d time.Duration) error {
	if r.deaf.Load() {
		return errors.New("nobody listens")
	}
	err := r.StartRequests.AwaitStartRequests(ctx, d)
	r.hinted.Add(1)
	return err
}

func (r *requestsThatFail) AnswerStartRequests(ctx context.Context, answers []orchestrator.StartAnswered) error {
	if r.mute.Load() {
		r.muted.Add(1)
		return errors.New("the connection is lost")
	}
	return r.StartRequests.AnswerStartRequests(ctx, answers)
}

func startsInSQL(t *testing.T, change func(*orchestrator.Config, *requestsThatFail)) *startsDatabase {
	t.Helper()
	b := &startsDatabase{dsn: embeddedtest.Database(t)}
	ctx := context.Background()
	_, err := migrations.Up(ctx, b.dsn)
	require.NoError(t, err)
	cfg := postgres.Config{}
	for role, pool := range map[postgres.Role]**pgxpool.Pool{postgres.RoleEngine: &cfg.Engine, postgres.RoleAPI: &cfg.API} {
		*pool, err = postgres.OpenPool(ctx, postgres.PoolConfig{DSN: b.dsn, Role: role})
		require.NoError(t, err)
		t.Cleanup((*pool).Close)
	}
	b.store = postgres.New(cfg)
	b.owner = b.connect(t)
	b.requests = &requestsThatFail{StartRequests: b.store.StartRequests()}
	t.Cleanup(func() { require.NoError(t, b.requests.Close(ctx)) })
	engine := config(t, b.store, b.store, b.store, &fakeBroker{now: time.Now})
	engine.StartRequests, engine.StartRules = b.requests, startRules()
	engine.SweepEvery = time.Hour // but for hints nothing would start within the test
	change(&engine, b.requests)
	b.running = run(t, engine)
	for _, src := range []string{orderDefinition, errandDefinition} {
		_, _, err := b.PutDefinition(ctx, tenant, []byte(src), true, "tester", "")
		require.NoError(t, err)
	}
	return b
}

func asIs(*orchestrator.Config, *requestsThatFail) {}

func (b *startsDatabase) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), b.dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	return conn
}

// caller is a connection of a role of its own, by the recipe of docs/operations.md; tenant "": it has none.
func (b *startsDatabase) caller(t *testing.T, tenant string) (*pgx.Conn, string) {
	t.Helper()
	role := fmt.Sprintf("caller_%s_%d", strings.ReplaceAll(tenant, "-", "_"), time.Now().UnixNano())
	b.exec(t, b.owner, `CREATE ROLE `+role)
	t.Cleanup(func() {
		_, err := b.owner.Exec(context.Background(), `DROP OWNED BY `+role+` CASCADE; DROP ROLE `+role)
		require.NoError(t, err)
	})
	b.exec(t, b.owner, `GRANT USAGE ON SCHEMA skald TO `+role)
	b.exec(t, b.owner, `GRANT EXECUTE ON FUNCTION skald.start_saga, skald.start_status TO `+role)
	if tenant != "" {
		b.exec(t, b.owner, `INSERT INTO skald.start_roles (role, tenant) VALUES ($1, $2)`, role, tenant)
	}
	conn := b.connect(t)
	b.exec(t, conn, `SET SESSION AUTHORIZATION `+role)
	return conn, role
}

func (b *startsDatabase) exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	_, err := conn.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

type startStatus struct{ state, saga, code, message string }

func (b *startsDatabase) status(t *testing.T, conn *pgx.Conn, id string) (s startStatus) {
	t.Helper()
	err := conn.QueryRow(t.Context(), `SELECT state, coalesce(saga_id::text, ''), code, message FROM skald.start_status($1)`, id).Scan(&s.state, &s.saga, &s.code, &s.message)
	if errors.Is(err, pgx.ErrNoRows) {
		return startStatus{}
	}
	require.NoError(t, err)
	return s
}

func (b *startsDatabase) awaitStatus(t *testing.T, conn *pgx.Conn, id, state string) (s startStatus) {
	t.Helper()
	await(t, "request "+id+" is "+state, func() bool { s = b.status(t, conn, id); return s.state == state })
	return s
}

func (b *startsDatabase) count(t *testing.T, tenant string) int {
	t.Helper()
	page, err := b.store.Sagas(t.Context(), orchestrator.SagaQuery{Tenant: tenant, Limit: 100})
	require.NoError(t, err)
	return len(page.Sagas)
}

// A saga starts exactly when the caller's transaction commits, with the bytes that were written.
func TestStartSQL_WithTheCallersTransaction(t *testing.T) {
	t.Parallel()
	b := startsInSQL(t, asIs)
	conn, role := b.caller(t, tenant)
	await(t, "it listens", func() bool { return b.requests.hinted.Load() > 0 })
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	var gone string
	require.NoError(t, tx.QueryRow(t.Context(), `SELECT skald.start_saga('errand', '{"never":true}')`).Scan(&gone))
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, startStatus{}, b.status(t, conn, gone))

	const input = "{\"id\":\"A-1\",  \"count\":1, \"note\":\"\\u00e9 é \\u0000\"}"
	tx, err = conn.Begin(t.Context())
	require.NoError(t, err)
	var id string
	require.NoError(t, tx.QueryRow(t.Context(), `SELECT skald.start_saga(saga => 'order', input => $1, labels => '{"channel":"till"}', version => 1)`, input).Scan(&id))
	require.NoError(t, tx.Commit(t.Context()))
	got := b.awaitStatus(t, conn, id, "started")
	sagaID, err := saga.ParseID(got.saga)
	require.NoError(t, err)
	view, err := b.store.Saga(t.Context(), tenant, sagaID)
	require.NoError(t, err)
	require.Equal(t, input, string(view.Instance.Input), "byte for byte (S22)")
	require.Equal(t, map[string]string{"channel": "till"}, view.Instance.Labels)
	entries, err := b.store.History(t.Context(), tenant, sagaID, 0, 1)
	require.NoError(t, err)
	require.Equal(t, "role "+role, entries[0].Fact.By)
	require.Equal(t, 1, b.count(t, tenant), "what was rolled back starts nothing, and the other starts once")
}

func TestStartSQL_TheSameIDAgain(t *testing.T) {
	t.Parallel()
	b := startsInSQL(t, asIs)
	mine, _ := b.caller(t, tenant)
	_, _, err := b.PutDefinition(t.Context(), "acme", []byte(errandDefinition), true, "tester", "")
	require.NoError(t, err)
	theirs, _ := b.caller(t, "acme")
	for _, conn := range []*pgx.Conn{mine, mine, theirs} {
		b.exec(t, conn, `SELECT skald.start_saga('errand', '{"n":1}', id => 'till-1')`)
	}
	a, c := b.awaitStatus(t, mine, "till-1", "started"), b.awaitStatus(t, theirs, "till-1", "started")
	require.NotEqual(t, a.saga, c.saga, "another tenant's id is another (S23)")
	b.exec(t, mine, `SELECT skald.start_saga('errand', '{"n":1}', id => 'till-1')`)
	_, err = mine.Exec(t.Context(), `SELECT skald.start_saga('errand', '{"n":2}', id => 'till-1')`)
	requireCode(t, err, "23505", "used for another start")
	require.Equal(t, 1, b.count(t, tenant))
	require.Equal(t, 1, b.count(t, "acme"))
}

func requireCode(t *testing.T, err error, code, message string) *pgconn.PgError {
	t.Helper()
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg)
	require.Equal(t, code, pg.Code)
	require.Contains(t, pg.Message, message)
	return pg
}

func TestStartSQL_WhoMay(t *testing.T) {
	t.Parallel()
	b := startsInSQL(t, asIs)
	nobody, role := b.caller(t, "")
	_, err := nobody.Exec(t.Context(), `SELECT skald.start_saga('errand', '{}')`)
	pg := requireCode(t, err, "42501", "starts sagas of no tenant")
	require.Contains(t, pg.Message, role)
	require.Contains(t, pg.Hint, fmt.Sprintf("INSERT INTO skald.start_roles (role, tenant) VALUES ('%s'", role), "the error names the remedy")
	b.exec(t, b.owner, strings.TrimPrefix(pg.Hint[strings.Index(pg.Hint, "INSERT"):], ""))
	b.exec(t, nobody, `SELECT skald.start_saga('errand', '{}')`)

	_, err = nobody.Exec(t.Context(), `SELECT * FROM skald.start_requests`)
	requireCode(t, err, "42501", "permission denied")
	_, err = nobody.Exec(t.Context(), `INSERT INTO skald.start_roles VALUES ('x', 'acme')`)
	requireCode(t, err, "42501", "permission denied")
	_, err = nobody.Exec(t.Context(), `SELECT skald.append_audit('default', now(), 'ada', 'pause', NULL, '', '\x01')`)
	requireCode(t, err, "42501", "permission denied")

	// SET ROLE lends no tenant: it is the session's role that counts.
	other, _ := b.caller(t, "acme")
	_, rich := b.caller(t, tenant)
	b.exec(t, b.owner, fmt.Sprintf(`GRANT %s TO %s`, rich, sessionUser(t, other)))
	b.exec(t, other, `SET ROLE `+rich)
	b.exec(t, other, `SELECT skald.start_saga('errand', '{}', id => 'lent')`)
	var of string
	require.NoError(t, b.owner.QueryRow(t.Context(), `SELECT tenant FROM skald.start_requests WHERE id = 'lent'`).Scan(&of))
	require.Equal(t, "acme", of)
	b.exec(t, other, `RESET ROLE`)
}

func sessionUser(t *testing.T, conn *pgx.Conn) (name string) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT session_user`).Scan(&name))
	return name
}

// Whoever calls with a search_path of traps, and tables of their own, gains nothing: no trap is called, and the tenant is theirs.
func TestStartSQL_AHostileSearchPath(t *testing.T) {
	t.Parallel()
	b := startsInSQL(t, asIs)
	conn, role := b.caller(t, "acme")
	b.exec(t, b.owner, `CREATE SCHEMA evil AUTHORIZATION `+role)
	for _, sql := range []string{
		`CREATE TABLE evil.sprung (by text)`,
		`CREATE FUNCTION evil.spring(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.sprung VALUES (current_user); RETURN $1; END $$`,
		`CREATE FUNCTION evil.octet_length(text) RETURNS integer LANGUAGE sql AS $$ SELECT length(evil.spring($1)) $$`,
		`CREATE FUNCTION evil.pg_notify(text, text) RETURNS void LANGUAGE sql AS $$ SELECT evil.spring($1) $$`,
		`CREATE FUNCTION evil.quote_literal(text) RETURNS text LANGUAGE sql AS $$ SELECT evil.spring($1) $$`,
		`CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.spring($1) IS NOT NULL $$`,
		`CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same)`,
		`CREATE OPERATOR evil.!~ (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same)`,
		`CREATE TEMP TABLE start_roles AS SELECT session_user::text AS role, 'default'::text AS tenant`,
		`CREATE TEMP TABLE start_requests (tenant text, id text)`,
		`SET search_path = evil, pg_temp, pg_catalog`,
		`SET standard_conforming_strings = off`,
		`SELECT skald.start_saga('errand', '{}', 'k', id => 'h-1')`,
		`SELECT * FROM skald.start_status('h-1')`,
	} {
		b.exec(t, conn, sql)
	}
	_, err := conn.Exec(t.Context(), `SELECT skald.start_saga('Errand', '{}')`)
	requireCode(t, err, "22023", "is no name of a definition")
	var sprung int
	require.NoError(t, b.owner.QueryRow(t.Context(), `SELECT count(*) FROM evil.sprung`).Scan(&sprung))
	require.Zero(t, sprung)
	var of string
	require.NoError(t, b.owner.QueryRow(t.Context(), `SELECT tenant FROM skald.start_requests WHERE id = 'h-1'`).Scan(&of))
	require.Equal(t, "acme", of)
	require.Zero(t, b.count(t, tenant))
}

func TestStartSQL_WrongArguments(t *testing.T) {
	t.Parallel()
	b := startsInSQL(t, asIs)
	conn, _ := b.caller(t, tenant)
	for args, message := range map[string]string{
		`NULL, '{}'`:                             "NULL is no name",
		`'a', NULL`:                              "want JSON",
		`'a', '{'`:                               "invalid input syntax for type json",
		`'a', to_json(repeat('x', 262144))`:      "larger than 262144 bytes",
		`'a', '{}', version => 0`:                "want 1 or more",
		`'a', '{}', key => repeat('x', 513)`:     "at most 512 bytes",
		`'a', '{}', id => ''`:                    "1 to 255 bytes",
		`'a', '{}', id => E'a\nb'`:               "without control characters",
		`'a', '{}', labels => '{"a":1}'`:         "object of strings",
		`'a', '{}', labels => '["a"]'`:           "object of strings",
		`'a', '{}', id => repeat('\u00e9', 250)`: "1 to 255 bytes",
	} {
		_, err := conn.Exec(t.Context(), `SELECT skald.start_saga(`+args+`)`)
		require.ErrorContains(t, err, message, args)
	}
	var rows int
	require.NoError(t, b.owner.QueryRow(t.Context(), `SELECT count(*) FROM skald.start_requests`).Scan(&rows))
	require.Zero(t, rows)
}

// A refused one says so to who asked and to operators; mended and redriven, it has its saga.
func TestStartSQL_RefusedAndRedriven(t *testing.T) {
	t.Parallel()
	b := startsInSQL(t, asIs)
	conn, _ := b.caller(t, tenant)
	b.exec(t, conn, `SELECT skald.start_saga('later', '{"n":1}', id => 'r-1')`)
	b.exec(t, conn, `SELECT skald.start_saga('order', '{"id":"A-1","count":0}', id => 'r-2')`)
	got := b.awaitStatus(t, conn, "r-1", "refused")
	require.Equal(t, "unknown_saga", got.code)
	require.NotEmpty(t, got.message)
	require.Equal(t, "invalid", b.awaitStatus(t, conn, "r-2", "refused").code)
	list, err := b.store.Quarantine(t.Context(), orchestrator.QuarantineQuery{Tenant: tenant, Limit: 10, Topic: orchestrator.StartRequestsTopic, OldestFirst: true})
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "start_unknown_saga", list[0].Quarantined.Reason)

	again, err := b.HandleQuarantined(t.Context(), redrive(list[0].ID))
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineAgain, again.Outcome)
	require.Equal(t, "refused", b.status(t, conn, "r-1").state)
	_, _, err = b.PutDefinition(t.Context(), tenant, []byte(strings.Replace(errandDefinition, "saga: errand", "saga: later", 1)), true, "tester", "")
	require.NoError(t, err)
	done, err := b.HandleQuarantined(t.Context(), redrive(list[0].ID))
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineApplied, done.Outcome)
	got = b.status(t, conn, "r-1")
	require.Equal(t, startStatus{state: "started", saga: done.Saga.String()}, got)
	require.Equal(t, 1, b.count(t, tenant))
}

// L6: a hint is a hint. Nobody hears it, and the sweep starts the saga.
func TestStartSQL_TheSweepFindsWhatNobodyHeard(t *testing.T) {
	t.Parallel()
	b := startsInSQL(t, func(c *orchestrator.Config, r *requestsThatFail) {
		c.SweepEvery = 20 * time.Millisecond
		r.deaf.Store(true)
	})
	conn, _ := b.caller(t, tenant)
	b.exec(t, conn, `SELECT skald.start_saga('errand', '{}', id => 's-1')`)
	b.awaitStatus(t, conn, "s-1", "started")
}

// A listening connection that the server ends is made again, and what was asked for meanwhile is found.
func TestStartSQL_TheListenerIsLost(t *testing.T) {
	t.Parallel()
	b := startsInSQL(t, func(c *orchestrator.Config, _ *requestsThatFail) { c.SweepEvery = 100 * time.Millisecond })
	conn, _ := b.caller(t, tenant)
	await(t, "it listens", func() bool { return b.requests.hinted.Load() > 0 })
	b.exec(t, b.owner, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query = $1`, "LISTEN "+postgres.StartsChannel)
	b.exec(t, conn, `SELECT skald.start_saga('errand', '{}', id => 's-1')`)
	b.awaitStatus(t, conn, "s-1", "started")
	heard := b.requests.hinted.Load()
	await(t, "it listens again", func() bool { return b.requests.hinted.Load() > heard+1 })
}

// A replica that dies between a start's commit and its answer leaves a request that is taken again, and starts nothing more.
func TestStartSQL_KilledBetweenCommitAndAnswer(t *testing.T) {
	t.Parallel()
	b := startsInSQL(t, func(c *orchestrator.Config, r *requestsThatFail) {
		c.SweepEvery = 20 * time.Millisecond
		r.mute.Store(true)
	})
	conn, _ := b.caller(t, tenant)
	b.exec(t, conn, `SELECT skald.start_saga('errand', '{}', id => 's-1')`)
	await(t, "it was started, and its answer lost", func() bool { return b.requests.muted.Load() == 1 })
	require.Equal(t, 1, b.count(t, tenant))
	require.Equal(t, "waiting", b.status(t, conn, "s-1").state)
	b.requests.mute.Store(false)
	b.exec(t, b.owner, `UPDATE skald.start_requests SET due_at = skald.clock()`) // the lease is over
	b.awaitStatus(t, conn, "s-1", "started")
	require.Equal(t, 1, b.count(t, tenant))
}

// A refusal of a replica that was taken for dead changes nothing: another has the request now, and may have started its saga.
func TestStartSQL_ALateRefusalIsNone(t *testing.T) {
	t.Parallel()
	b := startsInSQL(t, func(c *orchestrator.Config, _ *requestsThatFail) { c.StartRequests = nil })
	conn, _ := b.caller(t, tenant)
	b.exec(t, conn, `SELECT skald.start_saga('errand', '{}', id => 's-1')`)
	take := func() orchestrator.StartAsked {
		asked, err := b.requests.TakeStartRequests(t.Context(), 10, time.Minute)
		require.NoError(t, err)
		require.Len(t, asked, 1)
		return asked[0]
	}
	answer := func(a orchestrator.StartAnswered) string {
		require.NoError(t, b.requests.AnswerStartRequests(t.Context(), []orchestrator.StartAnswered{a}))
		return b.status(t, conn, "s-1").state
	}
	first := take()
	none, err := b.requests.TakeStartRequests(t.Context(), 10, time.Minute)
	require.NoError(t, err)
	require.Empty(t, none, "it is leased")
	b.exec(t, b.owner, `UPDATE skald.start_requests SET due_at = skald.clock()`) // the lease is over
	second := take()
	require.Equal(t, "waiting", answer(orchestrator.StartAnswered{Seq: first.Seq, Until: first.Until, Code: "key_in_use"}))
	require.Equal(t, "refused", answer(orchestrator.StartAnswered{Seq: second.Seq, Until: second.Until, Code: "key_in_use"}))
	id := saga.NewID(time.Now(), 1, 1)
	require.Equal(t, "started", answer(orchestrator.StartAnswered{Seq: first.Seq, Until: first.Until, Saga: id}), "a saga is the last word")
	require.Equal(t, "started", answer(orchestrator.StartAnswered{Seq: second.Seq, Until: second.Until, Code: "key_in_use"}))
}

// The keeper removes answered requests after the idempotency period, and none that waits.
func TestStartSQL_OldRequestsAreRemoved(t *testing.T) {
	t.Parallel()
	b := startsInSQL(t, func(c *orchestrator.Config, r *requestsThatFail) { c.StartRequests = nil })
	conn, _ := b.caller(t, tenant)
	for i, at := range []string{"interval '8 days'", "interval '6 days'", ""} {
		b.exec(t, conn, fmt.Sprintf(`SELECT skald.start_saga('errand', '{}', id => 's-%d')`, i))
		if at != "" {
			b.exec(t, b.owner, fmt.Sprintf(`UPDATE skald.start_requests SET state = 'refused', code = 'invalid', answered_at = skald.clock() - %s WHERE id = 's-%d'`, at, i))
		} else {
			b.exec(t, b.owner, fmt.Sprintf(`UPDATE skald.start_requests SET asked_at = skald.clock() - interval '8 days' WHERE id = 's-%d'`, i))
		}
	}
	done, err := b.store.Maintain(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, done.StartRequestsRemoved)
	require.Equal(t, startStatus{}, b.status(t, conn, "s-0"))
	require.Equal(t, "refused", b.status(t, conn, "s-1").state)
	require.Equal(t, "waiting", b.status(t, conn, "s-2").state)
}
