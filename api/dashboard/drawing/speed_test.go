//go:build !race

package drawing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/dashboard/drawing"
)

// The race detector makes drawing several times as slow: then it is no measure.
func TestSixtyStepsAreDrawnAtOnce(t *testing.T) {
	t.Parallel()
	for name, g := range map[string]drawing.Graph{"tangle": tangle(60), "chain": {Nodes: 60, Edges: chain(60), Origin: -1}} {
		best := time.Hour
		for range 5 { // the least of a few: others use the machine too
			began := time.Now()
			drawing.Wide(g)
			drawing.Tall(g)
			best = min(best, time.Since(began))
		}
		require.Less(t, best, 10*time.Millisecond, name)
	}
}
