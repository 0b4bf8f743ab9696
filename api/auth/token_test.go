package auth

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api"
)

func TestTokens_OfEachAlgorithm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA} {
		key := b.provider.signer(t, alg, string(alg))
		b.found(t) // anew, with its keys
		who, err := b.auth.Authenticate(bearer(signed(t, key, b.provider.good(b.clock()))))
		require.NoError(t, err, alg)
		require.Equal(t, api.Principal{Name: "user:ada", Tenant: "acme", Roles: []api.Role{api.RoleOperator, api.RoleAuditor}}, who, "roles that are not mapped give nothing")
	}
}

// T1: what is forged, of somebody else, for somebody else, too old, too young, or too large.
func TestTokens_AreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key, now := b.provider.signer(t, jose.RS256, "one"), b.clock()
	b.found(t)
	with := func(changes ...any) string { return signed(t, key, b.provider.good(now, changes...)) }
	plain, err := json.Marshal(b.provider.good(now))
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	none := func(alg string) string {
		return encode([]byte(`{"alg":"`+alg+`","typ":"JWT"}`)) + "." + encode(plain) + "."
	}
	public, err := x509.MarshalPKIXPublicKey(b.provider.keys[0].Key)
	require.NoError(t, err)
	hmac := func(secret []byte) string {
		return signed(t, jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: secret, KeyID: "one"}}, b.provider.good(now))
	}
	whole := with()
	parts := strings.Split(whole, ".")
	boss, err := json.Marshal(b.provider.good(now, "roles", "boss"))
	require.NoError(t, err)
	cases := map[string]string{
		"AlgNone":            none("none"),
		"AlgNoneUpper":       none("NONE"),
		"AlgNoneWithKeysSig": none("none") + parts[2],
		"HMACWithPublicDER":  hmac(public),
		"HMACWithPublicPEM":  hmac(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"OtherAlgorithm":     signed(t, b.provider.signer(t, jose.RS512, "rs512"), b.provider.good(now)),
		"PSS":                signed(t, b.provider.signer(t, jose.PS256, "ps256"), b.provider.good(now)),
		"UnknownKid":         signed(t, b.provider.signer(t, jose.RS256, ""), b.provider.good(now)),
		"KidOfAnother":       signed(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: b.provider.signer(t, jose.RS256, "").Key.(jose.JSONWebKey).Key, KeyID: "one"}}, b.provider.good(now)),
		"OwnKeyInside":       embedded(t, b, now),
		"NoSignature":        parts[0] + "." + parts[1] + ".",
		"ChangedClaims":      parts[0] + "." + encode(boss) + "." + parts[2],
		"OtherIssuer":        with("iss", "https://evil.example"),
		"IssuerWithSlash":    with("iss", b.provider.URL+"/"),
		"NoIssuer":           with("iss", nil),
		"OtherAudience":      with("aud", "grafana"),
		"NoAudience":         with("aud", nil),
		"Expired":            with("exp", now.Add(-61*time.Second).Unix()),
		"NeverExpires":       with("exp", nil),
		"ExpiresOddly":       with("exp", "tomorrow"),
		"ExpiresHuge":        with("exp", 1e300),
		"NotYet":             with("nbf", now.Add(61*time.Second).Unix()),
		"FromTheFuture":      with("iat", now.Add(61*time.Second).Unix()),
		"NoIssuedAt":         with("iat", nil),
		"NoTenant":           with("tenant", nil),
		"EmptyTenant":        with("tenant", ""),
		"OtherTenant":        with("tenant", "victim"),
		"TwoTenants":         with("tenant", []string{"acme", "default"}),
		"NoName":             with("sub", nil),
		"NameWithControls":   with("sub", "ada\nkey:ci"),
		"LongName":           with("sub", strings.Repeat("a", 201)),
		"Huge":               with("padding", strings.Repeat("a", 1<<20)),
		"Rubbish":            "rubbish",
		"Dots":               strings.Repeat(".", 1000),
		"Empty":              "",
	}
	for name, token := range cases {
		_, err := b.auth.Authenticate(bearer(token))
		require.ErrorIs(t, err, api.ErrUnauthenticated, name)
	}
	for name, token := range map[string]string{
		"Whole": whole, "ListOfAudiences": with("aud", []string{"grafana", "skald"}), "ExpiredWithinTheSkew": with("exp", now.Add(-59*time.Second).Unix()),
		"FractionsOfSeconds": with("iat", float64(now.Unix())+0.5), "NoNotBefore": with("nbf", nil), "RolesAsText": with("roles", "sre"),
	} {
		_, err := b.auth.Authenticate(bearer(token))
		require.NoError(t, err, name)
	}
}

// embedded is a token that brings its own key along, and says that it is to be verified with it.
func embedded(t *testing.T, b *testBundle, now time.Time) string {
	t.Helper()
	key := b.provider.signer(t, jose.RS256, "")
	s, err := jose.NewSigner(key, (&jose.SignerOptions{EmbedJWK: true}).WithHeader("jku", b.provider.URL+"/evil").WithHeader("x5u", b.provider.URL+"/evil"))
	require.NoError(t, err)
	raw, err := json.Marshal(b.provider.good(now))
	require.NoError(t, err)
	object, err := s.Sign(raw)
	require.NoError(t, err)
	text, err := object.CompactSerialize()
	require.NoError(t, err)
	return text
}

func TestTokens_RolesByPathAndNone(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.OIDC.RolesClaim = "realm_access.roles" })
	key := b.provider.signer(t, jose.ES256, "one")
	b.found(t)
	see := func(changes ...any) []api.Role {
		who, err := b.auth.Authenticate(bearer(signed(t, key, b.provider.good(b.clock(), changes...))))
		require.NoError(t, err)
		return who.Roles
	}
	require.Equal(t, []api.Role{api.RoleAdmin}, see("realm_access", map[string]any{"roles": []string{"boss"}}))
	require.Equal(t, []api.Role{api.RoleAdmin}, see("realm_access.roles", "boss"), "a claim of that very name")
	require.Empty(t, see(), "no roles: nothing is allowed")
	require.Empty(t, see("realm_access", map[string]any{"roles": []string{"admin"}}), "a role's own name is no value unless it is mapped")
	require.Empty(t, see("realm_access", map[string]any{"roles": map[string]any{"boss": true}}))
}

// A key that the provider has withdrawn is believed for 15 minutes at most; unknown ones make nobody fetch more than every 5 seconds.
func TestTokens_KeysComeAndGo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one := b.provider.signer(t, jose.RS256, "one")
	b.found(t)
	ask := func(key jose.SigningKey) error {
		_, err := b.auth.Authenticate(bearer(signed(t, key, b.provider.good(b.clock()))))
		return err
	}
	require.NoError(t, ask(one))
	stranger := b.provider.signer(t, jose.RS256, "")
	for range 20 {
		require.ErrorIs(t, ask(stranger), api.ErrUnauthenticated)
	}
	require.Equal(t, 1, b.provider.fetched, "20 tokens of nobody's keys")
	two := b.provider.signer(t, jose.RS256, "two")
	require.ErrorIs(t, ask(two), api.ErrUnauthenticated, "keys were fetched a moment ago")
	b.pass(refetchEvery)
	require.NoError(t, ask(two), "a new key is found")

	b.provider.set(func() { b.provider.keys = b.provider.keys[1:] })
	b.pass(keysFreshFor)
	require.ErrorIs(t, ask(one), api.ErrUnauthenticated, "it was withdrawn")
	require.NoError(t, ask(two))
}

func TestTokens_ProviderAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one := b.provider.signer(t, jose.RS256, "one")
	ask := func() error {
		_, err := b.auth.Authenticate(bearer(signed(t, one, b.provider.good(b.clock()))))
		return err
	}
	away := func() {
		t.Helper()
		err := ask()
		require.ErrorIs(t, err, errAway)
		require.NotErrorIs(t, err, api.ErrUnauthenticated, "who asks is not known, and not refused for good")
	}
	away() // it was never found
	b.provider.set(func() { b.provider.broken = true })
	require.Error(t, b.auth.provider.find(t.Context()))
	away()
	b.provider.set(func() { b.provider.broken = false })
	b.found(t)
	b.provider.set(func() { b.provider.broken = true })
	away() // its keys cannot be had
	away() // nor a moment later
	b.provider.set(func() { b.provider.broken = false })
	b.pass(refetchEvery)
	require.NoError(t, ask())

	b.provider.set(func() { b.provider.broken = true })
	b.pass(keysFreshFor)
	require.NoError(t, ask(), "keys of a provider that is away are believed for an hour")
	b.pass(keysTrustedAt)
	away()
}

func TestProvider_Run(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.auth.Run(ctx) }()
	require.Eventually(t, func() bool { return b.auth.provider.found.Load() != nil }, 5*time.Second, 5*time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
}

func TestProvider_DescriptionThatLeadsElsewhere(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "http://10.0.0.7/keys", "file:///etc/passwd", "https://user:pass@id.example/", "//id.example"} {
		require.Error(t, CheckURL(bad), bad)
	}
	for _, ok := range []string{"https://id.example/keys", "http://127.0.0.1:8080/keys", "http://localhost/keys"} {
		require.NoError(t, CheckURL(ok), ok)
	}
	b := setup(t, func(c *Config) { c.OIDC.Issuer = strings.Replace(c.OIDC.Issuer, "127.0.0.1", "localhost", 1) })
	require.ErrorContains(t, b.auth.provider.find(t.Context()), "issuer", "it must be the one that it says it is")
}
