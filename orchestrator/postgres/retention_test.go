package postgres_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// archive is a database with sagas of the past. Its weeks are so old that no receipts are asked for.
type archive struct {
	t     *testing.T
	dsn   string
	conn  *pgx.Conn
	store *postgres.Store
	defs  map[string]*saga.Definition
	made  int
}

func newArchive(t *testing.T, definitions ...string) *archive {
	t.Helper()
	dsn := migrated(t)
	a := &archive{t: t, dsn: dsn, conn: connect(t, dsn), store: newStore(t, dsn), defs: map[string]*saga.Definition{}}
	for _, name := range definitions {
		source, err := definition.ReadSource(name, fmt.Appendf(nil, `
saga: %s
version: 1
key: input.id
steps:
  - {name: one, participant: air, command: Book.v1, compensation: {command: Cancel.v1}}
  - {name: two, participant: rooms, command: Book.v1, compensation: {command: Cancel.v1}}
output: {done: "${steps.two.output.canary}"}
`, name))
		require.NoError(t, err)
		def := source.Definition
		a.defs[name] = def
		_, err = a.store.PutDefinition(t.Context(), orchestrator.DefinitionRow{
			Tenant: "default", Name: name, Version: 1, State: orchestrator.DefinitionActive, Hash: def.Hash, Content: source.JSON,
		}, orchestrator.Audit{Tenant: "default", Actor: "ada", Action: "definition.put", Reason: "registered"})
		require.NoError(t, err)
	}
	return a
}

// monday is the begin of the week that was so many weeks ago.
func monday(ago int) time.Time {
	at := time.Now().UTC().Truncate(day)
	for at.Weekday() != time.Monday {
		at = at.Add(-day)
	}
	return at.Add(-time.Duration(ago) * week)
}

// week makes the partitions of a week of the past, as skald.make_partitions would have.
func (a *archive) week(ago int) (suffix string) {
	a.t.Helper()
	start := monday(ago)
	suffix = start.Format("20060102")
	for _, parent := range []string{"sagas", "history", "receipts"} {
		child := parent + "_" + suffix
		exec(a.t, a.dsn, fmt.Sprintf(`
			CREATE TABLE skald.%[2]s (LIKE skald.%[1]s INCLUDING ALL);
			ALTER TABLE skald.%[1]s ATTACH PARTITION skald.%[2]s FOR VALUES FROM (skald.uuid_at('%[3]s')) TO (skald.uuid_at('%[4]s'))`,
			parent, child, start.Format(time.RFC3339), start.Add(week).Format(time.RFC3339)))
	}
	return suffix
}

// saga stores one that began then and, where answers are given, got them a second apart; two of them end it.
func (a *archive) saga(name string, began time.Time, answers ...time.Duration) saga.Instance {
	a.t.Helper()
	a.made++
	key := fmt.Sprintf("canary-key-%d", a.made)
	def := a.defs[name]
	id := saga.NewID(began, saga.ShardOf("default", name, key), uint64(a.made))
	input := json.RawMessage(fmt.Sprintf(`{"id": %q, "canary": "in"}`, key))
	var in saga.Instance
	take := func(at time.Time, body saga.Body) {
		d, err := saga.Decide(def, in, saga.Event{Body: body, Env: saga.Env{At: at.Truncate(time.Microsecond)}})
		require.NoError(a.t, err)
		batch := saga.BatchID(saga.NewID(at, uint16(a.made), uint64(d.Next.Revision)))
		in = d.Next
		ids := []saga.ID{id}
		if in.Revision == 1 {
			ids = nil
		}
		b := orchestrator.Batch{ID: batch, RetryIn: time.Second, Writes: []orchestrator.Write{{
			Next: in, WakeAt: d.WakeAt, Facts: d.Facts, Blocked: saga.Blocked(def, in, saga.Env{At: at}),
		}}}
		require.NoError(a.t, begin(a.t, a.store, ids...).Commit(a.t.Context(), b))
	}
	take(began, saga.Started{ID: id, Tenant: "default", Key: key, Input: input})
	hash := sha256.Sum256(input)
	_, err := a.conn.Exec(a.t.Context(), `INSERT INTO skald.business_keys (tenant, saga, key, id, hash) VALUES ('default', $1, $2, $3, $4)`, name, key, id.String(), hash[:])
	require.NoError(a.t, err)
	for i, after := range answers {
		take(began.Add(after), saga.Replied{
			Step: def.Steps[i].Name, Verb: saga.Execute, Attempt: 1, Outcome: saga.ReplySucceeded, Value: json.RawMessage(`{"canary": "out"}`),
		})
	}
	require.Equal(a.t, len(answers) == 2, in.Status.Terminal())
	return in
}

func (a *archive) retain(policy postgres.Retention) postgres.Retained {
	a.t.Helper()
	pool, err := postgres.OpenRetention(a.t.Context(), a.dsn)
	require.NoError(a.t, err)
	defer pool.Close()
	policy.Rate = 1_000_000
	done, err := postgres.Retain(a.t.Context(), pool, policy)
	require.NoError(a.t, err)
	return done
}

// clean requires that the audit finds nothing wrong.
func (a *archive) clean() {
	a.t.Helper()
	report, err := audit.Run(a.t.Context(), audit.Config{Store: a.store, Overdue: 100 * 365 * day, Again: time.Millisecond})
	require.NoError(a.t, err)
	require.Empty(a.t, report.Problems)
}

func (a *archive) count(sql string, args ...any) (n int64) {
	a.t.Helper()
	require.NoError(a.t, a.conn.QueryRow(a.t.Context(), sql, args...).Scan(&n))
	return n
}

// canaries counts where a payload is still stored.
func (a *archive) canaries() int64 {
	a.t.Helper()
	return a.count(`
		SELECT (SELECT count(*) FROM skald.sagas WHERE position('"canary"'::bytea IN instance) > 0)
			+ (SELECT count(*) FROM skald.history WHERE position('"canary"'::bytea IN facts) > 0)`)
}

func (a *archive) exists(table string) bool {
	a.t.Helper()
	return a.count(`SELECT count(*) FROM pg_class WHERE relnamespace = 'skald'::regnamespace AND relname = $1`, table) == 1
}

// A week leaves once it is past the longest policy and no saga in it, or in one before it, is live.
func TestRetain_Weeks(t *testing.T) {
	t.Parallel()
	a := newArchive(t, "order")
	oldest, held, later := a.week(40), a.week(39), a.week(38)
	first := a.saga("order", monday(40).Add(day), time.Second, 2*time.Second)
	ended := a.saga("order", monday(39).Add(day), time.Second, 2*time.Second)
	live := a.saga("order", monday(39).Add(2*day), time.Second)
	last := a.saga("order", monday(38).Add(day), time.Second, 2*time.Second)
	policy := postgres.Retention{Default: 20 * week}

	dry := policy
	dry.DryRun = true
	would := a.retain(dry)
	require.True(t, would.DryRun)
	require.Len(t, would.Weeks, 3)
	for i, want := range []struct {
		sagas, live int64
		leaves      bool
	}{{1, 0, true}, {2, 1, false}, {1, 0, false}} {
		require.Equal(t, want.sagas, would.Weeks[i].Sagas)
		require.Equal(t, want.live, would.Weeks[i].Live)
		require.Equal(t, want.leaves, would.Weeks[i].Detached)
		require.Positive(t, would.Weeks[i].Bytes)
	}
	require.Len(t, would.Blanked, 1)
	require.Equal(t, 2, would.Blanked[0].Sagas, "those of the week that leaves are not counted twice")
	require.EqualValues(t, 4, a.count(`SELECT count(*) FROM skald.sagas`), "a dry run changes nothing")
	require.EqualValues(t, 0, a.count(`SELECT count(*) FROM skald.retention_tables`))

	done := a.retain(policy)
	require.Equal(t, would.Weeks, done.Weeks, "it does what the dry run said")
	require.EqualValues(t, 3, a.count(`SELECT count(*) FROM skald.sagas`))
	require.True(t, a.exists("sagas_"+oldest), "a detached week stays, to be archived")
	require.Equal(t, 1, done.Keys, "the business key of a saga that is gone is forgotten")
	_, err := a.store.Saga(t.Context(), "default", first.ID)
	require.ErrorIs(t, err, orchestrator.ErrNotFound)
	for _, in := range []saga.Instance{ended, live, last} {
		_, err := a.store.Saga(t.Context(), "default", in.ID)
		require.NoError(t, err)
	}
	a.clean()

	policy.Drop = true
	done = a.retain(policy)
	require.Len(t, done.Dropped, 3, "those of an earlier run too")
	require.False(t, a.exists("sagas_"+oldest))
	require.False(t, a.exists("history_"+oldest))
	require.True(t, a.exists("sagas_"+held))
	require.True(t, a.exists("sagas_"+later))

	exec(t, a.dsn, `UPDATE skald.sagas SET wake_at = NULL, status = 'completed' WHERE id = $1`, live.ID.String())
	done = a.retain(policy)
	require.Len(t, done.Weeks, 2)
	require.Len(t, done.Dropped, 6)
	require.Zero(t, a.count(`SELECT count(*) FROM skald.sagas`))
	require.EqualValues(t, 3, a.count(`SELECT count(*) FROM skald.audit WHERE action = 'retention.detach'`), "what was removed is in the audit")
	require.EqualValues(t, 9, a.count(`SELECT count(*) FROM skald.audit WHERE action = 'retention.drop'`))
	require.NoError(t, a.store.VerifyAudit(t.Context(), "default"))
}

// Where anything is kept for ever no week leaves, and where nothing has a policy nothing happens at all.
func TestRetain_ForEver(t *testing.T) {
	t.Parallel()
	a := newArchive(t, "order", "refund")
	a.week(40)
	a.saga("order", monday(40).Add(day), time.Second, 2*time.Second)
	a.saga("refund", monday(40).Add(day), time.Second, 2*time.Second)
	before := a.canaries()
	require.Positive(t, before)
	done := a.retain(postgres.Retention{})
	require.Empty(t, done.Weeks)
	require.Empty(t, done.Blanked)
	require.Equal(t, before, a.canaries())
	done = a.retain(postgres.Retention{Default: 2 * day, Sagas: map[string]time.Duration{"order": 0}})
	require.Empty(t, done.Weeks, "order is kept for ever, and with it its week")
	require.Len(t, done.Blanked, 1)
	require.Equal(t, "refund", done.Blanked[0].Saga)
	require.Equal(t, before/2, a.canaries())
	a.clean()
}

// A shorter policy takes payloads of sagas that ended before it; they still fold, and the audit finds nothing wrong.
func TestRetain_Payloads(t *testing.T) {
	t.Parallel()
	a := newArchive(t, "order", "refund")
	a.week(30)
	a.week(29)
	var orders []saga.Instance
	for i := range 250 { // several slices
		orders = append(orders, a.saga("order", monday(30).Add(time.Duration(i)*time.Minute), time.Second, 2*time.Second))
	}
	refund := a.saga("refund", monday(30).Add(day), time.Second, 2*time.Second)
	live := a.saga("order", monday(30).Add(3*day), time.Second)
	late := a.saga("order", monday(30).Add(4*day), time.Second, time.Since(monday(30).Add(4*day))-day) // ended yesterday
	policy := postgres.Retention{Default: 5 * 365 * day, Sagas: map[string]time.Duration{"order": 10 * day}}

	dry := policy
	dry.DryRun = true
	would := a.retain(dry)
	require.Len(t, would.Blanked, 1)
	require.Equal(t, 250, would.Blanked[0].Sagas)
	require.Positive(t, would.Blanked[0].Bytes)
	require.Zero(t, a.count(`SELECT count(*) FROM skald.sagas WHERE blanked_at IS NOT NULL`))
	a.clean()

	var fact []byte
	require.NoError(t, a.conn.QueryRow(t.Context(), `SELECT facts FROM skald.history WHERE saga_id = $1 AND seq = 1`, orders[9].ID.String()).Scan(&fact))
	done := a.retain(policy)
	require.Equal(t, would.Blanked, done.Blanked, "it does what the dry run said")
	require.EqualValues(t, 250, a.count(`SELECT count(*) FROM skald.sagas WHERE blanked_at IS NOT NULL`))
	require.EqualValues(t, 250, a.count(`SELECT sagas FROM skald.retention WHERE saga = 'order'`), "what was done is recorded")
	a.clean()
	for _, in := range []saga.Instance{refund, live, late} {
		view, err := a.store.Saga(t.Context(), "default", in.ID)
		require.NoError(t, err)
		require.True(t, view.Instance.Payloads(), "%s keeps its payloads", in.Saga)
	}
	view, err := a.store.Saga(t.Context(), "default", orders[7].ID)
	require.NoError(t, err)
	require.False(t, view.Instance.Payloads())
	require.Equal(t, orders[7].Revision+1, view.Instance.Revision)
	require.Equal(t, orders[7].Certificate.Effects, view.Instance.Certificate.Effects)
	facts, err := a.store.History(t.Context(), "default", orders[7].ID, 0, 100)
	require.NoError(t, err)
	require.Len(t, facts, int(orders[7].Seq))

	// A late answer goes on from what is there, and brings no payload back.
	in := view.Instance
	d, err := saga.Decide(a.defs["order"], in, saga.Event{Env: saga.Env{At: time.Now().UTC().Truncate(time.Microsecond)}, Body: saga.Replied{
		Step: "one", Verb: saga.Execute, Attempt: 1, Outcome: saga.ReplyRejected, Value: json.RawMessage(`{"canary": "late"}`),
	}})
	require.NoError(t, err)
	b := orchestrator.Batch{ID: saga.BatchID(saga.NewID(time.Now(), 0, 0)), RetryIn: time.Second, Writes: []orchestrator.Write{{Next: d.Next, Facts: d.Facts}}}
	require.NoError(t, begin(t, a.store, in.ID).Commit(t.Context(), b))
	a.clean()

	// One that was passed over is found again, a day later.
	again := a.retain(policy)
	require.Empty(t, again.Blanked)
	exec(t, a.dsn, `UPDATE skald.retention SET pass_at = pass_at - interval '2 days'`)
	policy.Sagas["order"] = 25 * time.Hour
	require.Empty(t, a.retain(policy).Blanked, "it ended a day ago")
	exec(t, a.dsn, `UPDATE skald.retention SET pass_at = pass_at - interval '2 days'`)
	policy.Sagas["order"] = day
	again = a.retain(policy)
	require.Len(t, again.Blanked, 1)
	require.Equal(t, 1, again.Blanked[0].Sagas)
	a.clean()

	// A payload that is there although it was removed is damage.
	exec(t, a.dsn, `UPDATE skald.history SET facts = $2 WHERE saga_id = $1 AND seq = 1`, orders[9].ID.String(), fact)
	report, err := audit.Run(t.Context(), audit.Config{Store: a.store, ID: orders[9].ID})
	require.NoError(t, err)
	require.Positive(t, report.Found[audit.PayloadLeft])
}

// A run that is stopped goes on where it was.
func TestRetain_Resumes(t *testing.T) {
	t.Parallel()
	a := newArchive(t, "order")
	a.week(30)
	for i := range 150 {
		a.saga("order", monday(30).Add(time.Duration(i)*time.Minute), time.Second, 2*time.Second)
	}
	pool, err := postgres.OpenRetention(t.Context(), a.dsn)
	require.NoError(t, err)
	defer pool.Close()
	ctx, stop := context.WithCancel(t.Context())
	policy := postgres.Retention{Default: 5 * 365 * day, Sagas: map[string]time.Duration{"order": 10 * day}, Rate: 1}
	policy.Progress = func(postgres.Retained) { stop() }
	done, err := postgres.Retain(ctx, pool, policy)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 100, done.Blanked[0].Sagas)
	require.EqualValues(t, 100, a.count(`SELECT sagas FROM skald.retention`))
	a.clean()
	done = a.retain(policy)
	require.Equal(t, 50, done.Blanked[0].Sagas)
	require.EqualValues(t, 150, a.count(`SELECT sagas FROM skald.retention`))
	a.clean()
}

func TestRetain_OneAtATime(t *testing.T) {
	t.Parallel()
	a := newArchive(t, "order")
	_, err := a.conn.Exec(t.Context(), `SELECT pg_advisory_lock(x'736b616c6b72'::bigint)`)
	require.NoError(t, err)
	pool, err := postgres.OpenRetention(t.Context(), a.dsn)
	require.NoError(t, err)
	defer pool.Close()
	_, err = postgres.Retain(t.Context(), pool, postgres.Retention{Default: week})
	require.ErrorIs(t, err, postgres.ErrRetaining)
	_, err = postgres.Retain(t.Context(), pool, postgres.Retention{Default: time.Hour})
	require.ErrorContains(t, err, "at least 24h")
}

// The engine's role may take payloads. Weeks need the owner of the tables; the others are told so.
func TestRetain_NotTheOwner(t *testing.T) {
	t.Parallel()
	a := newArchive(t, "order")
	suffix := a.week(40)
	a.saga("order", monday(40).Add(day), time.Second, 2*time.Second)
	pool, err := postgres.OpenRetention(t.Context(), a.dsn)
	require.NoError(t, err)
	defer pool.Close()
	role := "guest_" + suffix + fmt.Sprint(time.Now().UnixNano())
	exec(t, a.dsn, `CREATE ROLE `+role+`; GRANT USAGE ON SCHEMA skald TO `+role+`;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA skald TO `+role+`; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA skald TO `+role)
	t.Cleanup(func() { exec(t, a.dsn, `DROP OWNED BY `+role+`; DROP ROLE `+role) })
	_, err = pool.Exec(t.Context(), `SET ROLE `+role)
	require.NoError(t, err)
	done, err := postgres.Retain(t.Context(), pool, postgres.Retention{Default: 10 * day, Rate: 1000})
	require.ErrorIs(t, err, postgres.ErrNotOwner)
	require.Len(t, done.Blanked, 1)
	require.Zero(t, a.canaries())
	a.clean()
}

// Readers and writers go on while a week is detached: none of them fails, and none waits for long.
func TestRetain_DisturbsNobody(t *testing.T) {
	t.Parallel()
	a := newArchive(t, "order")
	for _, ago := range []int{40, 39, 38} {
		a.week(ago)
		for i := range 20 {
			a.saga("order", monday(ago).Add(time.Duration(i)*time.Hour), time.Second, 2*time.Second)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var group errgroup.Group
	var longest [2]time.Duration
	var rounds [2]int
	loop := func(i int, do func() error) {
		group.Go(func() error {
			for ctx.Err() == nil {
				began := time.Now()
				if err := do(); err != nil {
					return err
				}
				longest[i] = max(longest[i], time.Since(began))
				rounds[i]++
			}
			return nil
		})
	}
	loop(0, func() error {
		_, err := a.store.Sagas(context.Background(), orchestrator.SagaQuery{Tenant: "default", Limit: 50})
		return err
	})
	loop(1, func() error {
		tx, err := a.store.Begin(context.Background(), orchestrator.Need{})
		if err != nil {
			return err
		}
		defer tx.Rollback(context.Background())
		return tx.Commit(context.Background(), newSaga())
	})
	done := a.retain(postgres.Retention{Default: 20 * week, Drop: true})
	stop()
	require.NoError(t, group.Wait())
	require.Len(t, done.Dropped, 9)
	for i := range rounds {
		require.Positive(t, rounds[i])
		require.Less(t, longest[i], 2*time.Second)
	}
}
