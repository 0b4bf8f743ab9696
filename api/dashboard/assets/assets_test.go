package assets

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

func get(s *Set, url, encoding string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, url, nil)
	r.Header.Set("Accept-Encoding", encoding)
	s.ServeHTTP(w, r)
	return w
}

func TestSet_ServesPackedAndForGood(t *testing.T) {
	t.Parallel()
	s, err := New(File{"more.css", []byte("a{}")})
	require.NoError(t, err)
	url := s.URL("app.js")
	require.Regexp(t, `^/assets/app\.[A-Za-z0-9_-]{12}\.js$`, url)

	packed := get(s, url, "gzip, br")
	require.Equal(t, http.StatusOK, packed.Code)
	require.Equal(t, "gzip", packed.Header().Get("Content-Encoding"))
	require.Contains(t, packed.Header().Get("Cache-Control"), "immutable")
	require.Equal(t, s.Size(url), packed.Body.Len())
	plain := get(s, url, "")
	require.Empty(t, plain.Header().Get("Content-Encoding"))
	require.Greater(t, plain.Body.Len(), packed.Body.Len())

	require.Equal(t, "a{}", get(s, s.URL("more.css"), "gzip").Body.String(), "what packing makes larger is sent as it is")
	require.Equal(t, http.StatusNotFound, get(s, s.URL("none.js"), "").Code)
	require.Equal(t, http.StatusNotFound, get(s, "/assets/app.js", "").Code)
}

func TestNew_RefusesWhatItCannotServe(t *testing.T) {
	t.Parallel()
	_, err := New(File{"app.css", nil})
	require.ErrorContains(t, err, "there twice")
	_, err = New(File{"x.exe", nil})
	require.ErrorContains(t, err, "no known type")
}

// TestFiles_LoadNothingFromElsewhere: our own styles and scripts name no other site.
func TestFiles_LoadNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"app.css", "app.js", "theme.js"} {
		body, err := files.ReadFile("files/" + name)
		require.NoError(t, err)
		require.NotContains(t, string(body), "//cdn", name)
		require.NotContains(t, string(body), "https:", name)
		require.NotContains(t, string(body), "@import", name)
	}
}
