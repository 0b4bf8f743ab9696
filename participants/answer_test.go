package participants_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/participanttest"
	"github.com/skaldhq/skald/participants/wire"
)

// saga returns a saga whose participant knows Do.v1 alone, as do.
func saga(t testing.TB, config participants.Config, do participants.HandlerFunc, use ...participants.Middleware) *participanttest.Saga {
	t.Helper()
	p := participants.New("tester", &participants.Memory{}, config)
	p.Handle("Do.v1", do, nil)
	p.Use(use...)
	return participanttest.New(t, p)
}

func succeeds(context.Context, *participants.Request) (participants.Result, error) {
	return participants.Succeed(nil)
}

func TestAnswer_UnknownCommandFails(t *testing.T) {
	t.Parallel()
	s := saga(t, participants.Config{}, succeeds)
	for _, reply := range []wire.Reply{
		s.Execute("Other.v1", nil), s.Compensate("Do.v1", nil), s.Compensate("Other.v1", nil),
	} {
		require.Equal(t, wire.Failed, reply.Outcome, "a newer version of the participant may know it: never rejected")
		require.Equal(t, wire.CodeUnknownCommand, reply.Code)
	}
}

func TestAnswer_Echoes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	id := wire.RandomID()
	s := saga(t, participants.Config{
		Now: func() time.Time { return at }, NewID: func() wire.ID { return id }, TracerProvider: noop.NewTracerProvider(),
	}, succeeds)
	c := s.Command(wire.Execute, "Do.v1", nil, participanttest.Attempt(3), participanttest.Edition(2))
	c.CorrelationID = "A-1001"
	c.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	c.TraceState = "vendor=1"
	reply, err := s.Answer(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, wire.Reply{
		ID: id, Source: "/tester", Participant: "tester", Name: "Do.v1", SagaID: s.ID, Step: "step", Verb: wire.Execute,
		Tenant: "default", Attempt: 3, Edition: 2, Token: participanttest.Token, Time: at, CorrelationID: "A-1001",
		CausationID: c.ID, Outcome: wire.Succeeded, TraceParent: c.TraceParent, TraceState: c.TraceState,
	}, reply)
}

func TestAnswer_ContinuesTheTrace(t *testing.T) {
	t.Parallel()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()))
	s := saga(t, participants.Config{TracerProvider: provider}, succeeds)
	c := s.Command(wire.Execute, "Do.v1", nil)
	c.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	reply, err := s.Answer(t.Context(), c)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(reply.TraceParent, "00-0af7651916cd43dd8448eb211c80319c-"), reply.TraceParent)
	require.NotEqual(t, c.TraceParent, reply.TraceParent, "the reply carries the participant's own span")
}

func TestAnswer_MessagesFitHeaders(t *testing.T) {
	t.Parallel()
	s := saga(t, participants.Config{}, func(context.Context, *participants.Request) (participants.Result, error) {
		return participants.Result{}, errors.New("line\nbreak\x00 \xff" + strings.Repeat("ä", 2000))
	})
	reply := s.Execute("Do.v1", nil)
	require.Equal(t, wire.CodeError, reply.Code)
	require.True(t, strings.HasPrefix(reply.Message, "line break  ?ä"))
	require.LessOrEqual(t, len(reply.Message), 1024)
	require.True(t, utf8.ValidString(reply.Message))
}

func TestAnswer_OutputTooLargeIsNotCommitted(t *testing.T) {
	t.Parallel()
	size := 100
	s := saga(t, participants.Config{MaxOutput: 50}, func(context.Context, *participants.Request) (participants.Result, error) {
		return participants.Succeed(strings.Repeat("x", size))
	})
	require.Equal(t, wire.CodeOutputTooLarge, s.Execute("Do.v1", nil).Code)
	size = 10
	require.Equal(t, wire.Succeeded, s.Execute("Do.v1", nil).Outcome)
}

func TestAnswer_BadResults(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]participants.HandlerFunc{
		"Zero": func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Result{}, nil
		},
		"InProgress": func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Result{Outcome: wire.InProgress}, nil
		},
		"NotJSON": func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Succeed(json.RawMessage("{"))
		},
		"Unencodable": func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Succeed(make(chan int))
		},
	} {
		reply := saga(t, participants.Config{}, do).Execute("Do.v1", nil)
		require.Equal(t, []string{"failed", wire.CodeError}, []string{string(reply.Outcome), reply.Code}, name)
	}
}

func TestAnswer_NoReply(t *testing.T) {
	t.Parallel()
	silent := func(next participants.HandlerFunc) participants.HandlerFunc {
		return func(ctx context.Context, req *participants.Request) (participants.Result, error) {
			if _, err := next(ctx, req); err != nil {
				return participants.Result{}, err
			}
			return participants.Result{}, participants.ErrNoReply
		}
	}
	ran := 0
	s := saga(t, participants.Config{}, func(_ context.Context, req *participants.Request) (participants.Result, error) {
		req.Tx.(*participants.MemoryEffects).OnCommit(func() { ran++ })
		return participants.Succeed(nil)
	}, silent)
	for range 2 {
		_, err := s.Answer(t.Context(), s.Command(wire.Execute, "Do.v1", nil))
		require.ErrorIs(t, err, participants.ErrNoReply)
	}
	require.Equal(t, 1, ran, "the effect is there, once, and nobody hears of it")
}

func TestAnswer_EndedContextIsNoAnswer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := saga(t, participants.Config{}, func(ctx context.Context, _ *participants.Request) (participants.Result, error) {
		cancel()
		return participants.Result{}, ctx.Err()
	})
	_, err := s.Answer(ctx, s.Command(wire.Execute, "Do.v1", nil))
	require.ErrorIs(t, err, context.Canceled, "what was stopped is delivered again, not failed")
}

func TestAnswer_Heartbeats(t *testing.T) {
	t.Parallel()
	s := saga(t, participants.Config{}, func(ctx context.Context, req *participants.Request) (participants.Result, error) {
		req.InProgress(ctx, "half way")
		return participants.Succeed(nil)
	})
	require.Equal(t, wire.Succeeded, s.Execute("Do.v1", nil).Outcome)
	beats := s.Heartbeats()
	require.Len(t, beats, 1)
	require.Equal(t, []string{"inprogress", "half way"}, []string{string(beats[0].Outcome), beats[0].Message})
}

func TestRequest_UndoFillsInTheOutputThatTheBarrierKnows(t *testing.T) {
	t.Parallel()
	var got participants.Undo
	p := participants.New("tester", &participants.Memory{}, participants.Config{})
	p.Handle("Do.v1", func(context.Context, *participants.Request) (participants.Result, error) {
		return participants.Succeed(json.RawMessage(`{"id": 7}`))
	}, func(_ context.Context, req *participants.Request) (participants.Result, error) {
		var err error
		if got, err = req.Undo(); err != nil {
			return participants.Result{}, err
		}
		return participants.Succeed(nil)
	})
	s := participanttest.New(t, p)
	s.Execute("Do.v1", map[string]int{"n": 1})
	s.Compensate("Do.v1", json.RawMessage(`{"payload": {"n": 1}, "output": null}`))
	require.Equal(t, `{"n": 1}`, string(got.Payload))
	require.Equal(t, `{"id": 7}`, string(got.Output), "the engine may not know the output of an unknown step; the barrier does")
}

func TestMiddleware_RecoveryLogsTheStack(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := saga(t, participants.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))},
		func(context.Context, *participants.Request) (participants.Result, error) { panic("bug") })
	reply := s.Execute("Do.v1", nil)
	require.Equal(t, wire.CodePanic, reply.Code)
	require.Contains(t, log.String(), "answer_test.go")
	require.NotContains(t, reply.Message, "answer_test.go", "the stack is for the log")
}

func TestMiddleware_BareLetsPanicsPass(t *testing.T) {
	t.Parallel()
	s := saga(t, participants.Config{Bare: true},
		func(context.Context, *participants.Request) (participants.Result, error) { panic("killed") })
	require.PanicsWithValue(t, "killed", func() { s.Execute("Do.v1", nil) })
}

func TestMiddleware_RefuseExpired(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := saga(t, participants.Config{}, succeeds, participants.RefuseExpired(func() time.Time { return now }))
	c := s.Command(wire.Execute, "Do.v1", nil)
	c.Expiry = now.Add(-time.Second)
	reply, err := s.Answer(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, []string{"failed", wire.CodeExpired}, []string{string(reply.Outcome), reply.Code})
	c.Expiry = now
	reply, err = s.Answer(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, wire.Succeeded, reply.Outcome)
}

func TestMiddleware_StopAtExpiry(t *testing.T) {
	t.Parallel()
	s := saga(t, participants.Config{}, func(ctx context.Context, _ *participants.Request) (participants.Result, error) {
		<-ctx.Done()
		return participants.Result{}, ctx.Err()
	}, participants.StopAtExpiry())
	c := s.Command(wire.Execute, "Do.v1", nil)
	c.Expiry = time.Now().Add(10 * time.Millisecond)
	reply, err := s.Answer(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, []string{"failed", wire.CodeTimeout}, []string{string(reply.Outcome), reply.Code})
}

func TestNew_PanicsOnProgrammersErrors(t *testing.T) {
	t.Parallel()
	m := &participants.Memory{}
	require.Panics(t, func() { participants.New("Orders", m, participants.Config{}) })
	require.Panics(t, func() { participants.New("skald", m, participants.Config{}) })
	require.Panics(t, func() { participants.New("orders", nil, participants.Config{}) })
	p := participants.New("orders", m, participants.Config{Topics: wire.Topics{Prefix: "x."}})
	require.Equal(t, "x.orders.commands", p.Topic())
	require.Equal(t, "x.orders", p.Group())
	require.Panics(t, func() { p.Handle("Do", succeeds, nil) })
	require.Panics(t, func() { p.Handle("Do.v1", nil, nil) })
	p.Handle("Do.v1", succeeds, nil)
	require.Panics(t, func() { p.Handle("Do.v1", succeeds, nil) })
}
