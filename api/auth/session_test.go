package auth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/api/apikey"
	"github.com/skaldhq/skald/orchestrator"
)

// signIn signs in by a key, and is the answer with the cookie.
func (b *testBundle) signIn(t testing.TB, key string, before ...*http.Cookie) *httptest.ResponseRecorder {
	t.Helper()
	r, w := request("POST", "https://skald.example/sign-in"), httptest.NewRecorder()
	for _, c := range before {
		r.AddCookie(c)
	}
	require.NoError(t, b.auth.WithKey(w, r, key))
	return w
}

func (b *testBundle) as(w *httptest.ResponseRecorder) (api.Principal, error) {
	return b.auth.Authenticate(carrying(request("GET", "https://skald.example/sagas"), w))
}

func TestSession_OfAKey(t *testing.T) {
	t.Parallel()
	b := setup(t).found(t)
	text, _ := b.key(t, "acme", "ada", "operator")
	w := b.signIn(t, " "+text+"\n")
	cookies := w.Result().Cookies()
	require.Len(t, cookies, 1)
	c := cookies[0]
	require.Equal(t, "__Host-skald", c.Name)
	require.True(t, c.Secure && c.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, c.SameSite)
	require.Equal(t, "/", c.Path)
	require.Empty(t, c.Domain)
	require.Zero(t, c.MaxAge, "it goes with the browser")
	require.NotContains(t, c.Value, text[20:], "the key itself stays with whoever has it")

	who, err := b.as(w)
	require.NoError(t, err)
	require.Equal(t, api.Principal{Name: "key:ada", Tenant: "acme", Roles: []api.Role{api.RoleOperator}, Session: true}, who)
	entries, err := b.store.AuditEntries(t.Context(), orchestrator.AuditQuery{Tenant: "acme", Action: "session", Limit: 10})
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, "key:ada", entries[0].Actor)

	// A header is judged alone: a session does not stand in for a bad token.
	r := carrying(bearer("rubbish"), w)
	_, err = b.auth.Authenticate(r)
	require.ErrorIs(t, err, api.ErrUnauthenticated)
}

// Nobody can have a session beforehand: signing in always makes another, and ends the one before.
func TestSession_IsNotFixed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, _ := b.key(t, "acme", "ada", "operator")
	planted := &http.Cookie{Name: "__Host-skald", Value: randomToken()}
	w := b.signIn(t, text, planted)
	require.NotEqual(t, planted.Value, w.Result().Cookies()[0].Value)
	r := request("GET", "https://skald.example/")
	r.AddCookie(planted)
	_, err := b.auth.Authenticate(r)
	require.ErrorIs(t, err, api.ErrUnauthenticated)

	_, err = b.as(w)
	require.NoError(t, err)
	again := b.signIn(t, text, w.Result().Cookies()[0])
	_, err = b.as(w)
	require.ErrorIs(t, err, api.ErrUnauthenticated, "the one before is ended")
	_, err = b.as(again)
	require.NoError(t, err)
}

func TestSession_EndsWithItsKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, row := b.key(t, "acme", "ada", "operator")
	w := b.signIn(t, text)
	next, err := apikey.Rotate(t.Context(), b.store, row, 10*time.Minute, apikey.By{Actor: "test"})
	require.NoError(t, err)
	b.pass(CacheFor)
	_, err = b.as(w)
	require.NoError(t, err, "the secret is good for the overlap")
	b.pass(11 * time.Minute)
	_, err = b.as(w)
	require.ErrorIs(t, err, api.ErrUnauthenticated, "the overlap is over")

	w = b.signIn(t, next)
	require.NoError(t, apikey.Revoke(t.Context(), b.store, row, apikey.By{Actor: "test"}, "gone"))
	b.pass(CacheFor)
	_, err = b.as(w)
	require.ErrorIs(t, err, api.ErrUnauthenticated)
}

func TestSession_EndsWhenNobodyUsesItAndAfterItsLifetime(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Idle, c.Lifetime = time.Hour, 3*time.Hour })
	text, _ := b.key(t, "acme", "ada", "operator")
	busy, idle := b.signIn(t, text), b.signIn(t, text)
	for range 5 {
		b.pass(30 * time.Minute)
		_, err := b.as(busy)
		require.NoError(t, err)
	}
	_, err := b.as(idle)
	require.ErrorIs(t, err, api.ErrUnauthenticated)
	b.pass(30*time.Minute - time.Second)
	_, err = b.as(busy)
	require.NoError(t, err)
	b.pass(time.Second)
	_, err = b.as(busy)
	require.ErrorIs(t, err, api.ErrUnauthenticated, "however busy, and though it was looked for a second ago")
}

func TestSession_SignOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, _ := b.key(t, "acme", "ada", "operator")
	w := b.signIn(t, text)
	_, err := b.as(w)
	require.NoError(t, err)
	out := httptest.NewRecorder()
	require.NoError(t, b.auth.Leave(out, carrying(request("POST", "https://skald.example/sign-out"), w)))
	require.Equal(t, -1, out.Result().Cookies()[0].MaxAge)
	_, err = b.as(w)
	require.ErrorIs(t, err, api.ErrUnauthenticated, "a cookie that was kept is worth nothing")
	require.NoError(t, b.auth.Leave(httptest.NewRecorder(), request("POST", "https://skald.example/sign-out")), "harmless")
}

func TestSession_OnThisMachineAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Loopback = true })
	text, _ := b.key(t, "acme", "ada", "operator")
	for host, name := range map[string]string{
		"http://127.0.0.1:8080": "skald", "http://localhost:8080": "skald", "http://[::1]:8080": "skald",
		"https://localhost": "__Host-skald", "http://skald.example": "__Host-skald", "http://127.0.0.1.evil.example": "__Host-skald",
	} {
		w := httptest.NewRecorder()
		require.NoError(t, b.auth.WithKey(w, request("POST", host+"/sign-in"), text))
		c := w.Result().Cookies()[0]
		require.Equal(t, name, c.Name, host)
		require.Equal(t, name != "skald", c.Secure, host)
		_, err := b.auth.Authenticate(carrying(request("GET", host+"/"), w))
		require.NoError(t, err, host)
	}
	beyond := setup(t)
	text, _ = beyond.key(t, "acme", "ada", "operator")
	w := httptest.NewRecorder()
	require.NoError(t, beyond.auth.WithKey(w, request("POST", "http://localhost:8080/sign-in"), text))
	require.True(t, w.Result().Cookies()[0].Secure, "a server that others reach never gives a cookie to plain HTTP")
	r := request("POST", "http://skald.example/sign-in")
	r.Header.Set("Origin", "http://skald.example")
	require.ErrorIs(t, beyond.auth.WithKey(httptest.NewRecorder(), r, text), api.ErrPlainHTTP, "a browser would not keep it, and ask for ever")
}

// T12: whoever guesses has to wait, by address; headers that say otherwise are not believed.
func TestSignIn_IsThrottled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, _ := b.key(t, "acme", "ada", "operator")
	try := func(remote, key string) error {
		r := request("POST", "https://skald.example/sign-in")
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", randomToken())
		return b.auth.WithKey(httptest.NewRecorder(), r, key)
	}
	const mallory = "198.51.100.9:1"
	for range 10 {
		require.ErrorIs(t, try(mallory, "sk_guess"), api.ErrUnauthenticated)
	}
	var throttled *api.ThrottledError
	require.ErrorAs(t, try(mallory, "sk_guess"), &throttled)
	require.Equal(t, tryEvery, throttled.Wait)
	require.ErrorAs(t, try(mallory, text), &throttled, "a right one is not told from others")
	require.NoError(t, try("198.51.100.10:1", text), "others are let in")
	b.pass(tryEvery)
	require.ErrorIs(t, try(mallory, "sk_guess"), api.ErrUnauthenticated)
	require.ErrorAs(t, try(mallory, "sk_guess"), &throttled)

	for range 10 {
		require.Error(t, try("[2001:db8::1]:1", "sk_guess"))
	}
	require.ErrorAs(t, try("[2001:db8::ffff:2]:1", text), &throttled, "an IPv6 network is one")
	require.NoError(t, try("[2001:db8:0:1::1]:1", text))
	require.NotContains(t, b.logs.String(), text[20:])

	for range 30 {
		require.NoError(t, try("192.0.2.1:1", text), "who is right is never slowed down")
	}
}

func TestSession_DatabaseAwayIsNoRefusal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, _ := b.key(t, "acme", "ada", "operator")
	w := b.signIn(t, text)
	away := errors.New("the database is away")
	b.store.fail(away)
	_, err := b.as(w)
	require.ErrorIs(t, err, away)
	require.NotErrorIs(t, err, api.ErrUnauthenticated)
}
