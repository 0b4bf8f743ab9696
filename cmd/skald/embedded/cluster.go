package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrForeignData means that a data folder is not of the Postgres that is about to use it, or can't be read. It is left as
// it is.
var ErrForeignData = errors.New("data folder can't be used")

const superuser = "skald"

// cluster is a Postgres data folder with what belongs to it: <dir>/data, <dir>/password, <dir>/server.log, <dir>/lock.
type cluster struct {
	dir string
	bin binaries
	as  account
}

func (c cluster) data() string         { return filepath.Join(c.dir, "data") }
func (c cluster) passwordPath() string { return filepath.Join(c.dir, "password") }
func (c cluster) logPath() string      { return filepath.Join(c.dir, "server.log") }

// openCluster makes the folder, not yet the data in it, and picks the user for it.
func openCluster(dir string, bin binaries) (cluster, error) {
	if err := makeOpenDir(filepath.Dir(dir)); err != nil {
		return cluster{}, err
	}
	as, err := accountFor(dir)
	if err != nil {
		return cluster{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return cluster{}, err
	}
	return cluster{dir: dir, bin: bin, as: as}, as.own(dir)
}

// initialize makes the data folder where there is none, and checks the version of one that is there. It never deletes a
// data folder. The folder appears under its name only once it is complete, so an interrupted run leaves nothing in the way.
func (c cluster) initialize(ctx context.Context, syncFlag ...string) error {
	version, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION"))
	switch {
	case err == nil:
		if got := strings.TrimSpace(string(version)); got != strconv.Itoa(c.bin.major) {
			return fmt.Errorf("%w: %s is of Postgres %s, the server is Postgres %d", ErrForeignData, c.data(), got, c.bin.major)
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrForeignData, err)
	}
	if _, err := os.Lstat(c.data()); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s has no PG_VERSION; move it away to start with an empty database", ErrForeignData, c.data())
	}
	if err := c.makePassword(); err != nil {
		return err
	}
	unfinished := filepath.Join(c.dir, "data.new")
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	args := append([]string{
		"-D", unfinished, "-U", superuser, "--pwfile=" + c.passwordPath(),
		"-A", "scram-sha-256", "-E", "UTF8", "--locale=C",
	}, syncFlag...)
	if out, err := c.command(ctx, "initdb", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("initialize Postgres in %s: %w\n%s", c.dir, err, out)
	}
	return os.Rename(unfinished, c.data())
}

// makePassword makes the superuser's password once. It stands before the data does, so data never lacks one.
func (c cluster) makePassword() error {
	if _, err := os.Stat(c.passwordPath()); err == nil {
		return nil
	}
	if err := os.WriteFile(c.passwordPath(), []byte(rand.Text()), 0o600); err != nil {
		return err
	}
	return c.as.own(c.passwordPath())
}

// dsn is the connection string for a database of this cluster.
func (c cluster) dsn(port int, database string) (string, error) {
	password, err := os.ReadFile(c.passwordPath())
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrForeignData, err)
	}
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", superuser, strings.TrimSpace(string(password)), port, database), nil
}

// serverArgs are the arguments of postgres. volatile trades durability for speed.
func (c cluster) serverArgs(port int, volatile bool) []string {
	settings := []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300", "timezone=UTC", "log_timezone=UTC",
	}
	if volatile {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	args := []string{"-D", c.data(), "-p", strconv.Itoa(port)}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return args
}

// command prepares a server program as the cluster's account, in a folder that it may enter, with nothing of this
// process's environment that could change what it does (PGOPTIONS, LC_ALL of a locale that isn't installed).
func (c cluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	path := program
	if !filepath.IsAbs(path) {
		path = c.bin.path(program)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as.cred}
	return cmd
}

// logTail returns the end of the server's log, for errors.
func (c cluster) logTail() string {
	const most = 2000
	content, err := os.ReadFile(c.logPath())
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-most):])
}
