package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/orchestrator"
)

// begun is somebody who was sent to the provider.
type begun struct {
	cookie *httptest.ResponseRecorder
	query  url.Values // of the provider's page
}

func (b *testBundle) begin(t testing.TB) begun {
	t.Helper()
	w := httptest.NewRecorder()
	at, err := b.auth.Begin(w, request("GET", "https://skald.example/sign-in/provider"), "/sagas?x=1")
	require.NoError(t, err)
	u, err := url.Parse(at)
	require.NoError(t, err)
	require.Equal(t, b.provider.URL+"/authorize", u.Scheme+"://"+u.Host+u.Path)
	return begun{w, u.Query()}
}

// back comes back from the provider.
func (b *testBundle) back(f begun, state string) (*httptest.ResponseRecorder, string, error) {
	w := httptest.NewRecorder()
	r := carrying(request("GET", "https://skald.example/sign-in/callback?code=c&state="+url.QueryEscape(state)), f.cookie)
	next, err := b.auth.Finish(w, r)
	return w, next, err
}

func (b *testBundle) idToken(t testing.TB, key jose.SigningKey, nonce string, changes ...any) {
	t.Helper()
	token := signed(t, key, b.provider.good(b.clock(), append([]any{"aud", "skald-web", "nonce", nonce}, changes...)...))
	b.provider.set(func() { b.provider.token = token })
}

func TestCodeFlow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := b.provider.signer(t, jose.ES256, "one")
	b.found(t)
	require.Equal(t, api.SignInWays{Key: true, Provider: b.provider.Listener.Addr().String()}, b.auth.Ways())
	f := b.begin(t)
	require.Equal(t, "skald-web", f.query.Get("client_id"))
	require.Equal(t, "https://skald.example/sign-in/callback", f.query.Get("redirect_uri"))
	require.Equal(t, "S256", f.query.Get("code_challenge_method"))
	c := f.cookie.Result().Cookies()[0]
	require.Equal(t, "__Host-skald-flow", c.Name)
	require.True(t, c.Secure && c.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, c.SameSite)

	b.idToken(t, key, f.query.Get("nonce"))
	w, next, err := b.back(f, f.query.Get("state"))
	require.NoError(t, err)
	require.Equal(t, "/sagas?x=1", next)
	sum := sha256.Sum256([]byte(b.provider.code.Get("code_verifier")))
	require.Equal(t, f.query.Get("code_challenge"), base64.RawURLEncoding.EncodeToString(sum[:]), "PKCE: the code is worth nothing without the verifier")
	who, err := b.as(w)
	require.NoError(t, err)
	require.Equal(t, api.Principal{Name: "user:ada", Tenant: "acme", Roles: []api.Role{api.RoleOperator, api.RoleAuditor}, Session: true}, who)
}

func TestCodeFlow_IsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := b.provider.signer(t, jose.ES256, "one")
	stranger := b.provider.signer(t, jose.ES256, "")
	b.found(t)
	refuse := func(name string, f begun, state string) {
		t.Helper()
		w, _, err := b.back(f, state)
		require.ErrorIs(t, err, api.ErrUnauthenticated, name)
		for _, c := range w.Result().Cookies() {
			require.Empty(t, c.Value, "%s: no session", name)
		}
	}
	f := b.begin(t)
	nonce, state := f.query.Get("nonce"), f.query.Get("state")
	b.idToken(t, key, nonce)
	refuse("OtherState", f, "another")
	refuse("NoState", f, "")
	refuse("NoCookie: another browser began", begun{httptest.NewRecorder(), f.query}, state)
	for name, change := range map[string][]any{
		"OtherNonce": {"nonce", "another"}, "NoNonce": {"nonce", nil}, "TokenOfAProgram": {"aud", "skald"}, "OtherIssuer": {"iss", "https://evil.example"},
		"Expired": {"exp", 1}, "NoTenant": {"tenant", nil},
	} {
		b.idToken(t, key, nonce, change...)
		refuse(name, f, state)
	}
	b.idToken(t, stranger, nonce)
	refuse("KeyOfNobody", f, state)
	b.provider.set(func() { b.provider.token = "" })
	refuse("NoToken", f, state)

	r := carrying(request("GET", "https://skald.example/sign-in/callback?error=access_denied&state="+url.QueryEscape(state)), f.cookie)
	_, err := b.auth.Finish(httptest.NewRecorder(), r)
	require.ErrorIs(t, err, api.ErrUnauthenticated)

	b.provider.set(func() { b.provider.broken = true })
	_, _, err = b.back(f, state)
	require.ErrorIs(t, err, errAway)
}

func TestCodeFlow_WhereThereIsNone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){"NoClient": func(c *Config) { c.OIDC.ClientID = "" }, "NoProvider": func(c *Config) { c.OIDC = nil }} {
		b := setup(t, change)
		require.Equal(t, api.SignInWays{Key: true}, b.auth.Ways(), name)
		_, err := b.auth.Begin(httptest.NewRecorder(), request("GET", "https://skald.example/sign-in/provider"), "/")
		require.ErrorIs(t, err, orchestrator.ErrNotFound, name)
		_, err = b.auth.Finish(httptest.NewRecorder(), request("GET", "https://skald.example/sign-in/callback"))
		require.ErrorIs(t, err, orchestrator.ErrNotFound, name)
	}
	b := setup(t)
	_, err := b.auth.Begin(httptest.NewRecorder(), request("GET", "https://skald.example/sign-in/provider"), "/")
	require.ErrorIs(t, err, errAway, "it was not found yet")
	_, err = New(Config{Sessions: b.store})
	require.Error(t, err, "nobody could ever be let in")
}
