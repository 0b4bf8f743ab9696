package tracing

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // the tests' one point in time

func testSaga(t *testing.T) saga.ID {
	t.Helper()
	id, err := saga.ParseID("019aa000-0000-7abc-8123-456789abcdef")
	require.NoError(t, err)
	return id
}

// attempt is a span of a command's attempt.
func attempt(id saga.ID, step string, verb saga.Verb, n int, outcome orchestrator.SpanOutcome) orchestrator.Span {
	return orchestrator.Span{
		Kind: orchestrator.SpanAttempt, Saga: id, Begin: at, End: at.Add(time.Second), Tenant: "default", Type: "order", Version: 1,
		Step: step, Participant: "stock", Command: "Reserve.v1", Verb: verb, Attempt: n, Outcome: outcome,
	}
}

func start(t *testing.T, cfg Config) *Tracing {
	t.Helper()
	cfg.Service, cfg.Logger = "skald", slog.New(slog.DiscardHandler)
	tr, err := New(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tr.Close(context.Background())) })
	return tr
}

// byID finds spans by their ids.
func byID(spans tracetest.SpanStubs) map[string]tracetest.SpanStub {
	out := map[string]tracetest.SpanStub{}
	for _, s := range spans {
		out[s.SpanContext.SpanID().String()] = s
	}
	return out
}
