package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func (t *Tracing) make(spans []orchestrator.Span) {
	for i := range spans {
		t.span(&spans[i])
	}
}

// span makes one span and ends it: it has happened already.
func (t *Tracing) span(s *orchestrator.Span) {
	ids := spanIDs{trace: TraceID(s.Saga), span: RootSpan(s.Saga)}
	ctx := context.Background()
	name, kind := s.Type, trace.SpanKindInternal
	switch s.Kind {
	case orchestrator.SpanSaga:
	case orchestrator.SpanStart:
		ids.span, name = StartSpan(s.Saga), "start "+s.Type
	case orchestrator.SpanAttempt:
		ids.span = AttemptSpan(s.Saga, s.Step, s.Verb, s.Edition, s.Attempt)
		name, kind = string(s.Verb)+" "+s.Step, trace.SpanKindProducer
	}
	if s.Kind != orchestrator.SpanSaga {
		ctx = trace.ContextWithRemoteSpanContext(ctx, spanContext(s.Saga, RootSpan(s.Saga)))
	}
	_, span := t.tracer.Start(context.WithValue(ctx, given{}, ids), name, trace.WithTimestamp(s.Begin), trace.WithSpanKind(kind),
		trace.WithAttributes(attributes(s)...), trace.WithLinks(links(s)...))
	if !s.AckedAt.IsZero() {
		span.AddEvent("published", trace.WithTimestamp(s.AckedAt))
	}
	if what, failed := failure(s); failed {
		span.SetStatus(codes.Error, what)
	}
	span.End(trace.WithTimestamp(s.End))
}

// spanContext is of a span of a saga whose trace is kept.
func spanContext(id saga.ID, span trace.SpanID) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: TraceID(id), SpanID: span, TraceFlags: trace.FlagsSampled, Remote: true})
}

// links: a start's to whoever asked for it, a later attempt's to the first one, of which it is a redelivery.
func links(s *orchestrator.Span) []trace.Link {
	switch {
	case s.Caller != "":
		if caller := callerOf(s.Caller); caller.IsValid() {
			return []trace.Link{{SpanContext: caller, Attributes: []attribute.KeyValue{attribute.String("skald.link", "caller")}}}
		}
	case s.Kind == orchestrator.SpanAttempt && s.Attempt > 1:
		verb := s.Verb
		if verb == saga.Probe { // its attempts count with those of the execute that it asks about
			verb = saga.Execute
		}
		return []trace.Link{{
			SpanContext: spanContext(s.Saga, AttemptSpan(s.Saga, s.Step, verb, s.Edition, 1)),
			Attributes:  []attribute.KeyValue{attribute.String("skald.link", "first_attempt")},
		}}
	}
	return nil
}

func callerOf(traceParent string) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceParent})
	return trace.SpanContextFromContext(ctx)
}

// attributes hold ids, names, counts and codes: never a payload, a key, a label, or a text for people.
func attributes(s *orchestrator.Span) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, 20)
	text := func(key, value string) {
		if value != "" {
			out = append(out, attribute.String(key, value))
		}
	}
	text("skald.saga_id", s.Saga.String())
	text("skald.saga", s.Type)
	out = append(out, attribute.Int("skald.saga_version", s.Version))
	text("skald.tenant", s.Tenant)
	text("skald.status", string(s.Status))
	text("skald.verdict", string(s.Verdict))
	text("skald.abort_reason", string(s.Abort))
	if s.Kind != orchestrator.SpanAttempt {
		return out
	}
	text("skald.step", s.Step)
	text("skald.participant", s.Participant)
	text("skald.command", s.Command)
	text("skald.verb", string(s.Verb))
	out = append(out, attribute.Int("skald.edition", s.Edition), attribute.Int("skald.attempt", s.Attempt))
	text("skald.outcome", string(s.Outcome))
	text("skald.code", s.Code)
	if s.Answered != 0 && s.Answered != s.Attempt {
		out = append(out, attribute.Int("skald.answered_attempt", s.Answered))
	}
	text("messaging.system", "kafka")
	text("messaging.operation.type", "send")
	if r := s.Record; r != nil {
		out = append(out, attribute.Int("messaging.destination.partition.id", int(r.Partition)), attribute.Int64("messaging.kafka.offset", r.Offset))
	}
	if r := s.Reply; r != nil {
		out = append(out, attribute.Int("skald.reply.partition", int(r.Partition)), attribute.Int64("skald.reply.offset", r.Offset))
	}
	return out
}

// failure says whether a span is an error to those who look at traces: an attempt that went wrong for technical reasons, and a saga that
// left something behind. A business no, and a saga that was undone cleanly, are none.
func failure(s *orchestrator.Span) (what string, failed bool) {
	switch s.Kind {
	case orchestrator.SpanSaga:
		return string(s.Verdict), s.Verdict == saga.Residue
	case orchestrator.SpanAttempt:
		switch s.Outcome {
		case orchestrator.SpanTimeout, orchestrator.SpanRefused, orchestrator.SpanGivenUp:
			return string(s.Outcome), true
		case orchestrator.SpanOperator:
			return "", false
		}
		return s.Code, s.Outcome == orchestrator.SpanOutcome(saga.ReplyFailed)
	case orchestrator.SpanStart:
	}
	return "", false
}
