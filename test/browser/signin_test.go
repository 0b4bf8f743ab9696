//go:build !race

package browser

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/test/stack"
)

// TestSignIn signs in to a server that asks who it is.
func TestSignIn(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers and a browser")
	}
	if parts := os.Getenv("SKALD_TEST_BROWSER_PARTS"); parts != "" && !strings.Contains(parts, "signin") {
		t.Skip("other parts are asked for")
	}
	chromium := program(t, "chromium", "chromium-browser", "google-chrome")
	node := program(t, "node")
	install(t)

	s := stack.New(t)
	keys := map[string]string{}
	for _, role := range []string{"operator", "viewer"} {
		keys[role] = strings.TrimSpace(s.Run("apikey", "create", "--name", role, "--role", role))
	}
	replica := (&stack.Replica{Process: s.Start("serve", "--auth", "keys")}).Ready(t)
	sc := scene{URL: replica.URL, Chromium: chromium, Screenshots: os.Getenv("SKALD_TEST_SCREENSHOTS"), Keys: keys, Parts: []string{"signin"}}
	for _, v := range drive(t, node, sc) {
		t.Run(v.Name, func(t *testing.T) { require.True(t, v.OK, v.Error) })
	}
	for _, key := range keys {
		require.NotContains(t, replica.Err.String(), key[20:], "a key is in the log")
	}
}
