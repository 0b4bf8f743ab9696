package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Tracing is how requests show in traces. The zero value: not at all, and nothing is spent on it.
type Tracing struct {
	Provider trace.TracerProvider               // nil: requests have no spans
	Root     func(id saga.ID) trace.SpanContext // the span of a saga as a whole, which the span of its start links to; nil: none
	Link     func(id saga.ID) string            // the page of a saga's trace; "": there is none; nil: of no saga
}

// traced gives a request its span, in the caller's trace. Streams have none: they last for hours; nor has what is asked for all the time
// and says nothing.
func (a *API) traced(next http.Handler) http.Handler {
	inside := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { // also when it panics; the route is known only now
			if rc := chi.RouteContext(r.Context()); rc != nil && rc.RoutePattern() != "" {
				span := trace.SpanFromContext(r.Context())
				span.SetName(r.Method + " " + rc.RoutePattern())
				span.SetAttributes(attribute.String("http.route", rc.RoutePattern()))
			}
		}()
		next.ServeHTTP(w, r)
	})
	return otelhttp.NewHandler(inside, "", otelhttp.WithTracerProvider(a.cfg.Tracing.Provider), otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithFilter(func(r *http.Request) bool {
			path := r.URL.Path
			if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
				return false
			}
			return path != "/healthz" && path != readinessPath && !strings.HasSuffix(path, "/events") && !strings.HasPrefix(path, "/assets/")
		}))
}

// traceParent is the span of a request as W3C writes it; empty where there is none.
func traceParent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// linkStarted links the span of a start to the trace of its saga.
func (a *API) linkStarted(ctx context.Context, id saga.ID) {
	span := trace.SpanFromContext(ctx)
	if a.cfg.Tracing.Root == nil || !span.IsRecording() {
		return
	}
	span.SetAttributes(attribute.String("skald.saga_id", id.String()))
	span.AddLink(trace.Link{SpanContext: a.cfg.Tracing.Root(id), Attributes: []attribute.KeyValue{attribute.String("skald.link", "saga")}})
}

// links lead from a saga to other systems.
func (a *API) links(id saga.ID) *client.Links {
	if a.cfg.Tracing.Link == nil {
		return nil
	}
	if page := a.cfg.Tracing.Link(id); page != "" {
		return &client.Links{Trace: page}
	}
	return nil
}
