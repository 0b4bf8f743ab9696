//go:build !race

// There is no Go in the Python SDK's own tests that the race detector could look into.

package polyglot

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
)

// TestSDK runs the Python SDK's own tests on servers of their own.
func TestSDK(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	run(t, []string{
		"SKALD_TEST_DATABASE_URL=" + embeddedtest.Database(t),
		"SKALD_TEST_KAFKA_BROKERS=" + strings.Join(embeddedtest.Kafka(t), ","),
	}, interpreter, "-m", "pytest", "-p", "no:cacheprovider", "--strict-markers", "--show-capture=no", "-rs")
}

// TestSDK_IsTypedAndTidy: strict types, no lint, one format.
func TestSDK_IsTypedAndTidy(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	ruff := filepath.Join(filepath.Dir(interpreter), "ruff")
	run(t, nil, ruff, "check", "--no-cache", ".")
	run(t, nil, ruff, "format", "--no-cache", "--check", ".")
	run(t, nil, interpreter, "-m", "mypy", "--cache-dir", t.TempDir())
}
