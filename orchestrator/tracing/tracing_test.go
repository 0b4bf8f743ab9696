package tracing

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestEnded_MakesOneTraceOfASaga(t *testing.T) {
	t.Parallel()
	id, kept := testSaga(t), tracetest.NewInMemoryExporter()
	tr := start(t, Config{Exporter: &keeping{InMemoryExporter: kept}, Ratio: 1})
	const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	acked := attempt(id, "reserve", saga.Execute, 2, "succeeded")
	acked.AckedAt, acked.Record = at.Add(time.Millisecond), &saga.Coordinates{Partition: 3, Offset: 7}
	tr.Ended([]orchestrator.Span{{Kind: orchestrator.SpanStart, Saga: id, Begin: at, End: at, Type: "order", Version: 1, Caller: caller}})
	tr.Ended([]orchestrator.Span{attempt(id, "reserve", saga.Execute, 1, orchestrator.SpanTimeout), acked})
	tr.Ended([]orchestrator.Span{{Kind: orchestrator.SpanSaga, Saga: id, Begin: at, End: at.Add(time.Minute), Type: "order", Version: 1, Status: saga.Completed, Verdict: saga.Committed}})
	require.NoError(t, tr.Close(t.Context()))

	spans := kept.GetSpans()
	require.Len(t, spans, 4)
	found := byID(spans)
	root := found[RootSpan(id).String()]
	require.Equal(t, "order", root.Name)
	require.False(t, root.Parent.IsValid())
	require.Equal(t, at.Add(time.Minute), root.EndTime)
	require.Equal(t, codes.Unset, root.Status.Code)
	for _, s := range spans {
		require.Equal(t, TraceID(id), s.SpanContext.TraceID())
		if s.Name != "order" {
			require.Equal(t, RootSpan(id), s.Parent.SpanID(), s.Name)
		}
	}
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", found[StartSpan(id).String()].Links[0].SpanContext.TraceID().String())
	first := found[AttemptSpan(id, "reserve", saga.Execute, 0, 1).String()]
	require.Equal(t, trace.SpanKindProducer, first.SpanKind)
	require.Equal(t, codes.Error, first.Status.Code)
	require.Empty(t, first.Links)
	second := found[AttemptSpan(id, "reserve", saga.Execute, 0, 2).String()]
	require.Equal(t, "execute reserve", second.Name)
	require.Equal(t, codes.Unset, second.Status.Code)
	require.Equal(t, first.SpanContext.SpanID(), second.Links[0].SpanContext.SpanID(), "a redelivery has a link")
	require.Equal(t, "published", second.Events[0].Name)
	require.Equal(t, Stats{Exported: 4}, tr.Stats())
}

func TestCommand_NamesTheSpanOfItsAttempt(t *testing.T) {
	t.Parallel()
	id := testSaga(t)
	cmd := saga.Command{Step: "reserve", Verb: saga.Execute, Attempt: 2}
	for _, ratio := range []Ratio{0, 1} {
		tr := start(t, Config{Exporter: tracetest.NewInMemoryExporter(), Ratio: ratio})
		sc := callerOf(tr.Command(id, &cmd))
		require.Equal(t, TraceID(id), sc.TraceID())
		require.Equal(t, AttemptSpan(id, "reserve", saga.Execute, 0, 2), sc.SpanID())
		require.Equal(t, ratio == 1, sc.IsSampled(), "participants keep what the engine keeps")
		require.Equal(t, ratio == 1, tr.Traced(id))
	}
}

func TestEnded_DropsWhatIsTooMuchAndCounts(t *testing.T) {
	t.Parallel()
	id := testSaga(t)
	stuck := &stuckExporter{begun: make(chan struct{}, 1), release: make(chan struct{})}
	tr := start(t, Config{Exporter: stuck, Ratio: 1})
	one := []orchestrator.Span{attempt(id, "reserve", saga.Execute, 1, "succeeded")}
	tr.Ended(one)
	<-stuck.begun // the exporter hangs: nothing leaves the queues from here on
	const told = 2 * (queueMax + endedMax + exportMax)
	for range told {
		tr.Ended(one) // which returns at once, or the test would never end
	}
	close(stuck.release)
	require.NoError(t, tr.Close(t.Context()))
	stats := tr.Stats()
	require.Positive(t, stats.Dropped)
	require.EqualValues(t, told+1, stats.Exported+stats.Dropped+stats.Failed, "each is counted")
}

func TestExport_ACollectorThatIsAwayMakesOneLine(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e := &exporting{exporter: awayExporter{}, log: slog.New(slog.NewTextHandler(&log, nil))}
	batch := tracetest.SpanStubs{{Name: "one"}, {Name: "two"}}.Snapshots()
	for range 5 {
		require.False(t, e.send(batch))
	}
	require.EqualValues(t, 10, e.stats.failed.Load())
	require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	e.said = e.said.Add(-complain)
	e.send(batch)
	require.Equal(t, 2, strings.Count(log.String(), "\n"))
	require.Contains(t, log.String(), "lost=12")
}

func TestNew_WantsAnAddress(t *testing.T) {
	t.Parallel()
	_, err := New(t.Context(), Config{Endpoint: "collector:4318", Service: "skald"})
	require.ErrorContains(t, err, "is no address")
}

// keeping keeps its spans over Shutdown, where the SDK's forgets them.
type keeping struct{ *tracetest.InMemoryExporter }

func (*keeping) Shutdown(context.Context) error { return nil }

// stuckExporter hangs in its first export until it is released.
type stuckExporter struct{ begun, release chan struct{} }

func (s *stuckExporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	select {
	case s.begun <- struct{}{}:
		<-s.release
	default:
	}
	return nil
}

func (*stuckExporter) Shutdown(context.Context) error { return nil }

type awayExporter struct{}

func (awayExporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	return errors.New("nobody is there")
}

func (awayExporter) Shutdown(context.Context) error { return nil }
