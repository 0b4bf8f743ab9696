package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresConfig says where the embedded Postgres lives. The zero value is what dev mode uses.
type PostgresConfig struct {
	// DataDir gets one folder for each Postgres major, such as postgres-18. Empty: DefaultDataDir. As root, every folder
	// above it must be one that other users may enter.
	DataDir string
	// CacheDir holds the fetched binaries. Empty: DefaultCacheDir.
	CacheDir string
	// Port on 127.0.0.1. 0: any free one.
	Port int
	// Ephemeral is for tests: nothing is flushed to disk, and Stop removes the data.
	Ephemeral bool
	// Log gets a few lines about progress. nil: none. The server's own log is server.log beside its data.
	Log *slog.Logger
}

func (cfg *PostgresConfig) setDefaults() error {
	var err error
	if cfg.DataDir == "" {
		if cfg.DataDir, err = DefaultDataDir(); err != nil {
			return err
		}
	}
	if cfg.CacheDir == "" {
		if cfg.CacheDir, err = DefaultCacheDir(); err != nil {
			return err
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.DataDir, err = filepath.Abs(cfg.DataDir); err != nil {
		return err
	}
	cfg.CacheDir, err = filepath.Abs(cfg.CacheDir)
	return err
}

// Postgres is a running server. It ends with Stop; on Linux also with this process, however that ends. Its methods are
// safe for concurrent use.
type Postgres struct {
	cluster   cluster
	dsn       string
	lock      *os.File
	ephemeral bool
	process   *os.Process
	done      <-chan struct{}
	stopOnce  sync.Once
	stopErr   error
}

// StartPostgres starts a server and returns once it takes connections. The first start on a machine fetches the binaries
// (15 MB), the first on a DataDir initializes it; later ones take well under a second. A server that a killed process left
// on the same data is stopped first; a live process that uses the data is waited for, at most 15 s.
//
// ctx bounds the start alone: cancelling it later does not stop the server. ErrForeignData is returned where the data
// folder is of another major or can't be read; the folder is left as it is.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	bin, err := findBinaries(ctx, cfg.CacheDir, cfg.Log)
	if err != nil {
		return nil, err
	}
	c, err := openCluster(filepath.Join(cfg.DataDir, fmt.Sprintf("postgres-%d", bin.major)), bin)
	if err != nil {
		return nil, err
	}
	lockCtx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	lock, err := lockFile(lockCtx, filepath.Join(c.dir, "lock"))
	if err != nil {
		return nil, err
	}
	p := &Postgres{cluster: c, lock: lock, ephemeral: cfg.Ephemeral}
	if err := p.start(ctx, cfg.Port); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	cfg.Log.InfoContext(ctx, "Postgres is up", "major", bin.major, "data_dir", c.dir, "pid", p.process.Pid)
	return p, nil
}

func (p *Postgres) start(ctx context.Context, port int) error {
	if err := p.cluster.stopOrphan(ctx); err != nil {
		return err
	}
	var initFlags []string
	if p.ephemeral {
		initFlags = append(initFlags, "--no-sync")
	}
	if err := p.cluster.initialize(ctx, initFlags...); err != nil {
		return err
	}
	anyPort := port == 0
	for attempt := 1; ; attempt++ {
		if anyPort {
			var err error
			if port, err = freePort(); err != nil {
				return err
			}
		}
		err := p.launch(ctx, port)
		// Another process may take the free port before the server does.
		if err == nil || !anyPort || attempt == 3 || !strings.Contains(err.Error(), "Address already in use") {
			return err
		}
	}
}

// launch starts the server process and waits until the database "skald" is there.
func (p *Postgres) launch(ctx context.Context, port int) error {
	c := p.cluster
	logFile, err := os.OpenFile(c.logPath(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	// Not ctx: it bounds the start, not the server's life.
	cmd := c.command(context.WithoutCancel(ctx), "postgres", c.serverArgs(port, p.ephemeral)...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	// SIGINT is Postgres's fast shutdown: sessions are cut off, data is safe.
	if p.done, err = StartTied(cmd, syscall.SIGINT); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p.process = cmd.Process
	if p.dsn, err = c.dsn(port, "skald"); err == nil {
		err = c.awaitReady(ctx, port, p.done)
	}
	if err == nil {
		err = ensureDatabase(ctx, c, port)
	}
	if err != nil {
		return errors.Join(err, p.shutdown())
	}
	return nil
}

// awaitReady waits until the server on port takes connections, or exited closes, for at most a minute.
func (c cluster) awaitReady(ctx context.Context, port int, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	dsn, err := c.dsn(port, "postgres")
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-exited:
			return fmt.Errorf("start Postgres in %s: the server ended\n%s", c.dir, c.logTail())
		case <-ctx.Done():
			return fmt.Errorf("start Postgres in %s: %w\n%s", c.dir, errors.Join(ctx.Err(), err), c.logTail())
		case <-tick.C:
		}
	}
}

func ensureDatabase(ctx context.Context, c cluster, port int) error {
	dsn, err := c.dsn(port, "postgres")
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'skald')`).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, `CREATE DATABASE skald`)
	return err
}

// DSN is the connection string of the database "skald", for its superuser. It holds a password.
func (p *Postgres) DSN() string { return p.dsn }

// Done is closed when the server has ended, by Stop or by itself.
func (p *Postgres) Done() <-chan struct{} { return p.done }

// Stop ends the server and waits for it: sessions are cut off, committed data is safe. A second call returns what the
// first returned. An ephemeral server's data is removed.
func (p *Postgres) Stop() error {
	p.stopOnce.Do(func() {
		p.stopErr = p.shutdown()
		if p.ephemeral {
			p.stopErr = errors.Join(p.stopErr, os.RemoveAll(p.cluster.dir))
		}
		p.stopErr = errors.Join(p.stopErr, p.lock.Close())
	})
	return p.stopErr
}

// shutdown asks for a fast shutdown, after 20 s for an immediate one, and waits.
func (p *Postgres) shutdown() error {
	for _, ask := range []struct {
		signal os.Signal
		wait   time.Duration
	}{{syscall.SIGINT, 20 * time.Second}, {syscall.SIGQUIT, 5 * time.Second}, {syscall.SIGKILL, 5 * time.Second}} {
		if err := p.process.Signal(ask.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop Postgres: %w", err)
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(ask.wait):
		}
	}
	return fmt.Errorf("stop Postgres: process %d does not end", p.process.Pid)
}

// freePort returns a port on 127.0.0.1 that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
