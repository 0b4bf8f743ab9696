package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckExposure(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:8080", "127.8.8.8:1", "[::1]:8080", "localhost:80", "LOCALHOST.:80", "[::ffff:127.0.0.1]:80"} {
		require.NoError(t, CheckExposure(addr, false), addr)
	}
	for _, addr := range []string{":8080", "0.0.0.0:8080", "[::]:8080", "10.0.0.1:80", "example.com:80", "127.0.0.1.example.com:80", "localhost.example.com:80", "[fe80::1%lo]:80"} {
		require.ErrorIs(t, CheckExposure(addr, false), ErrExposed, addr)
		require.NoError(t, CheckExposure(addr, true), addr)
	}
	require.Error(t, CheckExposure("8080", true), "no address at all")
}

func TestGuard_ServesThisMachineAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cases := map[string]struct {
		host, origin, site, remote string
		status                     int
		code                       string
	}{
		"Plain":            {status: 200},
		"Localhost":        {host: "localhost:8080", status: 200},
		"IPv6":             {host: "[::1]:8080", status: 200},
		"OwnPage":          {origin: "http://127.0.0.1:8080", site: "same-origin", status: 200},
		"Rebound":          {host: "evil.example:8080", status: 403, code: "not_loopback"},
		"ReboundLookalike": {host: "127.0.0.1.evil.example", status: 403, code: "not_loopback"},
		"OtherOrigin":      {origin: "https://evil.example", status: 403, code: "not_loopback"},
		"NullOrigin":       {origin: "null", status: 403, code: "not_loopback"},
		"OtherMachine":     {remote: "10.0.0.7:4000", status: 403, code: "not_loopback"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/v1/stats", "/healthz", "/docs", "/", "/openapi.json"} {
				r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080"+path, nil)
				r.RemoteAddr = "127.0.0.1:50000"
				if c.remote != "" {
					r.RemoteAddr = c.remote
				}
				if c.host != "" {
					r.Host = c.host
				}
				for header, value := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site} {
					if value != "" {
						r.Header.Set(header, value)
					}
				}
				w := httptest.NewRecorder()
				b.api.Handler().ServeHTTP(w, r)
				if c.code != "" {
					problemIn(t, w, c.status, c.code)
				} else {
					require.Equal(t, c.status, w.Code, path)
				}
			}
		})
	}
}

func TestGuard_WritesFromOtherPagesAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := startBodyOf("{}")
	for _, site := range []string{"cross-site", "same-site"} {
		w := b.do(t, exchange{method: "POST", path: "/v1/sagas", body: body, header: map[string]string{"Sec-Fetch-Site": site}})
		problemIn(t, w, 403, "cross_origin")
	}
	w := b.do(t, exchange{method: "POST", path: "/v1/sagas", body: body, header: map[string]string{"Origin": "http://localhost:3000"}})
	problemIn(t, w, 403, "cross_origin") // another server of this machine
	require.Empty(t, b.engine.starts)
	w = b.do(t, exchange{method: "POST", path: "/v1/sagas", body: body, header: map[string]string{"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}})
	require.Equal(t, 202, w.Code)
}

func TestGuard_WhereStrangersAreAllowed(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.AllowUnauthenticated = true })
	r := httptest.NewRequest(http.MethodGet, "http://skald.example/v1/stats", nil)
	w := httptest.NewRecorder()
	b.api.Handler().ServeHTTP(w, r)
	require.Equal(t, 200, w.Code)
	w = b.do(t, exchange{method: "POST", path: "/v1/sagas", body: startBodyOf("{}"), header: map[string]string{"Origin": "https://evil.example"}})
	problemIn(t, w, 403, "cross_origin")
}

func TestHeaders_OnEveryAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/v1/stats", "/nowhere", "/docs", "/", "/openapi.json"} {
		h := b.do(t, exchange{method: "GET", path: path}).Header()
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		require.Equal(t, "DENY", h.Get("X-Frame-Options"), path)
		require.Equal(t, "same-origin", h.Get("Cross-Origin-Resource-Policy"), path)
		policy := h.Get("Content-Security-Policy")
		require.True(t, strings.HasPrefix(policy, "default-src 'none'; "), path)
		require.Equal(t, path == "/docs", strings.Contains(policy, "unsafe-inline"), path)
		require.NotContains(t, policy, "unsafe-eval")
		require.NotEmpty(t, h.Get("X-Request-Id"))
		require.Empty(t, h.Get("Access-Control-Allow-Origin"))
	}
}

func TestRequestID_OnlyPlainOnesAreTaken(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a-B_1.x", requestID("a-B_1.x"))
	for _, bad := range []string{"", "a b", "a\nb", strings.Repeat("a", 65), "ä", `"`} {
		require.Len(t, requestID(bad), 24, "%q", bad)
	}
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	t.Parallel()
	b := setup(t)
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/nothing"}), 404, "unknown_route")
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/sagas/"}), 404, "unknown_route")
	for path, allow := range map[string]string{"/v1/sagas": "GET, POST", "/v1/definitions/a/1": "GET, PUT", "/v1/stats": "GET", "/": "GET"} {
		w := b.do(t, exchange{method: "DELETE", path: path})
		problemIn(t, w, 405, "method_not_allowed")
		require.Equal(t, allow, w.Header().Get("Allow"), path)
	}
}

func TestPanic_BecomesAProblem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.api.mux.Get("/broken", func(http.ResponseWriter, *http.Request) { panic("secret") })
	p := problemIn(t, b.do(t, exchange{method: "GET", path: "/broken"}), 500, "internal")
	require.NotContains(t, p.Detail, "secret")
	require.Contains(t, b.logs.String(), "request panicked")
}

func TestAccessLog_HasNoPayloadAndNoQuery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(t, exchange{method: "POST", path: "/v1/sagas?canary-query=1", body: `{"saga":"X","input":"canary-body"}`})
	require.Contains(t, b.logs.String(), "route=/v1/sagas status=422")
	require.NotContains(t, b.logs.String(), "canary")
}
