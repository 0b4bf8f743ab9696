package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/dashboard"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// byToken is an Authenticator whose tokens are roles, with a tenant after a slash.
type byToken struct{}

func (byToken) Authenticate(r *http.Request) (Principal, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return Principal{}, ErrUnauthenticated
	}
	if token == "broken" {
		return Principal{}, errors.New("the key server is away")
	}
	role, tenant, _ := strings.Cut(token, "/")
	return Principal{Name: role, Tenant: tenant, Roles: []Role{Role(role)}}, nil
}

func authenticated(c *Config) { c.Authenticator = byToken{} }

// wanted is what each route needs: a second opinion beside the routes' own declarations. A new route belongs here.
func wanted() map[string]Permission {
	routes := map[string]Permission{
		"POST /v1/sagas": PermitStart, "GET /v1/sagas": PermitRead, "GET /v1/sagas/{id}": PermitRead, "GET /v1/sagas/{id}/history": PermitRead,
		"GET /v1/sagas/{id}/graph": PermitRead, "GET /v1/sagas/{id}/events": PermitRead, "GET /v1/events": PermitRead,
		"PUT /v1/definitions/{name}/{version}": PermitDeploy, "POST /v1/definitions/{name}/{version}/activate": PermitDeploy,
		"POST /v1/definitions/{name}/{version}/retire": PermitDeploy, "POST /v1/definitions:check": PermitRead, "GET /v1/definitions": PermitRead,
		"GET /v1/definitions/{name}": PermitRead, "GET /v1/definitions/{name}/{version}": PermitRead, "GET /v1/quarantine": PermitRead,
		"GET /v1/quarantine/groups": PermitRead, "GET /v1/quarantine/{id}": PermitRead,
		"POST /v1/quarantine/{id}/redrive": PermitOperate, "POST /v1/quarantine/{id}/discard": PermitOperate,
		"POST /v1/quarantine:redrive": PermitBulk, "POST /v1/quarantine:discard": PermitBulk,
		"GET /v1/stats": PermitRead, "GET /v1/participants": PermitRead, "GET /v1/holds": PermitRead, "GET /v1/holds/{id}": PermitRead, "POST /v1/holds": PermitOperate, "DELETE /v1/holds/{id}": PermitOperate, "GET /v1/limits": PermitRead, "PUT /v1/limits/{scope}/{name}": PermitOperate, "DELETE /v1/limits/{scope}/{name}": PermitOperate,
		"GET /v1/apikeys": PermitAdmin, "POST /v1/apikeys": PermitAdmin, "POST /v1/apikeys/{id}/rotate": PermitAdmin, "DELETE /v1/apikeys/{id}": PermitAdmin,
		"GET /v1/audit": PermitAudit, "GET /healthz": Public, "GET /readyz": Public,
	}
	for _, action := range saga.Actions() {
		routes["POST /v1/sagas/{id}/"+string(action)] = PermitOperate
		if action == saga.ActionComplete || action == saga.ActionReject {
			routes["POST /v1/sagas/{id}/"+string(action)] = PermitVouch
		}
	}
	routes["POST /v1/sagas/{id}/rebind"] = PermitOperate
	routes["POST /v1/operations"], routes["GET /v1/operations"] = PermitBulk, PermitRead
	routes["GET /v1/operations/{id}"], routes["GET /v1/operations/{id}/outcomes"] = PermitRead, PermitRead
	for _, change := range []string{"pause", "resume", "cancel"} {
		routes["POST /v1/operations/{id}/"+change] = PermitBulk
	}
	return routes
}

// pages are routes beside the API, open to everyone whom the guard lets in.
func pages() []string {
	return []string{"GET /assets/*", "GET /docs", "GET /docs/start.js", "GET /docs/swagger-ui-bundle.js", "GET /docs/swagger-ui.css", "GET /openapi.json"}
}

func operations(b *testBundle) map[string]*huma.Operation {
	out := map[string]*huma.Operation{}
	for path, item := range b.api.huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete, item.Patch, item.Head} {
			if op != nil {
				out[op.Method+" "+path] = op
			}
		}
	}
	return out
}

func TestPermissions_EveryRouteDeclaresTheRightOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ops, want := operations(b), wanted()
	dashboards := map[string]string{}
	for _, page := range b.api.pages.Routes() {
		dashboards[page.Method+" "+page.Pattern] = page.Permission
	}
	var walked []string
	require.NoError(t, chi.Walk(b.api.mux, func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		route := method + " " + path
		walked = append(walked, route)
		if slices.Contains(pages(), route) {
			return nil
		}
		if permission, ok := dashboards[route]; ok {
			require.NotEmpty(t, permission, "%s shows what not everyone may see", route)
			return nil
		}
		require.Contains(t, ops, route, "%s is beside huma, where no permission is checked", route)
		require.Equal(t, want[route], ops[route].Metadata[metaPermission], route)
		return nil
	}))
	for route := range want {
		require.Contains(t, walked, route)
	}
}

// exchangeFor is a request that reaches a route, for something that there is.
func (b *testBundle) exchangeFor(route string) exchange {
	fill := strings.NewReplacer("{id}", b.engine.started.ID.String(), "{name}", "order-placement", "{version}", "1",
		"{action}", "cancel", "{change}", "activate", "{scope}", "participant")
	method, path, _ := strings.Cut(route, " ")
	for _, prefix := range []string{"", "/v1"} {
		path = strings.Replace(path, prefix+"/quarantine/{id}", prefix+"/quarantine/9", 1)
		path = strings.Replace(path, prefix+"/apikeys/{id}", prefix+"/apikeys/0123456789abcdef", 1)
		path = strings.Replace(path, prefix+"/operations/{id}/{change}", prefix+"/operations/7/pause", 1)
		path = strings.Replace(path, prefix+"/operations/{id}", prefix+"/operations/7", 1)
		path = strings.Replace(path, prefix+"/limits/{scope}/{name}", prefix+"/limits/participant/payments", 1)
		path = strings.Replace(path, prefix+"/holds/{id}", prefix+"/holds/7", 1)
	}
	if method == http.MethodDelete {
		path += "?reason=r"
	}
	if strings.HasSuffix(path, "/events") || strings.HasSuffix(path, "/live") {
		b.api.streams.end() // else an allowed stream would stay open
	}
	return exchange{method: method, path: fill.Replace(path), body: map[bool]string{true: "{"}[method != "GET"]}
}

func TestPermissions_Matrix(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	for route, want := range wanted() {
		e := b.exchangeFor(route)
		if want != Public {
			w := b.do(t, e)
			problemIn(t, w, 401, "unauthenticated")
			require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
			e.header = map[string]string{"Authorization": "Bearer broken"}
			problemIn(t, b.do(t, e), 503, "unavailable")
		}
		for _, role := range append(Roles(), "nobody") {
			e.header = map[string]string{"Authorization": "Bearer " + string(role) + "/default"}
			w := b.do(t, e)
			allowed := want == Public || slices.Contains(role.Permissions(), want)
			require.Equal(t, !allowed, w.Code == 403, "%s as %s answered %d", route, role, w.Code)
			require.NotEqual(t, 401, w.Code)
		}
	}
	require.Empty(t, b.engine.starts, "the bodies were no JSON")
	require.Empty(t, b.engine.acts)
}

func TestTenants_NeverMeet(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	as := map[string]string{"Authorization": "Bearer admin/other"}
	for _, rest := range []string{"", "/history", "/graph", "/events"} {
		problemIn(t, b.do(t, exchange{method: "GET", path: b.sagaPath(rest), header: as}), 404, "not_found")
	}
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/definitions/order-placement/1", header: as}), 404, "not_found")
	b.do(t, exchange{method: "GET", path: "/v1/sagas", header: as})
	require.Equal(t, "other", b.engine.reader.queries[0].Tenant)
	b.do(t, exchange{method: "POST", path: "/v1/sagas", body: startBodyOf("{}"), header: as})
	require.Equal(t, "other", b.engine.lastStart(t).Tenant)
	require.Equal(t, "admin", b.engine.lastStart(t).By)
	b.do(t, exchange{method: "POST", path: b.sagaPath("/pause"), body: `{"reason":"r"}`, header: as})
	require.Equal(t, "other", b.engine.lastAct(t).Tenant)
}

func TestRedaction_UnlessThePrincipalMaySeePayloads(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	b.engine.def.Redact = []string{"/payment_token", "/items/*/sku"}
	see := func(role, rest string) string {
		return b.do(t, exchange{method: "GET", path: b.sagaPath(rest), header: map[string]string{"Authorization": "Bearer " + role + "/default"}}).Body.String()
	}
	for _, rest := range []string{"", "/history"} {
		viewer, reader := see("viewer", rest), see("payload-reader", rest)
		require.Contains(t, reader, "tok_ok")
		require.NotContains(t, viewer, "tok_ok", "GET %s", rest)
		require.NotContains(t, viewer, `"sku":"s"`)
		require.Contains(t, viewer, `"amount_cents":1.10e2`, "the rest stays, numbers as written")
	}
	quarantine := b.do(t, exchange{method: "GET", path: "/v1/quarantine", header: map[string]string{"Authorization": "Bearer viewer/default"}}).Body.String()
	require.NotContains(t, quarantine, `"value"`)
}

func TestRate_LimitsEachPrincipal(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated, func(c *Config) { c.RatePerSecond = 0.001 })
	get := func(who string) (int, http.Header) {
		w := b.do(t, exchange{method: "GET", path: "/v1/stats", header: map[string]string{"Authorization": "Bearer " + who}})
		if w.Code == 429 {
			require.True(t, problemIn(t, w, 429, "rate_limited").Retryable)
		}
		return w.Code, w.Header()
	}
	code, _ := get("admin/default")
	require.Equal(t, 200, code)
	code, header := get("admin/default")
	require.Equal(t, 429, code)
	require.NotEmpty(t, header.Get("Retry-After"))
	code, _ = get("admin/other")
	require.Equal(t, 200, code, "another tenant's bucket is its own")
}

func TestPages_AreForThoseWhoMay(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	ask := func(page dashboard.Route, who string) *httptest.ResponseRecorder {
		path := strings.NewReplacer("{id}", saga.NewID(testTime, 1, 1).String(), "{name}", "trip", "{version}", "1", "{action}", "cancel", "{change}", "pause").Replace(page.Pattern)
		header := map[string]string{"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
		if who != "" {
			header["Authorization"] = "Bearer " + who
		}
		return b.do(t, exchange{method: page.Method, path: path, header: header})
	}
	for _, page := range b.api.pages.Routes() {
		if page.Permission == "" || strings.HasSuffix(page.Pattern, "/live") {
			continue
		}
		route := page.Method + " " + page.Pattern
		w := ask(page, "")
		require.Equal(t, http.StatusUnauthorized, w.Code, route)
		require.Contains(t, w.Header().Get("Content-Type"), "text/html", route)
		require.Equal(t, policyPages, w.Header().Get("Content-Security-Policy"), route)
		for _, role := range Roles() {
			may := Principal{Roles: []Role{role}}.May(Permission(page.Permission))
			require.Equal(t, !may, ask(page, string(role)+"/default").Code == http.StatusForbidden, "%s as %s", route, role)
		}
	}
}

func TestPages_TellAProgramInJSON(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	problemIn(t, b.do(t, exchange{method: "GET", path: "/"}), 401, "unauthenticated")
}
