package tracing

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	queueMax    = 8192 // spans that wait for the collector
	exportMax   = 512  // spans of one request
	exportEvery = 500 * time.Millisecond
	exportLimit = 10 * time.Second // of one request, tries included
	complain    = time.Minute      // a collector that is away makes no more than a line in that time
)

// exporting is a span processor that never makes anybody wait: unlike the SDK's own it counts what it drops.
type exporting struct {
	exporter sdktrace.SpanExporter
	log      *slog.Logger
	queue    chan sdktrace.ReadOnlySpan
	stop     chan struct{}
	once     sync.Once
	running  sync.WaitGroup
	stats    counts
	said     time.Time // when the newest complaint was logged; of the goroutine
}

type counts struct{ exported, failed, dropped atomic.Uint64 }

var _ sdktrace.SpanProcessor = (*exporting)(nil)

// export starts a goroutine that ends with Shutdown.
func export(to sdktrace.SpanExporter, log *slog.Logger) *exporting {
	e := &exporting{exporter: to, log: log, queue: make(chan sdktrace.ReadOnlySpan, queueMax), stop: make(chan struct{})}
	e.running.Go(e.run)
	return e
}

// OnStart does nothing.
func (e *exporting) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd takes a span where there is room.
func (e *exporting) OnEnd(span sdktrace.ReadOnlySpan) {
	if !span.SpanContext().IsSampled() {
		return
	}
	select {
	case e.queue <- span:
	default:
		e.stats.dropped.Add(1)
	}
}

// ForceFlush does nothing: spans leave within exportEvery.
func (e *exporting) ForceFlush(context.Context) error { return nil }

// Shutdown exports what waits, and returns when that is done or ctx ends. Spans that end later are dropped. Calling it twice is harmless.
func (e *exporting) Shutdown(ctx context.Context) (err error) {
	e.once.Do(func() { err = e.end(ctx) })
	return err
}

func (e *exporting) end(ctx context.Context) error {
	close(e.stop)
	done := make(chan struct{})
	go func() { // owned by Shutdown; it ends with run, whose requests are limited
		defer close(done)
		e.running.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	return e.exporter.Shutdown(ctx)
}

func (e *exporting) run() {
	tick := time.NewTicker(exportEvery)
	defer tick.Stop()
	batch := make([]sdktrace.ReadOnlySpan, 0, exportMax)
	for {
		select {
		case span := <-e.queue:
			if batch = append(batch, span); len(batch) < exportMax {
				continue
			}
		case <-tick.C:
		case <-e.stop:
			e.rest(batch)
			return
		}
		e.send(batch)
		batch = batch[:0]
	}
}

// rest exports what waits at the end, unless the collector is away.
func (e *exporting) rest(batch []sdktrace.ReadOnlySpan) {
	for {
		select {
		case span := <-e.queue:
			if batch = append(batch, span); len(batch) < exportMax {
				continue
			}
			if !e.send(batch) {
				e.stats.dropped.Add(uint64(len(e.queue)))
				return
			}
			batch = batch[:0]
		default:
			e.send(batch)
			return
		}
	}
}

// send reports whether the collector took the batch.
func (e *exporting) send(batch []sdktrace.ReadOnlySpan) bool {
	if len(batch) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), exportLimit)
	defer cancel()
	err := e.exporter.ExportSpans(ctx, batch)
	if err == nil {
		e.stats.exported.Add(uint64(len(batch)))
		return true
	}
	e.stats.failed.Add(uint64(len(batch)))
	if now := time.Now(); now.Sub(e.said) >= complain {
		e.said = now
		e.log.WarnContext(ctx, "spans are lost: the collector takes none", "spans", len(batch), "lost", e.stats.failed.Load()+e.stats.dropped.Load(), "error", err)
	}
	return false
}
