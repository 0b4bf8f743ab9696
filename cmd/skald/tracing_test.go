package main

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestTraceLog_LinesAboutASagaHaveItsTrace(t *testing.T) {
	t.Parallel()
	id, err := saga.ParseID("019aa000-0000-7000-8000-000000000001")
	require.NoError(t, err)
	const want = "trace_id=019aa000000070008000000000000001"
	var out bytes.Buffer
	cfg := &configs.Config{Tracing: configs.Tracing{Endpoint: "http://localhost:4318"}}
	log := withTraceIDs(cfg, slog.New(slog.NewTextHandler(&out, nil)))
	within := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}))
	for name, c := range map[string]struct {
		say  func()
		want string
	}{
		"ID":        {func() { log.Info("x", "saga_id", id) }, want},
		"Text":      {func() { log.Info("x", "saga_id", id.String(), "step", "a") }, want},
		"With":      {func() { log.With("saga_id", id).WithGroup("g").Info("x") }, "g." + want},
		"Span":      {func() { log.InfoContext(within, "x") }, "trace_id=01000000000000000000000000000000"},
		"SagaFirst": {func() { log.InfoContext(within, "x", "saga_id", id) }, want},
		"Nothing":   {func() { log.Info("x", "saga", "order") }, ""},
		"NoID":      {func() { log.Info("x", "saga_id", "A-1") }, ""},
	} {
		out.Reset()
		c.say()
		if c.want == "" {
			require.NotContains(t, out.String(), "trace_id", name)
			continue
		}
		require.Contains(t, out.String(), " "+c.want+"\n", name)
	}
}

func TestTracing_OffIsNothing(t *testing.T) {
	t.Parallel()
	cfg := &configs.Config{Tracing: configs.Tracing{Link: "https://jaeger.example/trace/{trace_id}"}}
	log := slog.New(slog.DiscardHandler)
	opened, err := openTracing(t.Context(), cfg, log, "skald")
	require.NoError(t, err)
	require.Nil(t, opened)
	require.Same(t, log, withTraceIDs(cfg, log))
	require.Nil(t, tracedQueries(opened))
	require.Nil(t, requestTracing(opened, cfg.Tracing.Link).Provider)
	require.Nil(t, requestTracing(opened, cfg.Tracing.Link).Link, "without traces no link leads to one")
}

func TestTracing_LinkNamesTheTrace(t *testing.T) {
	t.Parallel()
	id, err := saga.ParseID("019aa000-0000-7000-8000-000000000001")
	require.NoError(t, err)
	for ratio, want := range map[float64]string{1: "https://jaeger.example/trace/019aa000000070008000000000000001?uiEmbed=v0", 0: ""} {
		cfg := &configs.Config{Tracing: configs.Tracing{Endpoint: "http://127.0.0.1:9", Ratio: ratio, Link: "https://jaeger.example/trace/{trace_id}?uiEmbed=v0"}}
		opened, err := openTracing(t.Context(), cfg, slog.New(slog.DiscardHandler), "skald")
		require.NoError(t, err)
		require.Equal(t, want, requestTracing(opened, cfg.Tracing.Link).Link(id), "a trace that is not kept has no page")
		require.NoError(t, opened.Close(t.Context()))
	}
}
