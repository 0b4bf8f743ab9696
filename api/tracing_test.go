package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/skaldhq/skald/orchestrator/saga"
)

func rootOf(id saga.ID) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID(id), SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled})
}

func TestTracing_ARequestContinuesItsCallersTrace(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	b := setup(t, func(c *Config) {
		c.Tracing = Tracing{Provider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)), Root: rootOf}
	})
	const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	w := b.do(t, exchange{method: http.MethodPost, path: "/v1/sagas", body: `{"saga":"order","input":{"id":"A-1","canary":"kanarienvogel"}}`, header: map[string]string{"traceparent": caller}})
	require.Equal(t, http.StatusAccepted, w.Code, w.Body.String())
	b.do(t, exchange{method: http.MethodGet, path: "/healthz"})
	b.do(t, exchange{method: http.MethodGet, path: "/v1/sagas/019aa000-0000-7000-8000-000000000000/events", header: map[string]string{"Accept": "text/event-stream"}})

	ended := spans.Ended()
	require.Len(t, ended, 1, "neither health nor streams have spans")
	span := ended[0]
	require.Equal(t, "POST /v1/sagas", span.Name())
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", span.SpanContext().TraceID().String())
	require.Equal(t, "b7ad6b7169203331", span.Parent().SpanID().String())
	require.Contains(t, span.Attributes(), attribute.String("http.route", "/v1/sagas"))
	for _, attr := range span.Attributes() {
		require.NotContains(t, attr.Value.String(), "kanarienvogel", attr.Key)
	}
	require.Len(t, span.Links(), 1)
	id, err := saga.ParseID(strings.TrimPrefix(w.Header().Get("Location"), "/v1/sagas/"))
	require.NoError(t, err)
	require.Equal(t, rootOf(id).SpanID(), span.Links()[0].SpanContext.SpanID())
	require.Equal(t, trace.TraceID(id), span.Links()[0].SpanContext.TraceID())
}

func TestTracing_NamesTheRouteAndNotThePath(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	b := setup(t, func(c *Config) {
		c.Tracing.Provider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	})
	b.do(t, exchange{method: http.MethodGet, path: "/v1/sagas/019aa000-0000-7000-8000-000000000000"})
	require.Equal(t, "GET /v1/sagas/{id}", spans.Ended()[0].Name())
}

func TestTracing_LinksLeadToTheTrace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		link func(saga.ID) string
		want string
	}{
		"Kept":    {func(id saga.ID) string { return "https://jaeger.example/trace/" + trace.TraceID(id).String() }, "https://jaeger.example/trace/"},
		"NotKept": {func(saga.ID) string { return "" }, ""},
		"None":    {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(cfg *Config) { cfg.Tracing.Link = c.link })
			w := b.do(t, exchange{method: http.MethodPost, path: "/v1/sagas", body: `{"saga":"order","input":{"id":"A-1"}}`})
			at := w.Header().Get("Location")
			read := b.do(t, exchange{method: http.MethodGet, path: at}).Body.String()
			page := b.do(t, exchange{method: http.MethodGet, path: strings.TrimPrefix(at, "/v1"), header: map[string]string{"Accept": "text/html"}}).Body.String()
			if c.want == "" {
				require.NotContains(t, read, `"links"`)
				require.NotContains(t, page, ">Trace</a>")
				return
			}
			want := c.want + strings.ReplaceAll(strings.TrimPrefix(at, "/v1/sagas/"), "-", "")
			require.Contains(t, read, `"links":{"trace":"`+want+`"}`)
			require.Contains(t, page, `<a href="`+want+`" rel="noreferrer">Trace</a>`)
		})
	}
}
