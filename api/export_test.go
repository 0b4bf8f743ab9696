package api

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// Bench is an API over a fake engine, for tests that put real authentication before it. What the fake has belongs to tenant default.
type Bench struct{ b *testBundle }

// NewBench makes one. Its engine has one of everything.
func NewBench(t testing.TB, change func(*Config)) *Bench { return &Bench{setup(t, change)} }

// Permissions is what each route of the API and of the dashboard needs.
func (b *Bench) Permissions() map[string]Permission {
	all := wanted()
	for _, page := range b.b.api.pages.Routes() {
		if page.Permission != "" { // assets
			all[page.Method+" "+page.Pattern] = Permission(page.Permission)
		}
	}
	return all
}

// Ask sends a request that reaches the route; writes have a body that is no JSON and no form.
func (b *Bench) Ask(t testing.TB, route string, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	e := b.b.exchangeFor(route)
	e.header = header
	return b.b.do(t, e)
}

// Secrets are texts that only tenant default may see.
func (b *Bench) Secrets() []string {
	return []string{b.b.engine.reader.view.Instance.Key, "tok_ok"}
}

// RequireTenant checks that nothing was asked of the engine for another tenant.
func (b *Bench) RequireTenant(t testing.TB, tenant string) {
	t.Helper()
	b.b.engine.reader.mu.Lock()
	defer b.b.engine.reader.mu.Unlock()
	for _, q := range b.b.engine.reader.queries {
		require.Equal(t, tenant, q.Tenant)
	}
	for _, q := range b.b.engine.reader.quarantineQueries {
		require.Equal(t, tenant, q.Tenant)
	}
	for _, a := range b.b.engine.acts {
		require.Equal(t, tenant, a.Tenant)
	}
}
