package orchestrator_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// A command's times follow one another: decided on, committed, acknowledged by the broker.
func TestHistory_TellsWhenACommandWasCommitted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	b.turn() // the receipt
	entries, err := b.memory.History(t.Context(), tenant, id, 0, 10)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Fact.Type == saga.StepStarted {
			require.NotNil(t, e.Receipt)
			require.False(t, e.Receipt.CommittedAt.IsZero())
			require.False(t, e.Receipt.CommittedAt.Before(e.Fact.At.Truncate(time.Microsecond)))
			require.False(t, e.Receipt.At.Before(e.Receipt.CommittedAt))
			return
		}
	}
	t.Fatal("no command was started")
}
