package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/orchestrator/tracing"
)

// openTracing exports spans as the settings say; nil: they say nowhere.
func openTracing(ctx context.Context, cfg *configs.Config, log *slog.Logger, service string) (*tracing.Tracing, error) {
	if cfg.Tracing.Endpoint == "" {
		return nil, nil
	}
	headers, err := cfg.Tracing.HeaderMap()
	if err != nil {
		return nil, err
	}
	return tracing.New(ctx, tracing.Config{
		Endpoint: cfg.Tracing.Endpoint, Headers: headers, Ratio: tracing.Ratio(cfg.Tracing.Ratio),
		Service: service, Version: readBuild().Version, Instance: cfg.InstanceID, Logger: log,
	})
}

// lastSpans is how long the end waits for a collector.
const lastSpans = 3 * time.Second

// closeTracing exports what waits, as far as there is time; t may be nil.
func closeTracing(ctx context.Context, t *tracing.Tracing, log *slog.Logger) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		log.WarnContext(ctx, "the last spans are lost", "error", err)
	}
}

// requestTracing is how requests show in traces; t is nil where nothing is traced.
func requestTracing(t *tracing.Tracing, link string) api.Tracing {
	if t == nil {
		return api.Tracing{}
	}
	out := api.Tracing{Provider: t.Provider(), Root: func(id saga.ID) trace.SpanContext {
		flags := trace.FlagsSampled
		if !t.Traced(id) {
			flags = 0
		}
		return trace.NewSpanContext(trace.SpanContextConfig{TraceID: tracing.TraceID(id), SpanID: tracing.RootSpan(id), TraceFlags: flags})
	}}
	if link != "" {
		out.Link = func(id saga.ID) string {
			if !t.Traced(id) {
				return ""
			}
			return strings.Replace(link, configs.TraceIDPlaceholder, tracing.TraceID(id).String(), 1)
		}
	}
	return out
}

// tracedQueries gives the queries of a request their spans. A query that belongs to no request has none.
func tracedQueries(t *tracing.Tracing) func(*pgxpool.Config) {
	if t == nil {
		return nil
	}
	return func(cfg *pgxpool.Config) {
		cfg.ConnConfig.Tracer = otelpgx.NewTracer(otelpgx.WithTracerProvider(t.Provider()), otelpgx.WithDisableConnectionDetailsInAttributes(), otelpgx.WithDisableAcquireTracer())
	}
}

// watchSpans shows what became of spans.
func watchSpans(registry *prometheus.Registry, t *tracing.Tracing) {
	for outcome, count := range map[string]func(tracing.Stats) uint64{
		"exported": func(s tracing.Stats) uint64 { return s.Exported },
		"failed":   func(s tracing.Stats) uint64 { return s.Failed },
		"dropped":  func(s tracing.Stats) uint64 { return s.Dropped },
	} {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "skald_trace_spans_total", ConstLabels: prometheus.Labels{"outcome": outcome},
			Help: "Spans by what became of them: exported, failed (the collector did not take them), dropped (there was no room for them).",
		}, func() float64 { return float64(count(t.Stats())) }))
	}
}

// traceLog gives every line that is about a saga, or that is logged within a span, the id of its trace.
type traceLog struct {
	slog.Handler
	traceID string // of the saga that every line of this logger is about; empty: of none
}

// withTraceIDs is log with the ids of traces, where the settings have sagas traced.
func withTraceIDs(cfg *configs.Config, log *slog.Logger) *slog.Logger {
	if cfg.Tracing.Endpoint == "" {
		return log
	}
	return slog.New(&traceLog{Handler: log.Handler()})
}

func (h *traceLog) Handle(ctx context.Context, r slog.Record) error {
	id, span := h.traceID, trace.SpanContextFromContext(ctx)
	r.Attrs(func(a slog.Attr) bool {
		if of := traceOf(a); of != "" {
			id = of
		}
		return true
	})
	if id == "" && span.IsValid() {
		id = span.TraceID().String()
	}
	if id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h *traceLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := &traceLog{Handler: h.Handler.WithAttrs(attrs), traceID: h.traceID}
	for _, a := range attrs {
		if of := traceOf(a); of != "" {
			with.traceID = of
		}
	}
	return with
}

func (h *traceLog) WithGroup(name string) slog.Handler {
	return &traceLog{Handler: h.Handler.WithGroup(name), traceID: h.traceID}
}

// traceOf is the trace of the saga that an attribute names; empty: it names none.
func traceOf(a slog.Attr) string {
	if a.Key != "saga_id" {
		return ""
	}
	id, err := saga.ParseID(a.Value.Resolve().String())
	if err != nil || id.IsZero() {
		return ""
	}
	return tracing.TraceID(id).String()
}
