package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// doorman is a SignIn that lets in whoever has the key "good", and keeps them by a cookie.
type doorman struct{ err error }

func (d *doorman) Ways() SignInWays { return SignInWays{Key: true, Provider: "id.example"} }

func (d *doorman) WithKey(w http.ResponseWriter, _ *http.Request, key string) error {
	if d.err != nil || key != "good" {
		return errors.Join(d.err, ErrUnauthenticated)
	}
	http.SetCookie(w, &http.Cookie{Name: "who", Value: "operator"})
	return nil
}

func (d *doorman) Begin(_ http.ResponseWriter, _ *http.Request, next string) (string, error) {
	return "https://id.example/authorize?next=" + next, d.err
}

func (d *doorman) Finish(_ http.ResponseWriter, r *http.Request) (string, error) {
	return r.URL.Query().Get("next"), d.err
}

func (d *doorman) Leave(w http.ResponseWriter, _ *http.Request) error {
	http.SetCookie(w, &http.Cookie{Name: "who", MaxAge: -1})
	return d.err
}

func (d *doorman) Authenticate(r *http.Request) (Principal, error) {
	c, err := r.Cookie("who")
	if err != nil {
		return Principal{}, ErrUnauthenticated
	}
	return Principal{Name: "key:ada", Tenant: "default", Roles: []Role{Role(c.Value)}, Session: true}, nil
}

func withDoor(d *doorman) func(*Config) {
	return func(c *Config) { c.Authenticator, c.SignIn = d, d }
}

func browser(method, path string) exchange {
	header := map[string]string{"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Site": "same-origin"}
	if method == http.MethodPost {
		header["Content-Type"] = "application/x-www-form-urlencoded"
	}
	return exchange{method: method, path: path, header: header}
}

func (e exchange) with(name, value string) exchange {
	e.header[name] = value
	return e
}

func TestSignIn_ThereAndBack(t *testing.T) {
	t.Parallel()
	b := setup(t, withDoor(&doorman{}))
	w := b.do(t, browser("GET", "/sagas?status=running&label=a%3Ab"))
	require.Equal(t, 303, w.Code)
	at := w.Header().Get("Location")
	require.Equal(t, "/sign-in?next=%2Fsagas%3Fstatus%3Drunning%26label%3Da%253Ab", at)
	require.Equal(t, "/sign-in", b.do(t, browser("GET", "/")).Header().Get("Location"))

	w = b.do(t, browser("GET", at))
	require.Equal(t, 200, w.Code)
	page := w.Body.String()
	require.Contains(t, page, `name="next" value="/sagas?status=running&amp;label=a%3Ab"`)
	require.Contains(t, page, "/sign-in/provider?next=%2Fsagas")
	require.NotContains(t, page, "<nav", "there is nothing to see yet")
	require.Equal(t, policyPages, w.Header().Get("Content-Security-Policy"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))

	form := browser("POST", "/sign-in")
	form.body = "key=typedkey&next=%2Fsagas"
	w = b.do(t, form)
	require.Equal(t, 401, w.Code)
	require.Contains(t, w.Body.String(), "This is no API key")
	require.NotContains(t, w.Body.String(), "typedkey", "what was typed is not shown again")
	require.Contains(t, w.Body.String(), `value="/sagas"`)

	form.body = "key=good&next=%2Fsagas%3Fstatus%3Drunning"
	w = b.do(t, form)
	require.Equal(t, 303, w.Code)
	require.Equal(t, "/sagas?status=running", w.Header().Get("Location"))

	w = b.do(t, browser("GET", "/sagas").with("Cookie", "who=operator"))
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), "key:ada")
	require.Contains(t, w.Body.String(), "Sign out")
	require.NotContains(t, w.Body.String(), `href="/audit"`, "an operator may not read the audit")
	w = b.do(t, browser("GET", "/audit").with("Cookie", "who=operator"))
	require.Equal(t, 403, w.Code)
	w = b.do(t, browser("GET", "/sign-in").with("Cookie", "who=operator"))
	require.Contains(t, w.Body.String(), "You are signed in as")

	w = b.do(t, browser("POST", "/sign-out").with("Cookie", "who=operator"))
	require.Equal(t, 303, w.Code)
	require.Equal(t, "/sign-in", w.Header().Get("Location"))
	require.Contains(t, w.Header().Get("Set-Cookie"), "Max-Age=0")
}

// A link to the sign-in page leads nobody to another site, whoever made it.
func TestSignIn_LeadsNowhereElse(t *testing.T) {
	t.Parallel()
	b := setup(t, withDoor(&doorman{}))
	for _, next := range []string{
		"https://evil.example", "//evil.example", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "/\n/evil.example", "javascript:alert(1)", "evil.example",
		"http:/evil.example", "/" + strings.Repeat("a", nextMax), "", "///evil.example", "/%2f/../..//\x00", "/sign-out", "/sign-in", "/sign-in/provider?next=/",
	} {
		require.Equal(t, "/", localPath(next), "%q", next)
		form := browser("POST", "/sign-in")
		form.body = "key=good&next=" + strings.NewReplacer("%", "%25", "\t", "%09", "\n", "%0a", "\x00", "%00").Replace(next)
		if w := b.do(t, form); w.Code == 303 {
			require.Equal(t, "/", w.Header().Get("Location"), "%q", next)
		}
	}
	for _, next := range []string{"/", "/sagas", "/sagas?key=a%2Fb&x=1", "/sagas/019aa000-0000-7000-8000-000000000000", "/search?q=%2F%2Fevil"} {
		require.Equal(t, next, localPath(next))
	}
	w := b.do(t, browser("GET", "/sign-in/callback?next=//evil.example"))
	require.Equal(t, "/", w.Header().Get("Location"))
}

func TestSignIn_FormsOfOtherPagesAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, withDoor(&doorman{}))
	for _, path := range []string{"/sign-in", "/sign-out", "/holds"} {
		for _, e := range []exchange{
			browser("POST", path).with("Sec-Fetch-Site", "cross-site"), browser("POST", path).with("Sec-Fetch-Site", "same-site"),
			browser("POST", path).with("Sec-Fetch-Site", "").with("Origin", "https://evil.example"),
		} {
			e.body = "key=good"
			w := b.do(t, e.with("Cookie", "who=admin"))
			problemIn(t, w, 403, "cross_origin")
			require.Empty(t, w.Header().Get("Set-Cookie"))
		}
	}
	require.Equal(t, 405, b.do(t, browser("GET", "/sign-out")).Code, "an image cannot sign anybody out")
}

func TestSignIn_WhoeverIsNoBrowserGetsAProblem(t *testing.T) {
	t.Parallel()
	b := setup(t, withDoor(&doorman{}))
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/sagas"}), 401, "unauthenticated")
	problemIn(t, b.do(t, exchange{method: "GET", path: "/sagas"}), 401, "unauthenticated")
	w := b.do(t, browser("GET", "/sagas").with("Accept", "*/*").with("HX-Request", "true").with("Referer", "http://127.0.0.1:8080/sagas?status=running"))
	require.Equal(t, 401, w.Code)
	require.Equal(t, "/sign-in?next=%2Fsagas%3Fstatus%3Drunning", w.Header().Get("HX-Redirect"))
	w = b.do(t, browser("POST", "/holds/7/end").with("Referer", "http://127.0.0.1:8080/holds"))
	require.Equal(t, "/sign-in?next=%2Fholds", w.Header().Get("Location"), "back to the page with the form")
	w = b.do(t, browser("POST", "/holds/7/end").with("Referer", "https://evil.example/holds"))
	require.Equal(t, "/sign-in", w.Header().Get("Location"))
}

func TestSignIn_WhatGoesWrong(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		err    error
		status int
		text   string
	}{
		"Throttled": {&ThrottledError{Wait: 7 * time.Second}, 429, "wait 7s"},
		"PlainHTTP": {ErrPlainHTTP, 403, "https"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, withDoor(&doorman{err: c.err}))
			form := browser("POST", "/sign-in")
			form.body = "key=good"
			w := b.do(t, form)
			require.Equal(t, c.status, w.Code)
			require.Contains(t, w.Body.String(), c.text)
			if c.status == 429 {
				require.Equal(t, "8", w.Header().Get("Retry-After"))
			}
		})
	}
	away := setup(t, withDoor(&doorman{err: errors.New("the provider hides at 10.0.0.7")}))
	for _, path := range []string{"/sign-in/provider", "/sign-in/callback"} {
		w := away.do(t, browser("GET", path))
		require.Equal(t, 503, w.Code)
		require.NotContains(t, w.Body.String(), "10.0.0.7")
	}
	require.Equal(t, 503, away.do(t, browser("POST", "/sign-out")).Code, "nobody believes to be signed out who is not")
	form := browser("POST", "/sign-in")
	form.body = "key=" + strings.Repeat("a", 32<<10)
	require.Equal(t, 400, away.do(t, form).Code)
}

func TestSignIn_IsNotThereWithoutAuthentication(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Equal(t, 404, b.do(t, browser("GET", "/sign-in")).Code)
	w := httptest.NewRecorder()
	b.api.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/", nil))
	require.NotContains(t, w.Body.String(), "Sign out")
}
