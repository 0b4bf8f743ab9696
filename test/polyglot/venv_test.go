package polyglot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/test/stack"
)

func TestMain(m *testing.M) { stack.Main(m) }

// sdk is the folder of the Python SDK.
const sdk = "../../participants/python"

// venv is made once for each test process, and kept for the next in the user's cache.
var venv = sync.OnceValues(makeVenv) //nolint:gochecknoglobals // see above

// errNoPython is no failure where nobody asked for Python.
var errNoPython = errors.New("needs Python 3.11 or newer with venv")

// python is the interpreter that has what requirements.lock names.
func python(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs servers")
	}
	path, err := venv()
	if errors.Is(err, errNoPython) && os.Getenv("SKALD_TEST_PYTHON") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	return path
}

func makeVenv() (string, error) {
	base := os.Getenv("SKALD_TEST_PYTHON")
	if base == "" {
		base = "python3"
	}
	version, err := exec.Command(base, "-c", "import sys, venv, ensurepip; assert sys.version_info >= (3, 11); print(sys.version, sys.prefix)").Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", errNoPython, base, err)
	}
	lock := filepath.Join(sdk, "requirements.lock")
	pins, err := os.ReadFile(lock)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256(append(version, pins...))
	dir := filepath.Join(cache, "skald-test-venv", hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	unlock, err := alone(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	path := filepath.Join(dir, "bin", "python")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return path, nil
	}
	for _, command := range [][]string{
		{base, "-m", "venv", "--clear", dir},
		{path, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "-r", lock},
		{path, "-m", "pip", "check", "--quiet"},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%q: %w\n%s", command, err, out)
		}
	}
	return path, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
}

// alone keeps other test processes from making the same folder.
func alone(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // which gives the lock back
}

// run runs a program of the SDK's to its end.
func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = sdk
	cmd.Env = append(stack.CleanEnv(), append(env, "PYTHONPATH=src", "PYTHONDONTWRITEBYTECODE=1")...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %q\n%s", name, args, out)
}
