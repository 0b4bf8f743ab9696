package e2e

import (
	"context"
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/test/stack"
)

// audits: an operator audits a live database with a role that may only read, and is told what somebody did to it by hand.
func audits(t *testing.T, b *bench) {
	var ids []string
	for _, order := range []string{"audit-1", "audit-2"} {
		started, err := b.Client.Start(t.Context(), client.StartRequest{Saga: "order-quick", Input: stack.Order{ID: order}.Input()}, client.WithWait(30*time.Second))
		require.NoError(t, err)
		require.NotNil(t, started.Saga)
		ids = append(ids, started.ID)
	}
	_, err := b.Pool.Exec(t.Context(), `
		DROP ROLE IF EXISTS skald_auditor;
		CREATE ROLE skald_auditor LOGIN PASSWORD 'reads';
		GRANT USAGE ON SCHEMA skald TO skald_auditor;
		GRANT SELECT ON ALL TABLES IN SCHEMA skald TO skald_auditor`)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := b.Pool.Exec(context.Background(), `DROP OWNED BY skald_auditor; DROP ROLE skald_auditor`)
		require.NoError(t, err)
	})
	dsn, err := url.Parse(b.Pool.Config().ConnString())
	require.NoError(t, err)
	dsn.User = url.UserPassword("skald_auditor", "reads")
	skald := func(code int, args ...string) (out, said string) {
		t.Helper()
		p := stack.Start(t, []string{"SKALD_DATABASE_URL=" + dsn.String()}, args...)
		require.NoError(t, p.Wait(time.Minute))
		require.Equal(t, code, p.ExitCode(), "skald %v\n%s%s", args, p.Out, p.Err)
		return p.Out.String(), p.Err.String()
	}

	_, said := skald(0, "audit")
	require.Contains(t, said, "nothing is wrong")
	_, said = skald(0, "audit", "--id", ids[0])
	require.Contains(t, said, "1 saga (0 live)")
	_, said = skald(0, "audit", "--saga", "order-quick@1", "--since", "1h")
	require.Contains(t, said, "nothing is wrong")
	_, said = skald(0, "audit", "verify")
	require.Contains(t, said, "operator action")

	_, err = b.Pool.Exec(t.Context(), `UPDATE skald.sagas SET status = 'compensated' WHERE id = $1`, ids[1])
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := b.Pool.Exec(context.Background(), `UPDATE skald.sagas SET status = 'completed' WHERE id = $1`, ids[1])
		require.NoError(t, err)
	})
	shown, said := skald(1, "audit")
	require.Contains(t, shown, ids[1])
	require.Contains(t, shown, "column_differs (S3)")
	require.Contains(t, shown, "column status is compensated, and the instance says completed")
	require.Contains(t, shown, "next: column_differs: ")
	require.Contains(t, said, "1 problem")
	raw, _ := skald(1, "audit", "-o", "json")
	var report audit.Report
	require.NoError(t, json.Unmarshal([]byte(raw), &report), "%s", raw)
	require.Equal(t, map[audit.Kind]int{audit.ColumnDiffers: 1}, report.Found)
	require.Equal(t, ids[1], report.Problems[0].Saga.String())
	require.Positive(t, report.Checked.Facts)
	skald(0, "audit", "--id", ids[0])
}
