package e2e

import (
	"testing"

	"github.com/skaldhq/skald/test/stack"
)

func TestMain(m *testing.M) { stack.Main(m) }
