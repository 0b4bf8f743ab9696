package auth

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/api/apikey"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type testBundle struct {
	auth     *Auth
	store    *countingStore
	provider *fakeProvider
	logs     *bytes.Buffer

	mu  sync.Mutex // guards now
	now time.Time
}

// countingStore counts looks, and fails when it is told to.
type countingStore struct {
	*memory.Store
	mu    sync.Mutex // guards what follows
	looks int
	err   error
}

func (s *countingStore) look() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	return s.err
}

func (s *countingStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *countingStore) FindAPIKey(ctx context.Context, id string) (orchestrator.APIKey, error) {
	if err := s.look(); err != nil {
		return orchestrator.APIKey{}, err
	}
	return s.Store.FindAPIKey(ctx, id)
}

func (s *countingStore) FindSession(ctx context.Context, id [32]byte) (orchestrator.Session, error) {
	if err := s.look(); err != nil {
		return orchestrator.Session{}, err
	}
	return s.Store.FindSession(ctx, id)
}

func setup(t testing.TB, change ...func(*Config)) *testBundle {
	t.Helper()
	b := &testBundle{provider: newFakeProvider(t), logs: &bytes.Buffer{}, now: time.Now().Truncate(time.Second)}
	b.store = &countingStore{Store: memory.New(memory.Config{Now: b.clock})}
	cfg := Config{
		Keys: b.store, Sessions: b.store, Now: b.clock, Logger: slog.New(slog.NewTextHandler(b.logs, nil)),
		OIDC: &OIDC{
			Issuer: b.provider.URL, Audience: "skald", ClientID: "skald-web", RedirectURL: "https://skald.example/sign-in/callback",
			Scopes: []string{"openid"}, NameClaim: "sub", RolesClaim: "roles", TenantClaim: "tenant",
			Roles: map[string][]api.Role{"sre": {api.RoleOperator, api.RoleAuditor}, "boss": {api.RoleAdmin}}, Tenants: []string{"acme", "default"},
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	b.auth, err = New(cfg)
	require.NoError(t, err)
	return b
}

func (b *testBundle) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *testBundle) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *testBundle) found(t testing.TB) *testBundle {
	t.Helper()
	require.NoError(t, b.auth.provider.find(t.Context()))
	return b
}

func (b *testBundle) key(t testing.TB, tenant, name string, roles ...string) (string, orchestrator.APIKey) {
	t.Helper()
	text, row, err := apikey.Create(t.Context(), b.store.Store, apikey.Request{Tenant: tenant, Name: name, Roles: roles}, apikey.By{Actor: "test"})
	require.NoError(t, err)
	return text, row
}

func request(method, url string) *http.Request {
	r := httptest.NewRequest(method, url, nil)
	r.RemoteAddr = "192.0.2.7:4000"
	return r
}

func bearer(token string) *http.Request {
	r := request("GET", "https://skald.example/v1/sagas")
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// carrying is a request with the cookies that an answer set.
func carrying(r *http.Request, w *httptest.ResponseRecorder) *http.Request {
	for _, c := range w.Result().Cookies() {
		if c.MaxAge >= 0 && c.Value != "" {
			r.AddCookie(c)
		}
	}
	return r
}
