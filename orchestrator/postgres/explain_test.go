package postgres

import (
	"context"
	"encoding/json"
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

// The plans of the hot statements, generic ones as the engine's prepared statements have them: rows by index only, and only in
// the partitions between the bounds.
func TestPlans(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	pool, err := OpenPool(t.Context(), PoolConfig{DSN: dsn, Role: RoleEngine})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	t.Cleanup(conn.Release)
	_, err = conn.Exec(t.Context(), `SET plan_cache_mode = force_generic_plan`)
	require.NoError(t, err)

	now := time.Now()
	k := keysOf([]saga.ID{saga.NewID(now, 1, 1), saga.NewID(now, 2, 2)})
	w, err := writesOf(&orchestrator.Batch{Writes: []orchestrator.Write{{Next: saga.Instance{ID: saga.NewID(now, 1, 1), Revision: 2}}}})
	require.NoError(t, err)
	update := &pgx.Batch{}
	w.queue(update)
	claims := []any{[]string{"a"}, []string{"a"}, []string{"a"}, int64(1)}

	handled := &pgx.Batch{}
	queueHandled(handled, []orchestrator.QuarantineHandled{{ID: 1}})

	cases := map[string]struct {
		sql    string
		args   []any
		pruned string // prefix of tables of which one partition is left; empty: no bounds
		key    string // what each look-up in a table goes by
	}{
		"load":         {sqlLoad, k.args(), "sagas_", `\bid = |batch = `},
		"load batches": {sqlLoadBatches, k.args(), "sagas_", `\bid = |batch = `},
		"update":       {update.QueuedQueries[0].SQL, update.QueuedQueries[0].Arguments, "sagas_", `\bid = `},
		"read claims":  {sqlReadBusinessKeys, claims, "", `tenant = .*key = `},
		"read idem":    {sqlReadIdempotencyKeys, append(claims[:2:2], int64(1)), "", `tenant = .*key = `},
		"rekey":        {sqlRekey, []any{[]string{"a"}, []string{"a"}, []string{"a"}, k.ids, k.ids, [][]byte{}, int64(1)}, "", `tenant = .*key = `},
		"answer":       {sqlAnswer, []any{[]string{"a"}, []string{"a"}, [][]byte{}, int64(1)}, "", `tenant = .*key = `},
		"revisions":    {sqlRevisions, k.args(), "sagas_", `\bid = `},
		"settle":       {sqlSettle, []any{uuids{}, [][]byte{}}, "", `batch = `},
		"overdue":      {sqlTakeOverdue, []any{100, time.Second}, "", `batch = |retry_at <= `},
		"due":          {sqlDue, []any{100}, "", `wake_at <= `},
		"history":      {sqlHistory, []any{int16(1), k.lowest, "default", int64(0), 10}, "history_", `\bid = |saga_id = `},
		"quarantined":  {sqlLockQuarantined, []any{[]int64{1, 2}}, "", `\bid = `},
		"of a saga":    {sqlWaitingOfSaga, []any{[]string{"a"}, k.lowest, 5}, "", `saga_id = `},
		"handled":      {sqlHandled, handled.QueuedQueries[0].Arguments, "", `\bid = `},
		"committed":    {sqlCommitted, []any{int16(1), k.lowest, int64(1), k.lowest}, "history_", `saga_id = `},
	}
	for name, c := range cases {
		require.NotEmpty(t, c.key)
		plan := explain(t, conn.Conn(), c.sql, c.args)
		scanned := map[string]bool{}
		walk(plan, func(node map[string]any) {
			table, _ := node["Relation Name"].(string)
			if table == "" || node["Operation"] != nil {
				return
			}
			require.Contains(t, []any{"Index Scan", "Index Only Scan"}, node["Node Type"], "%s reads more of %s than it needs:\n%s", name, table, pretty(plan))
			condition, _ := node["Index Cond"].(string)
			require.Regexp(t, c.key, condition, "%s does not look up rows of %s by key:\n%s", name, table, pretty(plan))
			if c.pruned != "" && strings.HasPrefix(table, c.pruned) {
				scanned[table] = true
			}
		})
		if c.pruned != "" {
			require.Len(t, scanned, 1, "%s touches other weeks too:\n%s", name, pretty(plan))
		}
	}
}

func explain(t *testing.T, conn *pgx.Conn, sql string, args []any) map[string]any {
	t.Helper()
	return explained(t, conn, "EXPLAIN (FORMAT JSON, COSTS OFF)", sql, args)
}

// explained is the plan of a statement, as the connection's pool plans it.
func explained(t *testing.T, conn *pgx.Conn, how, sql string, args []any) map[string]any {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(context.Background())) }()
	statement, err := tx.Prepare(t.Context(), "plan", sql)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Deallocate(t.Context(), "plan")) }()
	literals := make([]string, len(args))
	for i, arg := range args {
		text, err := conn.TypeMap().Encode(statement.ParamOIDs[i], pgx.TextFormatCode, arg, []byte{}) // nil: NULL
		require.NoError(t, err)
		if text == nil {
			literals[i] = "NULL"
			continue
		}
		literals[i] = "'" + strings.ReplaceAll(string(text), "'", "''") + "'"
	}
	var text []byte
	execute := how + " EXECUTE plan (" + strings.Join(literals, ", ") + ")"
	require.NoError(t, tx.QueryRow(t.Context(), execute, pgx.QueryExecModeSimpleProtocol).Scan(&text))
	var plans []struct{ Plan map[string]any }
	require.NoError(t, json.Unmarshal(text, &plans))
	return plans[0].Plan
}

func walk(node map[string]any, f func(map[string]any)) {
	f(node)
	children, _ := node["Plans"].([]any)
	for _, child := range children {
		walk(child.(map[string]any), f)
	}
}

func pretty(plan any) string {
	text, _ := json.MarshalIndent(plan, "", "  ")
	return string(text)
}
