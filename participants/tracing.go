package participants

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/skaldhq/skald/participants/wire"
)

// Tracing continues the command's W3C trace with a span of its own, which the reply then carries. provider nil is the
// global one; where that does nothing, the command's trace is echoed. New adds it. A span holds ids, names and codes: never a payload, nor
// the text of an error or a panic, which may quote one.
func Tracing(provider trace.TracerProvider) Middleware {
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	tracer := provider.Tracer("github.com/skaldhq/skald/participants")
	w3c := propagation.TraceContext{}
	return func(next HandlerFunc) HandlerFunc {
		return func(ctx context.Context, req *Request) (Result, error) {
			if req.TraceParent != "" {
				ctx = w3c.Extract(ctx, propagation.MapCarrier{wire.HeaderTraceParent: req.TraceParent, wire.HeaderTraceState: req.TraceState})
			}
			ctx, span := tracer.Start(ctx, string(req.Verb)+" "+req.Name, trace.WithSpanKind(trace.SpanKindConsumer))
			returned := false
			defer func() { // span.End deferred as it is would record the panic's text
				if !returned {
					span.SetStatus(codes.Error, wire.CodePanic)
				}
				span.End()
			}()
			if span.IsRecording() {
				span.SetAttributes(
					attribute.String("skald.saga_id", req.SagaID.String()),
					attribute.String("skald.step", req.Step),
					attribute.Int("skald.attempt", req.Attempt),
				)
			}
			if span.SpanContext().IsValid() {
				out := propagation.MapCarrier{}
				w3c.Inject(ctx, out)
				req.traceParent, req.traceState = out[wire.HeaderTraceParent], out[wire.HeaderTraceState]
			}
			result, err := next(ctx, req)
			returned = true
			switch {
			case errors.Is(err, ErrNoReply):
				span.SetStatus(codes.Error, "no_reply")
			case err != nil:
				span.SetStatus(codes.Error, failure(err).Code)
			case result.Outcome == wire.Failed:
				span.SetStatus(codes.Error, result.Code)
			}
			if span.IsRecording() {
				span.SetAttributes(attribute.String("skald.outcome", string(result.Outcome)))
			}
			return result, err
		}
	}
}
