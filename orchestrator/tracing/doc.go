// Package tracing is the engine's orchestrator.Tracer on OpenTelemetry: what the committer says has ended becomes spans, which go to a
// collector by OTLP over HTTP.
//
// One trace a saga: its id is the saga's, and the ids of its spans are derived from the saga's, a command's and the attempt's number.
// So every replica, retry and compensation lands in the same trace, a command can name the span of its attempt before that has ended, and
// nothing is stored.
//
// Two bounded queues stand between the committer and the collector: of what has ended, and of spans to export. What does not fit is
// dropped and counted; nobody waits.
package tracing
