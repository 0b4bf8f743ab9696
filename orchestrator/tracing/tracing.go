package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// endedMax is how many transactions' spans may wait to be made.
const endedMax = 1024

// Config says where spans go. Endpoint and Service are required.
type Config struct {
	// Endpoint is the collector's, such as http://localhost:4318; without a path it gets OTLP's own, /v1/traces.
	Endpoint string
	Headers  map[string]string // of every request, such as an API key; nil: those of OTEL_EXPORTER_OTLP_HEADERS
	Ratio    Ratio             // of the traces that begin here, a saga's always does; a caller's own decision holds for what continues its trace
	Service  string            // service.name
	Version  string            // service.version; empty: not said
	Instance string            // service.instance.id; empty: not said
	Logger   *slog.Logger      // nil: slog.Default
	// Exporter takes the spans instead of the endpoint; nil: OTLP over HTTP.
	Exporter sdktrace.SpanExporter
}

// Tracing makes spans and exports them. Its methods are safe for concurrent use, and none but Close blocks.
type Tracing struct {
	ratio    Ratio
	export   *exporting
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	ended    chan []orchestrator.Span
	stop     chan struct{}
	once     sync.Once
	running  sync.WaitGroup
}

var _ orchestrator.Tracer = (*Tracing)(nil)

// New starts exporting; Close ends it. Nothing is reached yet: a collector that is away is no error. Certificates, compression and
// timeouts are those of the OTEL_EXPORTER_OTLP_* variables, and further attributes of the service those of OTEL_RESOURCE_ATTRIBUTES.
func New(ctx context.Context, cfg Config) (*Tracing, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	exporter := cfg.Exporter
	if exporter == nil {
		var err error
		if exporter, err = collector(ctx, &cfg); err != nil {
			return nil, err
		}
	}
	about := []attribute.KeyValue{attribute.String("service.name", cfg.Service)}
	for key, value := range map[string]string{"service.version": cfg.Version, "service.instance.id": cfg.Instance} {
		if value != "" {
			about = append(about, attribute.String(key, value))
		}
	}
	described, err := resource.New(ctx, resource.WithAttributes(about...), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		cfg.Logger.WarnContext(ctx, "the service is not described to the collector as asked", "error", err)
	}
	t := &Tracing{ratio: cfg.Ratio, export: export(exporter, cfg.Logger), ended: make(chan []orchestrator.Span, endedMax), stop: make(chan struct{})}
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(cfg.Ratio)), sdktrace.WithIDGenerator(generator{}),
		sdktrace.WithResource(described), sdktrace.WithSpanProcessor(t.export),
	)
	t.tracer = t.provider.Tracer("github.com/skaldhq/skald/orchestrator")
	t.running.Go(t.run)
	return t, nil
}

func collector(ctx context.Context, cfg *Config) (sdktrace.SpanExporter, error) {
	at, err := url.Parse(cfg.Endpoint)
	if err != nil || at.Host == "" {
		return nil, fmt.Errorf("make the exporter of spans: %q is no address", cfg.Endpoint)
	}
	if at.Path == "" || at.Path == "/" {
		at.Path = "/v1/traces"
	}
	options := []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(at.String()),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: 500 * time.Millisecond, MaxInterval: 2 * time.Second, MaxElapsedTime: exportLimit}),
	}
	if cfg.Headers != nil {
		options = append(options, otlptracehttp.WithHeaders(cfg.Headers))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("make the exporter of spans: %w", err)
	}
	return exporter, nil
}

// Provider makes the spans that are not the engine's: of requests, of queries, of participants.
func (t *Tracing) Provider() trace.TracerProvider { return t.provider }

// Traced reports whether the saga's trace is kept.
func (t *Tracing) Traced(id saga.ID) bool { return t.ratio.Keeps(TraceID(id)) }

// Command is the traceparent of an attempt of a command. A saga whose trace is not kept has one too, so that its participants keep
// none either.
func (t *Tracing) Command(id saga.ID, cmd *saga.Command) string {
	return traceParent(TraceID(id), AttemptSpan(id, cmd.Step, cmd.Verb, cmd.Edition, cmd.Attempt), t.Traced(id))
}

// Ended takes what a transaction ended. Where too much waits it is dropped, and counted.
func (t *Tracing) Ended(spans []orchestrator.Span) {
	select {
	case t.ended <- spans:
	default:
		t.export.stats.dropped.Add(uint64(len(spans)))
	}
}

// Stats are counts since the start, of spans.
type Stats struct {
	Exported uint64 // the collector has them
	Failed   uint64 // the collector did not take them
	Dropped  uint64 // there was no room for them
}

// Stats counts.
func (t *Tracing) Stats() Stats {
	s := &t.export.stats
	return Stats{Exported: s.exported.Load(), Failed: s.failed.Load(), Dropped: s.dropped.Load()}
}

// Close exports what waits and ends, at the latest with ctx. Nothing may be told or traced any more; calling it twice is harmless.
func (t *Tracing) Close(ctx context.Context) error {
	t.once.Do(func() { close(t.stop) })
	t.running.Wait()              // what waits is made into spans, which takes no time
	err := t.export.Shutdown(ctx) // a provider whose ctx has ended would not even tell the exporter to stop
	if err = errors.Join(err, t.provider.Shutdown(context.WithoutCancel(ctx))); err != nil {
		return fmt.Errorf("export the last spans: %w", err)
	}
	return nil
}

func (t *Tracing) run() {
	for {
		select {
		case spans := <-t.ended:
			t.make(spans)
		case <-t.stop:
			for {
				select {
				case spans := <-t.ended:
					t.make(spans)
				default:
					return
				}
			}
		}
	}
}
