package stack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// binaries are built once for each test process: a build takes seconds.
var binaries sync.Map //nolint:gochecknoglobals // see above: a *built by tag

type built struct {
	once sync.Once
	path string
	err  error
}

// Binary is the path of the built skald.
func Binary(t testing.TB) string {
	t.Helper()
	return Tagged(t, "")
}

// Tagged is the path of skald built with a tag.
func Tagged(t testing.TB, tag string) string {
	t.Helper()
	found, _ := binaries.LoadOrStore(tag, &built{})
	binary := found.(*built)
	binary.once.Do(func() { binary.path, binary.err = build(tag) })
	if binary.err != nil {
		t.Fatalf("build skald: %v", binary.err)
	}
	return binary.path
}

func build(tag string) (string, error) {
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
	if Raced {
		args = append(args, "-race")
	}
	if tag != "" {
		args = append(args, "-tags", tag)
	}
	out, err := exec.Command("go", append(args, "github.com/skaldhq/skald/cmd/skald")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

// RemoveBinary removes what Binary and Tagged have built, if anything; for TestMain.
func RemoveBinary() {
	binaries.Range(func(_, found any) bool {
		if path := found.(*built).path; path != "" {
			_ = os.RemoveAll(filepath.Dir(path)) // a leftover in the temporary folder is no failure
		}
		return true
	})
}

// Main runs a package's tests and removes the binary.
func Main(m *testing.M) {
	code := m.Run()
	RemoveBinary()
	os.Exit(code)
}
