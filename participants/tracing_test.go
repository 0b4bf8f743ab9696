package participants_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

const canary = "kanarienvogel"

// TestTracing_TellsNoPayload: errors and panics of handlers quote what they were given; spans must not.
func TestTracing_TellsNoPayload(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler participants.HandlerFunc
		status  codes.Code
		says    string
	}{
		"Succeeded": {func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Succeed(map[string]string{"id": canary})
		}, codes.Unset, ""},
		"Rejected": {func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Reject("declined", canary)
		}, codes.Unset, ""},
		"Failed": {func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Fail("busy", canary)
		}, codes.Error, "busy"},
		"Error": {func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Result{}, errors.New("charge " + canary)
		}, codes.Error, wire.CodeError},
		"Panic": {func(context.Context, *participants.Request) (participants.Result, error) {
			panic(canary)
		}, codes.Error, wire.CodePanic},
		"NoReply": {func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Result{}, fmt.Errorf("%s: %w", canary, participants.ErrNoReply)
		}, codes.Error, "no_reply"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans := tracetest.NewSpanRecorder()
			s := saga(t, participants.Config{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))}, c.handler)
			command := s.Command(wire.Execute, "Do.v1", []byte(fmt.Sprintf("%q", canary)))
			command.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
			_, err := s.Answer(t.Context(), command)
			require.Equal(t, name == "NoReply", err != nil)
			require.Len(t, spans.Ended(), 1)
			span := spans.Ended()[0]
			require.Equal(t, trace.SpanKindConsumer, span.SpanKind())
			require.Equal(t, "b7ad6b7169203331", span.Parent().SpanID().String())
			require.Equal(t, sdktrace.Status{Code: c.status, Description: c.says}, span.Status())
			require.NotContains(t, fmt.Sprintf("%+v", tracetest.SpanStubFromReadOnlySpan(span)), canary)
		})
	}
}

// A saga whose trace is not kept has a command that says so, and its participant keeps none either.
func TestTracing_KeepsWhatTheEngineKeeps(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	s := saga(t, participants.Config{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))}, succeeds)
	command := s.Command(wire.Execute, "Do.v1", nil)
	command.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	_, err := s.Answer(t.Context(), command)
	require.NoError(t, err)
	require.Empty(t, spans.Ended())
}
