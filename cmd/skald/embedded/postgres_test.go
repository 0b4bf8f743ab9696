package embedded

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// dataDir is a folder that the unprivileged user may enter: t.TempDir's parent is not, under a strict umask.
func dataDir(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Postgres")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	return dir
}

func start(t *testing.T, cfg PostgresConfig) *Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	p, err := StartPostgres(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Stop()) })
	return p
}

// clusterDir is the folder that StartPostgres will use in dir.
func clusterDir(t *testing.T, dir string) string {
	t.Helper()
	cacheDir, err := DefaultCacheDir()
	require.NoError(t, err)
	bin, err := findBinaries(t.Context(), cacheDir, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return filepath.Join(dir, fmt.Sprintf("postgres-%d", bin.major))
}

func query(t *testing.T, dsn, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var out string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&out))
	return out
}

func TestStartPostgres_KeepsDataOverARestart(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := start(t, PostgresConfig{DataDir: dir})
	require.Equal(t, "on", query(t, p.DSN(), "SHOW fsync"), "dev mode must not lose data")
	require.Equal(t, "skald", query(t, p.DSN(), "SELECT current_database()"))
	conn, err := pgx.Connect(t.Context(), p.DSN())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE TABLE note AS SELECT 'kept' AS v")
	require.NoError(t, err)

	// With the connection open: Stop must not wait for clients.
	require.NoError(t, p.Stop())
	require.NoError(t, p.Stop(), "a second Stop is harmless")
	<-p.Done()

	again := start(t, PostgresConfig{DataDir: dir})
	require.Equal(t, "kept", query(t, again.DSN(), "SELECT v FROM note"))
}

func TestStartPostgres_EphemeralLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := start(t, PostgresConfig{DataDir: dir, Ephemeral: true})
	require.Equal(t, "off", query(t, p.DSN(), "SHOW fsync"))
	require.NoError(t, p.Stop())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestStartPostgres_LeavesForeignDataAlone(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]struct{ path, content string }{
		"another major":  {"PG_VERSION", "12\n"},
		"no version":     {"base/1/pg_filenode.map", "x"},
		"not a version":  {"PG_VERSION", "garbage"},
		"a longer major": {"PG_VERSION", "180\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			path := filepath.Join(clusterDir(t, dir), "data", file.path)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, []byte(file.content), 0o600))

			_, err := StartPostgres(t.Context(), PostgresConfig{DataDir: dir})
			require.ErrorIs(t, err, ErrForeignData)
			content, err := os.ReadFile(path)
			require.NoError(t, err, "the folder must be left as it is")
			require.Equal(t, file.content, string(content))
		})
	}
}

func TestStartPostgres_InterruptedInitIsDoneAgain(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	unfinished := filepath.Join(clusterDir(t, dir), "data.new")
	require.NoError(t, os.MkdirAll(unfinished, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(unfinished, "PG_VERSION"), []byte("18\n"), 0o600))
	p := start(t, PostgresConfig{DataDir: dir, Ephemeral: true})
	require.Equal(t, "skald", query(t, p.DSN(), "SELECT current_user::text"))
}

func TestStartPostgres_StopsAnOrphan(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	orphan, err := StartPostgres(t.Context(), PostgresConfig{DataDir: dir})
	require.NoError(t, err)
	require.NoError(t, orphan.lock.Close()) // what is left of a parent that was killed

	p := start(t, PostgresConfig{DataDir: dir})
	select {
	case <-orphan.Done():
	default:
		t.Fatal("two servers must never run on the same data")
	}
	require.NotEqual(t, orphan.process.Pid, p.process.Pid)
	require.Equal(t, "skald", query(t, p.DSN(), "SELECT current_user::text"))
}

func TestStartPostgres_LeavesAForeignProcessAlone(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := start(t, PostgresConfig{DataDir: dir})
	require.NoError(t, p.Stop())
	// The stale file names a process that got the pid later: this one.
	stale := strings.Join([]string{strconv.Itoa(os.Getpid()), p.cluster.data(), "0", "1", "", "", "", "ready", ""}, "\n")
	require.NoError(t, os.WriteFile(filepath.Join(p.cluster.data(), "postmaster.pid"), []byte(stale), 0o600))
	require.NoError(t, p.cluster.stopOrphan(t.Context()))
}

func TestStartPostgres_InUse(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := start(t, PostgresConfig{DataDir: dir, Ephemeral: true})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := StartPostgres(ctx, PostgresConfig{DataDir: dir})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "another process holds")
	require.Equal(t, "skald", query(t, p.DSN(), "SELECT current_user::text"), "the first server goes on")
}

func TestStartPostgres_PortTaken(t *testing.T) {
	t.Parallel()
	first := start(t, PostgresConfig{DataDir: dataDir(t), Ephemeral: true})
	config, err := pgx.ParseConfig(first.DSN())
	require.NoError(t, err)
	_, err = StartPostgres(t.Context(), PostgresConfig{DataDir: dataDir(t), Ephemeral: true, Port: int(config.Port)})
	require.ErrorContains(t, err, "Address already in use", "the error must hold the server's own words")
}

func TestStartPostgres_ParentKilled(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties a child to its parent; the next start stops it elsewhere")
	}
	parent := exec.Command("/proc/self/exe")
	parent.Env = append(os.Environ(), "EMBEDDED_TEST_PARENT="+dataDir(t))
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid := strings.TrimSpace(line)
	require.DirExists(t, "/proc/"+pid)

	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	require.Eventually(t, func() bool {
		state, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(state), ") Z ")
	}, 20*time.Second, 20*time.Millisecond, "a killed parent must leave no server behind")
}
