package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/apikey"
	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator/postgres"
)

// typed runs a command on the database.
func typed(t *testing.T, dsn string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append(args, "--database-url", dsn), streams{strings.NewReader(""), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

func TestApikey_Life(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	pool, err := postgres.OpenPool(t.Context(), postgres.PoolConfig{DSN: dsn, Role: postgres.RoleAPI, MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	store := postgres.New(postgres.Config{Engine: pool, API: pool})
	good := func(text string) bool {
		key, ok := apikey.Parse(strings.TrimSpace(text))
		require.True(t, ok, text)
		row, err := store.FindAPIKey(t.Context(), key.ID)
		require.NoError(t, err)
		return key.Good(&row, time.Now())
	}

	code, out, errs := typed(t, dsn, "apikey", "list")
	require.Equal(t, exitDone, code)
	require.Empty(t, out)
	require.Contains(t, errs, "There are no API keys.")

	code, key, errs := typed(t, dsn, "apikey", "create", "--name", "ci", "--role", "operator,viewer", "--role", "auditor", "--expires", "90d")
	require.Equal(t, exitDone, code, errs)
	require.Contains(t, errs, "ci: auditor, operator, viewer in tenant default, good until ")
	require.True(t, good(key), "standard output has the key alone")

	code, _, errs = typed(t, dsn, "apikey", "create", "--name", "ci", "--role", "viewer")
	require.Equal(t, exitForbidden, code)
	require.Contains(t, errs, "skald apikey rotate ci")
	code, _, errs = typed(t, dsn, "apikey", "create", "--name", "C I", "--role", "root")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, `--name: "C I"`)
	require.Contains(t, errs, `--role: "root" is no role; there are viewer, `)
	code, other, _ := typed(t, dsn, "apikey", "create", "--name", "ci", "--role", "viewer", "--tenant", "acme")
	require.Equal(t, exitDone, code, "another tenant's names are its own")

	code, out, _ = typed(t, dsn, "apikey", "list", "-o", "json")
	require.Equal(t, exitDone, code)
	var list struct{ Items []keyItem }
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	require.Len(t, list.Items, 2)
	require.Equal(t, []string{"acme", "default"}, []string{list.Items[0].Tenant, list.Items[1].Tenant})
	require.Regexp(t, "^cli:", list.Items[1].CreatedBy)

	code, next, errs := typed(t, dsn, "apikey", "rotate", "ci", "--overlap", "1h")
	require.Equal(t, exitDone, code, errs)
	require.Contains(t, errs, "good for another 1h")
	require.True(t, good(key) && good(next))
	code, last, _ := typed(t, dsn, "apikey", "rotate", "ci", "--overlap", "0")
	require.Equal(t, exitDone, code)
	require.True(t, good(last) && !good(next) && !good(key))

	code, out, errs = typed(t, dsn, "apikey", "revoke", "ci", "--reason", "the laptop is gone")
	require.Equal(t, exitDone, code, errs)
	require.Contains(t, out, "for 5s at most")
	require.False(t, good(last))
	require.True(t, good(other), "the other tenant's key is another")
	for _, args := range [][]string{{"revoke", "ci"}, {"rotate", "ci"}, {"revoke", "nobody"}, {"revoke", list.Items[0].ID}} {
		code, _, errs = typed(t, dsn, append([]string{"apikey"}, args...)...)
		require.Equal(t, exitNotFound, code, "%v: %s", args, errs)
	}
	_, out, _ = typed(t, dsn, "apikey", "list")
	require.NotContains(t, out, list.Items[1].ID)
	_, out, _ = typed(t, dsn, "apikey", "list", "--all")
	require.Contains(t, out, "revoked")

	code, out, errs = typed(t, dsn, "audit", "verify")
	require.Equal(t, exitDone, code, "%s%s", out, errs)
}
