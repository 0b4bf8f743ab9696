package orchestrator_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// TestSweep_ABacklogGoesAtOnce: in an outage a few rows a sweep ask whether Kafka is back; then all that gathered goes, or a
// minute's backlog would take minutes.
func TestSweep_ABacklogGoesAtOnce(t *testing.T) {
	t.Parallel()
	const gathered, few = 300, 64
	b := setup(t)
	b.decide(unknown, unknown)
	for range gathered {
		b.start(errand())
	}
	b.turn()
	b.publish()
	require.Equal(t, gathered, b.outbox())
	for range 2 {
		b.machine.now = b.machine.now.Add(10 * time.Second)
		b.engine.Sweep(t.Context())
		require.Equal(t, few, b.engine.Outgoing())
		b.publish()
	}

	b.broker.commands() // none of those was taken
	b.decide(acked, acked)
	b.machine.now = b.machine.now.Add(2 * time.Second)
	b.engine.Sweep(t.Context())
	require.Equal(t, few, b.engine.Outgoing(), "nobody knows yet that Kafka is back")
	b.publish()
	b.turn()
	require.Equal(t, gathered-few, b.outbox())
	b.machine.now = b.machine.now.Add(10 * time.Second)
	b.engine.Sweep(t.Context())
	require.Equal(t, gathered-few, b.engine.Outgoing())
	b.publish()
	reached := map[saga.ID]bool{}
	for _, record := range b.broker.commands() {
		reached[record.Saga] = true
	}
	require.Len(t, reached, gathered)
}
