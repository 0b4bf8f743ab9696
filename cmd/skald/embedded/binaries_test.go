package embedded

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseMajor(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": 15,
		"postgres (PostgreSQL) 18.4\n":                           18,
		"postgres (PostgreSQL) 19beta2\n":                        19,
	} {
		got, err := parseMajor(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	for _, in := range []string{"", "mysqld 8.0", "postgres (PostgreSQL) devel"} {
		_, err := parseMajor(in)
		require.Error(t, err, in)
	}
}

// fakeServer puts a server that only knows its version first on PATH.
func fakeServer(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "postgres"), []byte(script), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "initdb"), nil, 0o755))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return dir
}

func TestFindBinaries_InstalledWhereTheRepositoryIsOutOfReach(t *testing.T) {
	t.Setenv("SKALD_DEV_PG_REPO", "http://127.0.0.1:1")
	dir := fakeServer(t, "99.1")
	got, err := findBinaries(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Equal(t, binaries{dir: dir, major: 99}, got, "the newest installed server is taken")
}

func TestInstalledBinaries_IgnoresOldServers(t *testing.T) {
	dir := fakeServer(t, "12.9")
	for _, b := range installedBinaries(t.Context()) {
		require.NotEqual(t, dir, b.dir, "the schema needs Postgres %d", oldestMajor)
	}
}

func TestFetchBinaries_SaysWhatWasNotReached(t *testing.T) {
	t.Setenv("SKALD_DEV_PG_REPO", "http://127.0.0.1:1")
	cache := t.TempDir()
	_, err := fetchBinaries(t.Context(), cache, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "reach http://127.0.0.1:1")
	require.NoDirExists(t, filepath.Join(cache, "postgres-18.4.0"))
}
