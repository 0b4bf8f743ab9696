package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/cmd/skald/embedded"
	"github.com/skaldhq/skald/configs"
)

// devServers are the embedded servers of dev mode; each is nil where one was given from outside.
type devServers struct {
	dir       string // of their data; empty: both were given
	ephemeral bool
	lock      *os.File
	postgres  *embedded.Postgres
	broker    *embedded.Broker
}

// startDevServers starts what the settings do not name, and puts its address into them.
func startDevServers(ctx context.Context, cmd *devCmd, d *dev) (_ *devServers, err error) {
	own := &devServers{ephemeral: cmd.Ephemeral}
	cfg := &cmd.Config
	givenDB, givenKafka := cfg.Database.URL != "", len(cfg.Kafka.Brokers) > 0
	if cmd.Reset && (givenDB || givenKafka) {
		return nil, hint(wrongUsage("--reset removes the data of embedded servers, and others are given"), "unset SKALD_DATABASE_URL and SKALD_KAFKA_BROKERS")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, own.stop())
		}
	}()
	if !givenDB || !givenKafka {
		if err := own.prepare(cmd); err != nil {
			return nil, err
		}
	}
	if !givenDB {
		if isTerminal(d.term.out) {
			d.say("    %s\r", d.term.style.dim("postgres starts; the first time it is fetched (15 MB) ..."))
		}
		own.postgres, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{DataDir: own.dir, Ephemeral: cmd.Ephemeral, Log: d.log})
		if err != nil {
			return nil, hint(fmt.Errorf("the embedded Postgres: %w", err), postgresHints(err)...)
		}
		cfg.Database.URL = configs.Secret(own.postgres.DSN())
	}
	d.done("postgres", pad(describeDatabase(ctx, cfg.Database.URL.Reveal()), 50)) // over the line that said it starts
	if !givenKafka {
		dir := own.dir
		if cmd.Ephemeral {
			dir = ""
		}
		if own.broker, err = embedded.StartBroker(ctx, embedded.BrokerConfig{DataDir: dir}); err != nil {
			return nil, fmt.Errorf("the embedded Kafka broker: %w", err)
		}
		cfg.Kafka.Brokers = own.broker.Addrs()
	}
	where := strings.Join(cfg.Kafka.Brokers, ",")
	if !givenKafka {
		where += " in this process"
	}
	d.done("kafka", where)
	return own, nil
}

// prepare finds the data's folder and makes sure that no other dev mode is at it.
func (own *devServers) prepare(cmd *devCmd) (err error) {
	if cmd.Ephemeral {
		if own.dir, err = os.MkdirTemp("", "skald-dev-"); err != nil {
			return fmt.Errorf("make a folder for the data: %w", err)
		}
		return os.Chmod(own.dir, 0o755) // as root, Postgres runs as another user
	}
	if own.dir = cmd.DataDir; own.dir == "" {
		if own.dir, err = embedded.DefaultDataDir(); err != nil {
			return err
		}
	}
	if own.dir, err = filepath.Abs(own.dir); err != nil {
		return err
	}
	if _, err := os.Stat(own.dir); errors.Is(err, fs.ErrNotExist) {
		return nil // nobody is there; the servers make it, and lock what is theirs
	}
	if own.lock, err = os.OpenFile(filepath.Join(own.dir, "dev.lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return hint(fmt.Errorf("open the data's folder: %w", err), "--data-dir DIR   or SKALD_DATA_DIR, for another one")
	}
	if err := syscall.Flock(int(own.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return hint(fmt.Errorf("another skald dev runs on %s", own.dir), "stop it", "--data-dir DIR   for one of your own", "--ephemeral")
	}
	if cmd.Reset {
		return own.reset()
	}
	return nil
}

// reset removes what the embedded servers keep. It is renamed first: a server that a killed process left behind may still be
// ending, and must not write into what comes next.
func (own *devServers) reset() error {
	old, err := filepath.Glob(filepath.Join(own.dir, "postgres-*"))
	if err != nil {
		return err
	}
	for _, dir := range append(old, filepath.Join(own.dir, "kafka")) {
		away := filepath.Join(filepath.Dir(dir), "removed-"+filepath.Base(dir))
		if err := os.RemoveAll(away); err != nil {
			return fmt.Errorf("reset: %w", err)
		}
		if err := os.Rename(dir, away); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("reset: %w", err)
		}
		if err := os.RemoveAll(away); err != nil {
			return fmt.Errorf("reset: %w", err)
		}
	}
	return nil
}

func postgresHints(err error) []string {
	if errors.Is(err, embedded.ErrForeignData) {
		return []string{"--reset          removes the data", "--data-dir DIR   leaves it alone"}
	}
	return []string{"SKALD_DATABASE_URL=postgres://...   to use a Postgres of your own", "install postgresql (15 or newer), whose binaries then serve"}
}

// describeDatabase says which server it is, without its password.
func describeDatabase(ctx context.Context, dsn string) string {
	where := "given"
	if u, err := url.Parse(dsn); err == nil && u.Host != "" {
		where = u.Host + u.Path
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return where
	}
	defer conn.Close(ctx)
	version, _, _ := strings.Cut(conn.PgConn().ParameterStatus("server_version"), " ")
	return version + " at " + where
}

// watch is an error once the embedded Postgres has ended by itself.
func (own *devServers) watch(ctx context.Context) error {
	if own.postgres == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-own.postgres.Done():
		return fmt.Errorf("the embedded Postgres has ended; its log is server.log in %s", own.dir)
	}
}

// kept is the folder of what stays; empty where nothing does.
func (own *devServers) kept() string {
	if own.ephemeral {
		return ""
	}
	return own.dir
}

// stop stops the servers, last of all.
func (own *devServers) stop() error {
	var errs []error
	if own.broker != nil {
		errs = append(errs, own.broker.Stop())
	}
	if own.postgres != nil {
		errs = append(errs, own.postgres.Stop())
	}
	if own.lock != nil {
		errs = append(errs, own.lock.Close())
	}
	if own.ephemeral && own.dir != "" {
		errs = append(errs, os.RemoveAll(own.dir))
	}
	return errors.Join(errs...)
}
