package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// SharedIdle is how long the shared server stays up after its last use.
const SharedIdle = 10 * time.Minute

// watchdog runs the server as its child and stops it when the file "used" is older than ten minutes. It is a shell script
// and not this program, because the server outlives every process that uses it.
const watchdog = `used=$1; pause=$2; shift 2
"$@" & server=$!
trap 'kill -INT $server' INT TERM
while kill -0 $server 2>/dev/null; do
	sleep "$pause"
	[ -n "$(find "$used" -mmin -10)" ] || kill -INT $server
done`

// Shared is the throw-away Postgres that all tests of this user share, across processes: an initdb for each of them would
// cost more than the tests. It has one place per user (SKALD_TEST_SERVER_DIR names another, absolute), nothing is flushed to disk, it stays up between runs and ends when
// nobody used it for SharedIdle. Whatever is found stopped is made anew, so no run inherits a broken one.
type Shared struct {
	cluster cluster
	port    int
}

// sharedPlace is where the shared server lives, and how often its watchdog looks.
type sharedPlace struct {
	root, cacheDir string
	pause          time.Duration // whole seconds
}

func sharedPlaceDefault() (sharedPlace, error) {
	cacheDir, err := DefaultCacheDir()
	if err != nil {
		return sharedPlace{}, err
	}
	root := os.Getenv("SKALD_TEST_SERVER_DIR")
	if root == "" {
		root = filepath.Join(cacheDir, "test-server")
	}
	return sharedPlace{root: root, cacheDir: cacheDir, pause: 10 * time.Second}, nil
}

func (p sharedPlace) clusterDir() string { return filepath.Join(p.root, "postgres") }
func (p sharedPlace) lockPath() string   { return filepath.Join(p.root, "lock") }

// OpenShared returns the shared server, and starts it where it doesn't run. Processes that come together wait for the one
// that starts it. Using it again at least every SharedIdle keeps it up (Touch).
func OpenShared(ctx context.Context) (Shared, error) {
	place, err := sharedPlaceDefault()
	if err != nil {
		return Shared{}, err
	}
	return place.open(ctx)
}

func (p sharedPlace) open(ctx context.Context) (Shared, error) {
	if err := makeOpenDir(p.root); err != nil {
		return Shared{}, err
	}
	s := Shared{cluster: cluster{dir: p.clusterDir()}}
	if s.answers(ctx) {
		return s, nil
	}
	lock, err := lockFile(ctx, p.lockPath())
	if err != nil {
		return Shared{}, err
	}
	defer lock.Close()
	if s.answers(ctx) {
		return s, nil
	}
	return p.start(ctx)
}

// answers tells whether the server is up with our password, and keeps it up if so.
func (s *Shared) answers(ctx context.Context) bool {
	if s.Touch() != nil {
		return false
	}
	_, port, err := s.cluster.readPidFile()
	if err != nil || port == 0 {
		return false
	}
	s.port = port
	dsn, err := s.DSN("postgres")
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	return err == nil && conn.Close(ctx) == nil
}

// start makes the server anew. The caller holds the lock.
func (p sharedPlace) start(ctx context.Context) (Shared, error) {
	if err := p.remove(ctx); err != nil {
		return Shared{}, err
	}
	bin, err := findBinaries(ctx, p.cacheDir, slog.New(slog.DiscardHandler))
	if err != nil {
		return Shared{}, err
	}
	c, err := openCluster(p.clusterDir(), bin)
	if err != nil {
		return Shared{}, err
	}
	if err := c.initialize(ctx, "--no-sync"); err != nil {
		return Shared{}, err
	}
	s := Shared{cluster: c}
	if s.port, err = freePort(); err != nil {
		return Shared{}, err
	}
	if err := os.WriteFile(s.usedPath(), nil, 0o644); err != nil {
		return Shared{}, err
	}
	return s, s.launch(ctx, p.pause)
}

// launch starts the watchdog in a session of its own and lets go of it.
func (s *Shared) launch(ctx context.Context, pause time.Duration) error {
	c := s.cluster
	logFile, err := os.Create(c.logPath())
	if err != nil {
		return err
	}
	defer logFile.Close()
	args := append([]string{"-c", watchdog, "watchdog", s.usedPath(), strconv.Itoa(int(pause.Seconds())), c.bin.path("postgres")}, c.serverArgs(s.port, true)...)
	cmd := c.command(context.WithoutCancel(ctx), "/bin/sh", args...)
	cmd.SysProcAttr.Setsid = true
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the shared Postgres: %w", err)
	}
	if err := c.awaitReady(ctx, s.port, nil); err != nil {
		return errors.Join(err, cmd.Process.Signal(syscall.SIGTERM), cmd.Process.Release())
	}
	return cmd.Process.Release()
}

// DSN is the connection string for a database of the server, for its superuser.
func (s Shared) DSN(database string) (string, error) { return s.cluster.dsn(s.port, database) }

// Touch counts as a use of the server.
func (s Shared) Touch() error {
	now := time.Now()
	return os.Chtimes(s.usedPath(), now, now)
}

func (s Shared) usedPath() string { return filepath.Join(s.cluster.dir, "used") }

// StopShared stops the shared server and removes its data. It is harmless where none runs.
func StopShared(ctx context.Context) error {
	place, err := sharedPlaceDefault()
	if err != nil {
		return err
	}
	return place.stop(ctx)
}

func (p sharedPlace) stop(ctx context.Context) error {
	lock, err := lockFile(ctx, p.lockPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	return p.remove(ctx)
}

// remove stops whatever runs in the place and deletes its data. The caller holds the lock.
func (p sharedPlace) remove(ctx context.Context) error {
	if err := (cluster{dir: p.clusterDir()}).stopOrphan(ctx); err != nil {
		return err
	}
	return os.RemoveAll(p.clusterDir())
}
