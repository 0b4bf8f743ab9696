package orchestrator_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// fakeTracer keeps what it is told.
type fakeTracer struct {
	traced bool
	spans  []orchestrator.Span
	// committed is how many transactions there must be before a word is said.
	committed func() int
	early     bool
}

func (f *fakeTracer) Traced(saga.ID) bool { return f.traced }

func (f *fakeTracer) Ended(spans []orchestrator.Span) {
	f.early = f.early || f.committed() == 0
	f.spans = append(f.spans, spans...)
}

// said are the spans in words.
func (f *fakeTracer) said() (out []string) {
	for _, s := range f.spans {
		switch s.Kind {
		case orchestrator.SpanAttempt:
			out = append(out, fmt.Sprintf("%s %s %d/%d: %s", s.Verb, s.Step, s.Edition, s.Attempt, s.Outcome))
		case orchestrator.SpanSaga:
			out = append(out, fmt.Sprintf("saga: %s %s", s.Status, s.Verdict))
		case orchestrator.SpanStart:
			out = append(out, "start")
		}
	}
	return out
}

func tracing(t *testing.T, traced bool) (*testBundle, *fakeTracer) {
	t.Helper()
	tracer := &fakeTracer{traced: traced}
	b := setup(t, func(cfg *orchestrator.Config) { cfg.Tracer = tracer })
	tracer.committed = func() int { return len(b.store.batches) }
	return b, tracer
}

func (b *testBundle) answer(d orchestrator.Delivery) {
	b.t.Helper()
	b.broker.send(d)
	b.receive()
	b.turn()
	b.publish()
}

func of(verb saga.Verb, attempt int) func(*orchestrator.Delivery) {
	return func(d *orchestrator.Delivery) { d.Reply.Verb, d.Reply.Attempt = verb, attempt }
}

func TestTrace_TellsWhatEndedInTheOrderOfCommits(t *testing.T) {
	t.Parallel()
	b, tracer := tracing(t, true)
	req := errand()
	req.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	id := b.start(req)
	b.answer(reply(id, "run", saga.ReplyFailed))
	b.machine.now = b.machine.now.Add(2 * time.Second)
	b.engine.FireTimers(t.Context())
	b.turn() // sent again
	b.publish()
	b.turn() // the receipt
	b.machine.now = b.machine.now.Add(6 * time.Second)
	b.engine.FireTimers(t.Context())
	b.turn() // timed out, and sent again at once
	b.publish()
	b.answer(reply(id, "run", saga.ReplySucceeded, of(saga.Execute, 2)))
	b.answer(reply(id, "report", saga.ReplyRejected))
	b.answer(reply(id, "run", saga.ReplySucceeded, of(saga.Compensate, 1)))
	require.Equal(t, saga.Compensated, b.saga(id).Status)
	require.Equal(t, []string{
		"start",
		"execute run 0/1: failed", "execute run 0/2: timeout", "execute run 0/3: succeeded",
		"execute report 0/1: rejected", "compensate run 0/1: succeeded",
		"saga: compensated cleanly_aborted",
	}, tracer.said())
	require.False(t, tracer.early, "nothing is told before it is committed")
	require.Equal(t, req.TraceParent, tracer.spans[0].Caller)
	third := tracer.spans[3]
	require.Equal(t, 2, third.Answered, "the answer was to the second attempt")
	require.NotNil(t, third.Reply)
	require.Equal(t, "Run.v1", third.Command)
	require.Equal(t, "Unrun.v1", tracer.spans[5].Command)
	for _, s := range tracer.spans {
		require.Equal(t, id, s.Saga)
		require.False(t, s.Begin.IsZero())
		require.False(t, s.End.Before(s.Begin), "%+v", s)
	}
	whole := tracer.spans[len(tracer.spans)-1]
	require.Equal(t, b.saga(id).CreatedAt, whole.Begin)
	require.Equal(t, b.saga(id).EndedAt, whole.End)
	require.Equal(t, saga.AbortStepRejected, whole.Abort)
}

func TestTrace_SaysNothingOfWhatWasNotCommitted(t *testing.T) {
	t.Parallel()
	b, tracer := tracing(t, true)
	failures := 2
	b.store.commit = func(orchestrator.Batch) error {
		if failures--; failures >= 0 {
			return errors.New("the database is away")
		}
		return nil
	}
	id := b.start(errand())
	require.Equal(t, []string{"start"}, tracer.said(), "told once, though it was tried three times")
	require.False(t, tracer.early)
	require.Equal(t, id, tracer.spans[0].Saga)
}

func TestTrace_AnOperatorEndsAnAttempt(t *testing.T) {
	t.Parallel()
	b, tracer := tracing(t, true)
	id := b.start(errand())
	require.NoError(t, b.act(action(id, saga.ActionAbandon)).err)
	require.Equal(t, []string{"start", "execute run 0/1: operator", "saga: abandoned residue"}, tracer.said())
}

func TestTrace_LeavesOutSagasThatAreNotKept(t *testing.T) {
	t.Parallel()
	b, tracer := tracing(t, false)
	id := b.start(errand())
	b.answer(reply(id, "run", saga.ReplySucceeded))
	b.answer(reply(id, "report", saga.ReplySucceeded))
	require.Equal(t, saga.Completed, b.saga(id).Status)
	require.Empty(t, tracer.spans)
}

// A replay is the same request, whatever trace it comes from (S2).
func TestTrace_IsNoPartOfARequest(t *testing.T) {
	t.Parallel()
	b, _ := tracing(t, true)
	req := errand()
	req.IdempotencyKey, req.TraceParent = "key-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	id := b.start(req)
	req.TraceParent = "00-11111111111111111111111111111111-2222222222222222-01"
	again := b.offer(req)
	b.turn()
	require.NoError(t, again.err)
	require.Equal(t, id, again.got.ID)
	require.True(t, again.got.Replayed)
}
