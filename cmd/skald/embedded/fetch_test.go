package embedded

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// repository serves testdata/server.txz, whose programs do nothing, as the artifact for whatever system asks, and counts
// the downloads.
func repository(t *testing.T, checksum func(jar []byte) string) *atomic.Int32 {
	t.Helper()
	archive, err := os.ReadFile("testdata/server.txz")
	require.NoError(t, err)
	var jar bytes.Buffer
	w := zip.NewWriter(&jar)
	f, err := w.Create("postgres-any.txz")
	require.NoError(t, err)
	_, err = f.Write(archive)
	require.NoError(t, err)
	require.NoError(t, w.Close())

	var downloads atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "-18.4.0.jar"):
			downloads.Add(1)
			_, _ = w.Write(jar.Bytes())
		case strings.HasSuffix(r.URL.Path, ".jar.sha256"):
			_, _ = w.Write([]byte(checksum(jar.Bytes())))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("SKALD_DEV_PG_REPO", server.URL)
	return &downloads
}

func sha256Hex(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func TestFetchBinaries_OnceForAll(t *testing.T) {
	downloads := repository(t, sha256Hex)
	cache := filepath.Join(t.TempDir(), "cache")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			b, err := fetchBinaries(t.Context(), cache, slog.New(slog.DiscardHandler))
			if err != nil || b != (binaries{dir: filepath.Join(cache, "postgres-18.4.0", "bin"), major: 18}) {
				t.Errorf("fetched %v, error %v", b, err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, downloads.Load())

	for name, mode := range map[string]os.FileMode{"bin": 0o755, "bin/postgres": 0o755, "lib/libpq.so.5.18": 0o644} {
		info, err := os.Stat(filepath.Join(cache, "postgres-18.4.0", name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm()&mode, "%s must be open to the user that runs the server", name)
	}
	link, err := os.Readlink(filepath.Join(cache, "postgres-18.4.0", "lib", "libpq.so"))
	require.NoError(t, err)
	require.Equal(t, "libpq.so.5.18", link)
	left, err := filepath.Glob(filepath.Join(cache, "fetch-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestFetchBinaries_RefusesAWrongChecksum(t *testing.T) {
	repository(t, func([]byte) string { return strings.Repeat("0", 64) })
	cache := t.TempDir()
	_, err := fetchBinaries(t.Context(), cache, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "checksums do not match")
	require.NoDirExists(t, filepath.Join(cache, "postgres-18.4.0"))
}
