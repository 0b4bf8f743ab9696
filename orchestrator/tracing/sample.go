package tracing

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Ratio is the share of traces that are kept, 0 to 1, judged by the trace's id alone: so that all replicas agree.
type Ratio float64

// Keeps reports whether a trace is kept. It looks at the last 62 bits, which are random in a UUID as in any other trace's id. The SDK's
// TraceIDRatioBased takes the two bits before them for random too: they are a UUID's variant, always 10, and of the sagas it would keep
// none at a ratio of a half, and all at three quarters.
func (r Ratio) Keeps(id trace.TraceID) bool {
	switch {
	case r >= 1:
		return true
	case !(r > 0):
		return false
	}
	return binary.BigEndian.Uint64(id[8:])<<2 < uint64(float64(r)*math.MaxUint64)
}

var _ sdktrace.Sampler = Ratio(0)

// ShouldSample judges a trace that begins here.
func (r Ratio) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	out := sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
	if r.Keeps(p.TraceID) {
		out.Decision = sdktrace.RecordAndSample
	}
	return out
}

// Description names the sampler.
func (r Ratio) Description() string { return "SkaldRatio" }

// given is the key of a context that says which ids a span is to have.
type given struct{}

type spanIDs struct {
	trace trace.TraceID
	span  trace.SpanID
}

// generator gives spans the ids that their context names, and random ones to all others.
type generator struct{}

var _ sdktrace.IDGenerator = generator{}

// NewIDs is asked for a span without a parent.
func (generator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if ids, ok := ctx.Value(given{}).(spanIDs); ok {
		return ids.trace, ids.span
	}
	var id trace.TraceID
	binary.BigEndian.PutUint64(id[:8], rand.Uint64()|1)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	return id, randomSpan()
}

// NewSpanID is asked for a span with a parent.
func (generator) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if ids, ok := ctx.Value(given{}).(spanIDs); ok {
		return ids.span
	}
	return randomSpan()
}

func randomSpan() (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1)
	return id
}
