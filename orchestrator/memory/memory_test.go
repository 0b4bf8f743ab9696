package memory_test

import (
	"testing"
	"time"

	"github.com/skaldhq/skald/orchestrator/memory"
	"github.com/skaldhq/skald/orchestrator/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Fixture {
		var ahead time.Duration
		return storetest.Fixture{
			Store: memory.New(memory.Config{
				Now:             func() time.Time { return time.Now().Add(ahead) },
				QuarantineBytes: storetest.QuarantineBytes,
			}),
			Age: func(_ testing.TB, d time.Duration) { ahead += d },
		}
	})
}
