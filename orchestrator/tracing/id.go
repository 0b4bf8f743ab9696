package tracing

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"go.opentelemetry.io/otel/trace"

	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// TraceID is the trace of a saga: the 16 bytes of its id, which as a UUIDv7 is never all zero.
func TraceID(id saga.ID) trace.TraceID { return trace.TraceID(id) }

// RootSpan is the span of a saga as a whole.
func RootSpan(id saga.ID) trace.SpanID { return derive("skald.saga", id, 0) }

// StartSpan is the span of the transaction that stored a saga.
func StartSpan(id saga.ID) trace.SpanID { return derive("skald.start", id, 0) }

// AttemptSpan is the span of one attempt of a command, of whichever verb: attempts of a probe count with those of its execute, and its
// command has an id of its own.
func AttemptSpan(id saga.ID, step string, verb saga.Verb, edition, attempt int) trace.SpanID {
	return derive("skald.attempt", wire.CommandID(wire.ID(id), step, wire.Verb(verb), edition), attempt)
}

// derive is the first 8 bytes of SHA-256 over what the span is, whose it is, and which one of several. The last bit is set, so that no
// span's id is all zero.
func derive(what string, of [16]byte, n int) trace.SpanID {
	var b [64]byte
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(append(append(b[:0], what...), of[:]...), uint64(n)))
	span := trace.SpanID(sum[:8])
	span[7] |= 1
	return span
}

// traceParent writes a span of a trace as W3C's traceparent.
func traceParent(id trace.TraceID, span trace.SpanID, sampled bool) string {
	var b [55]byte
	copy(b[:], "00-")
	hex.Encode(b[3:], id[:])
	b[35] = '-'
	hex.Encode(b[36:], span[:])
	copy(b[52:], "-00")
	if sampled {
		b[54] = '1'
	}
	return string(b[:])
}
