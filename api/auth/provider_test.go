package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// fakeProvider is an OpenID Connect provider.
type fakeProvider struct {
	*httptest.Server
	mu      sync.Mutex // guards what follows
	keys    []jose.JSONWebKey
	fetched int  // how often the keys were
	broken  bool // nothing but 500
	code    url.Values
	token   string // the id_token that the code gives
}

func newFakeProvider(t testing.TB) *fakeProvider {
	t.Helper()
	p := &fakeProvider{}
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
			// What it says of algorithms is not believed.
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		p.fetched++
		answer(w, jose.JSONWebKeySet{Keys: p.keys})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		p.code = r.PostForm
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.token})
	})
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.broken {
			http.Error(w, "away", http.StatusInternalServerError)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *fakeProvider) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// signer makes a key; the provider shows its public half under the id, unless that is empty.
func (p *fakeProvider) signer(t testing.TB, alg jose.SignatureAlgorithm, kid string) jose.SigningKey {
	t.Helper()
	var private crypto.Signer
	var err error
	switch alg {
	case jose.RS256, jose.RS512, jose.PS256:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		t.Fatalf("no keys for %s", alg)
	}
	require.NoError(t, err)
	if kid != "" {
		p.set(func() {
			p.keys = append(p.keys, jose.JSONWebKey{Key: private.Public(), KeyID: kid, Algorithm: string(alg), Use: "sig"})
		})
	}
	return jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: private, KeyID: kid}}
}

func signed(t testing.TB, key jose.SigningKey, claims any) string {
	t.Helper()
	s, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	require.NoError(t, err)
	raw, err := json.Marshal(claims)
	require.NoError(t, err)
	object, err := s.Sign(raw)
	require.NoError(t, err)
	text, err := object.CompactSerialize()
	require.NoError(t, err)
	return text
}

// good are the claims of a token that is let in; changes come in pairs, nil takes a claim out.
func (p *fakeProvider) good(now time.Time, changes ...any) map[string]any {
	c := map[string]any{
		"iss": p.URL, "aud": "skald", "sub": "ada", "tenant": "acme", "roles": []string{"sre", "unknown"},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == nil {
			delete(c, changes[i].(string))
			continue
		}
		c[changes[i].(string)] = changes[i+1]
	}
	return c
}
