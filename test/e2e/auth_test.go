package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/test/stack"
)

// TestAuth_BeyondLoopback serves other machines, with keys and a provider that is away: keys are let in until they are revoked,
// whoever shows nothing never, and tokens are put off until the provider can be asked.
func TestAuth_BeyondLoopback(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	t.Parallel()
	s := stack.New(t)
	key := strings.TrimSpace(s.Run("apikey", "create", "--name", "ci", "--role", "admin", "--tenant", "acme"))
	replica := (&stack.Replica{Process: s.Start("serve", "--http-addr", "0.0.0.0:0", "--auth", "both",
		"--oidc-issuer", "http://127.0.0.1:1", "--oidc-audience", "skald", "--oidc-role-map", "sre=operator")}).Ready(t)
	require.Contains(t, replica.Err.String(), "provider of identities not found")

	ask := func(path, token string) (status int, header http.Header) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, replica.URL+path, nil)
		require.NoError(t, err)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, resp.Header
	}
	for _, path := range []string{"/v1/sagas", "/v1/stats", "/sagas", "/v1/apikeys", "/live"} {
		status, _ := ask(path, "")
		require.Equal(t, 401, status, path)
	}
	status, header := ask("/v1/sagas", "eyJhbGciOiJub25lIn0.e30.")
	require.Equal(t, 503, status, "who it is can't be found out")
	require.NotEmpty(t, header.Get("Retry-After"))

	c, err := client.New(replica.URL, client.WithToken(key))
	require.NoError(t, err)
	_, err = c.Stats(t.Context())
	require.NoError(t, err)
	made, err := c.CreateAPIKey(t.Context(), client.APIKeyRequest{Name: "short", Roles: []string{"viewer"}})
	require.NoError(t, err)
	status, _ = ask("/v1/sagas", made.Key)
	require.Equal(t, 200, status)
	require.NoError(t, c.RevokeAPIKey(t.Context(), made.ID, "over"))
	began := time.Now()
	stack.Eventually(t, 10*time.Second, func(context.Context) error {
		if status, _ := ask("/v1/sagas", made.Key); status != 401 {
			return fmt.Errorf("%s after it was revoked the key is answered %d", time.Since(began), status)
		}
		return nil
	})
	s.Run("audit", "verify") // its chain fits
	var problem *client.Error
	_, err = c.CreateAPIKey(t.Context(), client.APIKeyRequest{Name: "ci", Roles: []string{"viewer"}})
	require.True(t, errors.As(err, &problem) && problem.Status == http.StatusConflict)
	require.NotContains(t, replica.Err.String(), key[20:])
}
