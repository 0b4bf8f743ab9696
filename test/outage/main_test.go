package outage

import (
	"os"
	"testing"

	"github.com/skaldhq/skald/test/stack"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 || !testing.Short() {
		stack.RemoveBinary()
	}
	os.Exit(code)
}
