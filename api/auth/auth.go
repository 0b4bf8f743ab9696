package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/api/apikey"
	"github.com/skaldhq/skald/orchestrator"
)

// CacheFor is how long what the database says of a key or a session is believed.
const CacheFor = 5 * time.Second

// Config is what an Auth is made of. Sessions and one of Keys and OIDC are required.
type Config struct {
	Keys     orchestrator.APIKeys  // nil: no API keys
	OIDC     *OIDC                 // nil: no tokens
	Sessions orchestrator.Sessions // of the dashboard

	Idle     time.Duration // of a session; 0: an hour
	Lifetime time.Duration // of a session, however busy; 0: 12 hours
	// Loopback says that nothing but this machine reaches the server: cookies may then go over plain HTTP.
	Loopback bool

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
}

// Auth is an api.Authenticator and an api.SignIn. It is safe for concurrent use.
type Auth struct {
	cfg      Config
	keys     *keys     // nil: no API keys
	provider *provider // nil: no tokens
	sessions *sessions
	throttle *throttle
}

var (
	_ api.Authenticator = (*Auth)(nil)
	_ api.SignIn        = (*Auth)(nil)
)

// New makes an Auth. Tokens are refused as unavailable until Run has reached the provider.
func New(cfg Config) (*Auth, error) {
	if cfg.Sessions == nil || cfg.Keys == nil && cfg.OIDC == nil {
		return nil, errors.New("make authentication: sessions, and API keys or a provider are required")
	}
	if cfg.Idle <= 0 {
		cfg.Idle = time.Hour
	}
	if cfg.Lifetime <= 0 {
		cfg.Lifetime = 12 * time.Hour
	}
	cfg.Idle = min(cfg.Idle, cfg.Lifetime)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	a := &Auth{cfg: cfg, throttle: newThrottle()}
	if cfg.Keys != nil {
		a.keys = newKeys(cfg.Keys, cfg.Now, cfg.Logger)
	}
	if cfg.OIDC != nil {
		a.provider = newProvider(*cfg.OIDC, cfg.Now, cfg.Logger)
	}
	a.sessions = newSessions(&a.cfg)
	return a, nil
}

// Run looks for the provider until it is found, and takes sessions away that have ended, until ctx ends; it returns nil then.
func (a *Auth) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if a.provider != nil {
		group.Go(func() error { return a.provider.run(ctx) })
	}
	group.Go(func() error { return a.sessions.run(ctx) })
	return group.Wait()
}

// Authenticate implements api.Authenticator.
func (a *Auth) Authenticate(r *http.Request) (api.Principal, error) {
	header := r.Header.Values("Authorization")
	if len(header) == 0 {
		return a.bySession(r)
	}
	scheme, token, _ := strings.Cut(header[0], " ")
	if len(header) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return api.Principal{}, refused("the request has no single Authorization of the scheme Bearer")
	}
	who, err := a.byBearer(r.Context(), strings.TrimSpace(token))
	if errors.Is(err, api.ErrUnauthenticated) {
		a.cfg.Logger.InfoContext(r.Context(), "refused who asks", "error", err)
	}
	return who, err
}

func (a *Auth) byBearer(ctx context.Context, token string) (api.Principal, error) {
	if strings.HasPrefix(token, apikey.Prefix) {
		if a.keys == nil {
			return api.Principal{}, refused("API keys are turned off")
		}
		key, ok := apikey.Parse(token)
		if !ok {
			return api.Principal{}, refused("this is no API key")
		}
		return a.keys.principal(ctx, key)
	}
	if a.provider == nil {
		return api.Principal{}, refused("tokens of a provider are turned off")
	}
	return a.provider.principal(ctx, token)
}

func (a *Auth) bySession(r *http.Request) (api.Principal, error) {
	token, ok := a.sessions.cookie(r)
	if !ok {
		return api.Principal{}, api.ErrUnauthenticated
	}
	s, err := a.sessions.find(r.Context(), token)
	if err != nil {
		return api.Principal{}, err
	}
	who, err := a.whose(r.Context(), s)
	who.Session = true
	return who, err
}

// whose is whom a session belongs to now: a key that is gone takes its sessions with it.
func (a *Auth) whose(ctx context.Context, s signedIn) (api.Principal, error) {
	switch {
	case s.Key != nil && a.keys != nil:
		return a.keys.principal(ctx, *s.Key)
	case s.Principal != nil && a.provider != nil:
		return *s.Principal, nil
	}
	return api.Principal{}, refused("the session is of a kind that is turned off")
}

// refusal says why somebody is not let in, to the log.
type refusal struct{ why string }

func refused(why string) error { return &refusal{why} }

func (r *refusal) Error() string { return r.why }

// Unwrap makes it an api.ErrUnauthenticated.
func (r *refusal) Unwrap() error { return api.ErrUnauthenticated }
