package api_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/api/apikey"
	"github.com/skaldhq/skald/api/auth"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/memory"
)

// door is a bench with API keys before it.
type door struct {
	*api.Bench
	auth  *auth.Auth
	store *memory.Store
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{store: memory.New(memory.Config{})}
	var err error
	d.auth, err = auth.New(auth.Config{Keys: d.store, Sessions: d.store, Loopback: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	d.Bench = api.NewBench(t, func(c *api.Config) { c.Authenticator, c.SignIn = d.auth, d.auth })
	return d
}

func (d *door) key(t *testing.T, tenant, name, role string) (string, orchestrator.APIKey) {
	t.Helper()
	text, row, err := apikey.Create(t.Context(), d.store, apikey.Request{Tenant: tenant, Name: name, Roles: []string{role}}, apikey.By{Actor: "test"})
	require.NoError(t, err)
	return text, row
}

// session signs in with a key, and is the cookie.
func (d *door) session(t *testing.T, key string) string {
	t.Helper()
	r, w := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/sign-in", nil), httptest.NewRecorder()
	require.NoError(t, d.auth.WithKey(w, r, key))
	c := w.Result().Cookies()[0]
	return c.Name + "=" + c.Value
}

// T2: every route of the API and of the dashboard, by every role, in its own tenant and in another, through keys and through sessions.
func TestMatrix_RouteByRoleByTenant(t *testing.T) {
	t.Parallel()
	for _, tenant := range []string{"default", "other"} {
		for _, role := range api.Roles() {
			t.Run(tenant+"/"+string(role), func(t *testing.T) {
				t.Parallel()
				d := newDoor(t)
				text, _ := d.key(t, tenant, "k", string(role))
				cookie := d.session(t, text)
				shown := false
				for route, want := range d.Permissions() {
					allowed := want == api.Public || slices.Contains(role.Permissions(), want)
					for how, header := range map[string]map[string]string{"key": {"Authorization": "Bearer " + text}, "session": {"Cookie": cookie}} {
						w := d.Ask(t, route, header)
						require.Equal(t, !allowed, w.Code == http.StatusForbidden, "%s by %s as %s of %s answered %d", route, how, role, tenant, w.Code)
						require.NotEqual(t, http.StatusUnauthorized, w.Code, "%s by %s", route, how)
						require.NotEqual(t, http.StatusInternalServerError, w.Code, "%s by %s: %s", route, how, w.Body)
						for _, secret := range d.Secrets() {
							if strings.Contains(w.Body.String(), secret) {
								require.Equal(t, "default", tenant, "%s by %s shows another tenant's %s", route, how, secret)
								shown = true
							}
						}
					}
				}
				require.Equal(t, tenant == "default", shown, "every role may read what is its tenant's")
				d.RequireTenant(t, tenant)
			})
		}
	}
}

// What shows nobody, or nobody any more, gets nowhere.
func TestMatrix_Nobody(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	gone, row := d.key(t, "default", "gone", "admin")
	session := d.session(t, gone)
	require.NoError(t, apikey.Revoke(t.Context(), d.store, row, apikey.By{Actor: "test"}, "gone"))
	expired, _, err := apikey.Create(t.Context(), d.store, apikey.Request{Tenant: "default", Name: "late", Roles: []string{"admin"}, ExpiresIn: time.Nanosecond}, apikey.By{Actor: "test"})
	require.NoError(t, err)
	good, _ := d.key(t, "default", "good", "admin")
	fresh := newDoor(t) // remembers nothing
	fresh.store = d.store
	fresh.auth, err = auth.New(auth.Config{Keys: d.store, Sessions: d.store, Loopback: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	fresh.Bench = api.NewBench(t, func(c *api.Config) { c.Authenticator, c.SignIn = fresh.auth, fresh.auth })
	for route, want := range fresh.Permissions() {
		if want == api.Public {
			continue
		}
		for name, header := range map[string]map[string]string{
			"nobody": nil, "revoked": {"Authorization": "Bearer " + gone}, "expired": {"Authorization": "Bearer " + expired},
			"session of a revoked key": {"Cookie": session}, "made up session": {"Cookie": "skald=" + strings.Repeat("a", 43)},
			"key as session": {"Cookie": "skald=" + good}, "key as basic": {"Authorization": "Basic " + good}, "key as query": {"X-Api-Key": good},
			"header before session": {"Authorization": "Bearer sk_", "Cookie": d.session(t, good)},
		} {
			w := fresh.Ask(t, route, header)
			require.Equal(t, http.StatusUnauthorized, w.Code, "%s by %s", route, name)
			for _, secret := range fresh.Secrets() {
				require.NotContains(t, w.Body.String(), secret)
			}
		}
	}
}

// Unsafe requests of other pages are refused though the browser sends the session along.
func TestMatrix_OtherPages(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	text, _ := d.key(t, "default", "k", "admin")
	cookie := d.session(t, text)
	for route := range d.Permissions() {
		if strings.HasPrefix(route, "GET ") {
			continue
		}
		for _, header := range []map[string]string{{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}} {
			header["Cookie"] = cookie
			w := d.Ask(t, route, header)
			require.Equal(t, http.StatusForbidden, w.Code, "%s with %v", route, header)
			require.Contains(t, w.Body.String(), "cross_origin")
		}
	}
}
