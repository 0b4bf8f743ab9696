package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/skaldhq/skald/api"
)

// OIDC is an OpenID Connect provider, and what its claims mean here. Issuer, Audience, Roles, Tenants and the claims' names are required.
type OIDC struct {
	Issuer   string // as tokens name it; https, or http on loopback
	Audience string // that tokens of programs are for

	// ClientID is who Skald is to the provider; empty: people cannot sign in by it. The others belong to it.
	ClientID     string
	ClientSecret string // empty: a public client
	RedirectURL  string // of /sign-in/callback, as browsers reach it
	Scopes       []string

	NameClaim   string // who it is, in the audit
	RolesClaim  string // a text or a list of texts; dots lead into objects
	TenantClaim string
	Roles       map[string][]api.Role // by value of the claim; other values give nothing
	Tenants     []string              // that the provider may speak for
}

// Limits on what is fetched from a provider.
const (
	fetchLimit    = 5 * time.Second
	fetchBytes    = 1 << 20
	refetchEvery  = 5 * time.Second  // keys, for tokens that none of those known has signed
	keysFreshFor  = 15 * time.Minute // then they are fetched anew: a key that was withdrawn is believed no longer than that
	keysTrustedAt = time.Hour        // most age of keys while the provider is away
	findEvery     = 5 * time.Second
)

// errAway says that the provider cannot be asked. It becomes 503: nobody is let in, and nobody is told that they are unknown.
var errAway = errors.New("the provider of identities cannot be reached")

// provider verifies tokens. It is safe for concurrent use.
type provider struct {
	cfg    OIDC
	now    func() time.Time
	log    *slog.Logger
	client *http.Client
	found  atomic.Pointer[discovered] // nil: not yet
}

// discovered is a provider that was found.
type discovered struct {
	endpoint oauth2.Endpoint
	access   *oidc.IDTokenVerifier // of what programs bring
	sign     *oidc.IDTokenVerifier // of what the code flow brings
}

func newProvider(cfg OIDC, now func() time.Time, log *slog.Logger) *provider {
	return &provider{cfg: cfg, now: now, log: log, client: &http.Client{
		Timeout:   fetchLimit,
		Transport: &guarded{next: http.DefaultTransport},
		// Where the provider is, its description says; what leads elsewhere is not followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// run looks for the provider until it is found; what it is then is kept.
func (p *provider) run(ctx context.Context) error {
	said := ""
	for p.found.Load() == nil {
		err := p.find(ctx)
		if err == nil {
			p.log.InfoContext(ctx, "provider of identities found", "issuer", p.cfg.Issuer)
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		if err.Error() != said {
			said = err.Error()
			p.log.ErrorContext(ctx, "provider of identities not found: nobody is let in by it until it is", "issuer", p.cfg.Issuer, "error", err)
		}
		wait := time.NewTimer(findEvery)
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-wait.C:
		}
	}
	return nil
}

// find reads the provider's description.
func (p *provider) find(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	described, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.cfg.Issuer)
	if err != nil {
		return err
	}
	var more struct {
		Keys string `json:"jwks_uri"`
	}
	if err := described.Claims(&more); err != nil {
		return fmt.Errorf("read the provider's description: %w", err)
	}
	endpoint := described.Endpoint()
	for _, address := range []string{more.Keys, endpoint.AuthURL, endpoint.TokenURL} {
		if err := CheckURL(address); err != nil {
			return fmt.Errorf("the provider's description: %w", err)
		}
	}
	keys := newKeySet(p.client, more.Keys, p.now)
	verifier := func(audience string) *oidc.IDTokenVerifier {
		return oidc.NewVerifier(p.cfg.Issuer, keys, &oidc.Config{
			ClientID: audience, SupportedSigningAlgs: []string{oidc.RS256, oidc.ES256, oidc.EdDSA},
			SkipExpiryCheck: true, // checkTimes is stricter
		})
	}
	p.found.Store(&discovered{endpoint: endpoint, access: verifier(p.cfg.Audience), sign: verifier(p.cfg.ClientID)})
	return nil
}

// CheckURL is nil for https, and for http on loopback.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Host)) {
		return fmt.Errorf("%q: want an https address", address)
	}
	return nil
}

// principal is whom a program's token stands for.
func (p *provider) principal(ctx context.Context, token string) (api.Principal, error) {
	found := p.found.Load()
	if found == nil {
		return api.Principal{}, errAway
	}
	who, _, err := p.verify(ctx, found.access, token)
	return who, err
}
