package participanttest

import (
	"context"
	"testing"

	"github.com/skaldhq/skald/participants"
)

// World is a barrier, and a place for effects in its transactions.
type World struct {
	Barrier participants.Barrier
	// Effect writes name in the transaction that a handler finds in Request.Tx.
	Effect func(ctx context.Context, tx any, name string) error
	// Effects returns what was committed, in order.
	Effects func() []string
	// Break makes a statement of the transaction fail, as a violated constraint would; nil where there are none.
	Break func(ctx context.Context, tx any) error
}

// RunBarrierSuite checks a barrier against the rules of the protocol, one subtest a rule. newWorld is called for each
// and returns one with no rows.
func RunBarrierSuite(t *testing.T, newWorld func(t testing.TB) World) {
	groups := map[string]map[string]func(*rig){
		"Execute":    executeCases(),
		"Compensate": compensateCases(),
		"Open":       openCases(),
		"Probe":      probeCases(),
		"External":   externalCases(),
	}
	for group, cases := range groups {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			for name, run := range cases {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					run(newRig(t, newWorld(t)))
				})
			}
		})
	}
}
