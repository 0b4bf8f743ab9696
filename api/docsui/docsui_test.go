package docsui

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFiles_MatchTheLock(t *testing.T) {
	t.Parallel()
	lock, err := os.ReadFile("assets.lock")
	require.NoError(t, err)
	found := 0
	for line := range strings.Lines(string(lock)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		require.True(t, ok, "a line is a sum, two spaces, and a name: %q", line)
		body, err := os.ReadFile(name)
		require.NoError(t, err)
		got := sha256.Sum256(body)
		require.Equal(t, sum, hex.EncodeToString(got[:]), "%s is not the published file", name)
		found++
	}
	require.Equal(t, 2, found)
}

func TestMount_ServesEveryFileThatThePageNames(t *testing.T) {
	t.Parallel()
	handlers := map[string]http.Handler{}
	Mount(func(pattern string, h http.Handler) { handlers[pattern] = h })
	get := func(path, encoding string) *httptest.ResponseRecorder {
		require.Contains(t, handlers, path)
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", encoding)
		handlers[path].ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
		return w
	}
	index := get("/docs", "").Body.String()
	for _, attr := range []string{`href="`, `src="`} {
		for _, part := range strings.Split(index, attr)[1:] {
			path, _, _ := strings.Cut(part, `"`)
			require.True(t, strings.HasPrefix(path, "/docs/"), "%s would be loaded from elsewhere", path)
			require.Equal(t, len(get(path, "").Body.Bytes()) > 0, true)
		}
	}
	require.Equal(t, "gzip", get("/docs/swagger-ui.css", "gzip, br").Header().Get("Content-Encoding"))
	plain := get("/docs/swagger-ui-bundle.js", "br")
	require.Empty(t, plain.Header().Get("Content-Encoding"))
	require.Contains(t, plain.Body.String(), "SwaggerUIBundle")
}
