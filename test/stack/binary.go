package stack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// binary is built once for each test process.
var binary = sync.OnceValues(build) //nolint:gochecknoglobals // a build takes seconds

// Binary is the path of the built skald.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatalf("build skald: %v", err)
	}
	return path
}

func build() (string, error) {
	// Not a test's own folder: it has to outlive the first test, and other users must be able to run it.
	dir, err := os.MkdirTemp("", "skald-test-bin-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "skald")
	args := []string{"build", "-o", path}
	if raced {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "github.com/skaldhq/skald/cmd/skald")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

// RemoveBinary removes what Binary has built; for TestMain.
func RemoveBinary() {
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path)) // a leftover in the temporary folder is no failure
	}
}
