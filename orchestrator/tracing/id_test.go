package tracing

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Ids are part of what neighbouring versions must agree on: the one says in a command what the other emits.
func TestIDs_AreDerived(t *testing.T) {
	t.Parallel()
	id := testSaga(t)
	require.Equal(t, "019aa00000007abc8123456789abcdef", TraceID(id).String())
	for want, got := range map[string]trace.SpanID{
		"a360de727479931d": RootSpan(id),
		"852181b51f203c45": StartSpan(id),
		"7014a1d27b505005": AttemptSpan(id, "charge-payment", saga.Execute, 0, 1),
		"7ce2a71330c08f73": AttemptSpan(id, "charge-payment", saga.Execute, 0, 2),
		"5c94c5d21ca36993": AttemptSpan(id, "charge-payment", saga.Execute, 1, 1),
		"12c3569f4afd10af": AttemptSpan(id, "charge-payment", saga.Compensate, 0, 1),
		"1b347a2df473734d": AttemptSpan(id, "charge-payment", saga.Probe, 0, 2),
	} {
		require.Equal(t, want, got.String())
	}
}

func TestTraceParent(t *testing.T) {
	t.Parallel()
	id := testSaga(t)
	for flags, sampled := range map[string]bool{"01": true, "00": false} {
		got := traceParent(TraceID(id), RootSpan(id), sampled)
		require.Equal(t, fmt.Sprintf("00-%s-%s-%s", TraceID(id), RootSpan(id), flags), got)
		sc := callerOf(got)
		require.True(t, sc.IsValid())
		require.Equal(t, sampled, sc.IsSampled())
	}
}

// The SDK's own ratio takes a UUID's variant for randomness.
func TestRatio_KeepsItsShareOfSagas(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	const all = 20_000
	for _, ratio := range []Ratio{0, 0.01, 0.1, 0.5, 0.75, 1} {
		kept := 0
		for range all {
			id := saga.NewID(at, uint16(random.Uint64()), random.Uint64())
			if ratio.Keeps(TraceID(id)) {
				kept++
			}
		}
		require.InDelta(t, float64(ratio), float64(kept)/all, 0.015, "of ratio %v", ratio)
	}
}
