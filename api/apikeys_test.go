package api

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/apikey"
	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/memory"
)

func TestAPIKeys_Life(t *testing.T) {
	t.Parallel()
	store := memory.New(memory.Config{})
	b := setup(t, authenticated, func(c *Config) { c.Keys = store })
	as := func(tenant, method, path, body string) exchange {
		return exchange{method: method, path: "/v1/apikeys" + path, body: body, header: map[string]string{"Authorization": "Bearer admin/" + tenant}}
	}
	w := b.do(t, as("default", "POST", "", `{"name":"ci","roles":["starter"],"expires_in":3600}`))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	made := answerIn[client.NewAPIKey](t, w, 201)
	require.WithinDuration(t, time.Now().Add(time.Hour), made.ExpiresAt, time.Minute)
	good := func(text string) bool {
		key, ok := apikey.Parse(text)
		require.True(t, ok)
		row, err := store.FindAPIKey(t.Context(), key.ID)
		require.NoError(t, err)
		return key.Good(&row, time.Now())
	}
	require.True(t, good(made.Key))
	problemIn(t, b.do(t, as("default", "POST", "", `{"name":"ci","roles":["viewer"]}`)), 409, "apikey_name_taken")
	for _, bad := range []string{`{"name":"C I","roles":["viewer"]}`, `{"name":"cd","roles":[]}`, `{"name":"cd","roles":["root"]}`, `{"name":"cd","roles":["viewer"],"expires_in":0.5}`, `{"name":"cd","roles":["viewer"],"tenant":"other"}`} {
		problemIn(t, b.do(t, as("default", "POST", "", bad)), 422, "invalid")
	}

	// Another tenant's admin neither sees nor changes it.
	require.Empty(t, answerIn[client.APIKeyList](t, b.do(t, as("other", "GET", "", "")), 200).Items)
	problemIn(t, b.do(t, as("other", "POST", "/"+made.ID+"/rotate", `{}`)), 404, "not_found")
	problemIn(t, b.do(t, as("other", "DELETE", "/"+made.ID+"?reason=r", "")), 404, "not_found")
	require.True(t, good(made.Key))

	next := answerIn[client.NewAPIKey](t, b.do(t, as("default", "POST", "/"+made.ID+"/rotate", `{"overlap":60}`)), 200)
	require.True(t, good(made.Key) && good(next.Key))
	last := answerIn[client.NewAPIKey](t, b.do(t, as("default", "POST", "/"+made.ID+"/rotate", `{}`)), 200)
	require.True(t, good(last.Key) && !good(next.Key))
	list := b.do(t, as("default", "GET", "", ""))
	require.NotContains(t, list.Body.String(), last.Key[20:])
	require.Equal(t, "good", answerIn[client.APIKeyList](t, list, 200).Items[0].State)

	require.Equal(t, 422, b.do(t, as("default", "DELETE", "/"+made.ID, "")).Code, "why?")
	require.Equal(t, 204, b.do(t, as("default", "DELETE", "/"+made.ID+"?reason=gone", "")).Code)
	require.False(t, good(last.Key))
	problemIn(t, b.do(t, as("default", "DELETE", "/"+made.ID+"?reason=gone", "")), 404, "not_found")
	entries, err := store.AuditEntries(t.Context(), orchestrator.AuditQuery{Tenant: "default", Action: "apikey", Limit: 10})
	require.NoError(t, err)
	require.Len(t, entries, 4)
	require.Equal(t, "admin", entries[0].Actor)
	require.Equal(t, "gone", entries[0].Reason)
	require.Equal(t, "127.0.0.1", entries[0].From)
	require.NotContains(t, b.logs.String(), last.Key[20:])

	off := setup(t)
	problemIn(t, off.do(t, exchange{method: "GET", path: "/v1/apikeys"}), 503, "unavailable")
}
