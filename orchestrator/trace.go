package orchestrator

import (
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Tracer is told what has ended in the lives of sagas, for traces. It is safe for concurrent use; its calls come from the committer
// and must not block: what is too much it drops and counts. What is lost with a replica is lost; no saga depends on it.
type Tracer interface {
	// Traced reports whether the saga's trace is kept. The answer is the same at every replica and for the whole of the saga's life.
	Traced(id saga.ID) bool
	// Ended takes what one transaction ended, once it is committed; it keeps the slice.
	Ended(spans []Span)
}

// SpanKind says which part of a saga's life a Span is.
type SpanKind string

// The kinds of spans.
const (
	SpanSaga    SpanKind = "saga"    // from its start to its end; told at its end
	SpanStart   SpanKind = "start"   // the transaction that stored it; told at once
	SpanAttempt SpanKind = "attempt" // from the decision to send an attempt of a command to what ended it
)

// SpanOutcome says what ended an attempt: a reply's outcome, or one of those below.
type SpanOutcome string

// What ends an attempt beside an answer.
const (
	SpanTimeout  SpanOutcome = "timeout"  // there was none in time
	SpanRefused  SpanOutcome = "refused"  // the broker refused the command for good
	SpanOperator SpanOutcome = "operator" // a person settled the step, or closed the saga
	SpanGivenUp  SpanOutcome = "given_up" // the saga went on without it
)

// Span is a part of a saga's life that has ended, as it was committed. It holds no payload, and no text of a participant but its
// machine codes.
type Span struct {
	Kind    SpanKind
	Saga    saga.ID
	Begin   time.Time // by the database's clock, like End
	End     time.Time
	Tenant  string
	Type    string // the definition, which Version belongs to
	Version int

	// Of a saga.
	Status  saga.Status
	Verdict saga.Verdict
	Abort   saga.AbortReason // empty: it was not undone

	// Caller is the traceparent of whoever asked for the start; empty: there was none, or the span is of another kind.
	Caller string

	// Of an attempt.
	Step        string
	Participant string
	Command     string
	Verb        saga.Verb
	Edition     int
	Attempt     int
	Outcome     SpanOutcome
	Code        string            // of the answer; empty: none
	Answered    int               // the attempt that the answer was to, which may be an older one; 0: no answer ended it
	Reply       *saga.Coordinates // where the answer stands; nil: no answer ended it
	Record      *saga.Coordinates // where the command stands, without its topic; nil: its receipt was not stored yet
	AckedAt     time.Time         // when the broker acknowledged it; zero where Record is nil
}

// trace gathers what an event ended. before is the saga as the event found it.
func (f *forming) trace(w *working, before, next *saga.Instance, body saga.Body) {
	if f.tracer == nil || !f.tracer.Traced(next.ID) {
		return
	}
	if before.Status.Terminal() { // all was told
		return
	}
	over := next.Status.Terminal() // an attempt may still be out, and nobody waits for it any more
	for i := range before.Steps {  // a rebind keeps them where they are
		if span, ended := endedAttempt(w.def, i, &before.Steps[i], &next.Steps[i], over); ended {
			span.about(next)
			span.End = f.at
			span.endedBy(body)
			for _, s := range w.sent {
				if s.Step == i && (s.Verb == saga.Compensate) == (span.Verb == saga.Compensate) && !s.AckedAt.IsZero() {
					span.AckedAt, span.Record = s.AckedAt, &saga.Coordinates{Partition: s.Partition, Offset: s.Offset}
				}
			}
			f.spans = append(f.spans, span)
		}
	}
	if over {
		span := Span{Kind: SpanSaga, Begin: next.CreatedAt, End: next.EndedAt, Status: next.Status}
		span.about(next)
		if next.Certificate != nil {
			span.Verdict = next.Certificate.Verdict
		}
		if next.Abort != nil {
			span.Abort = next.Abort.Reason
		}
		f.spans = append(f.spans, span)
	}
}

// traceStart tells of a start that was taken; caller is the traceparent of whoever asked for it.
func (f *forming) traceStart(in *saga.Instance, caller string) {
	if f.tracer == nil || !f.tracer.Traced(in.ID) {
		return
	}
	span := Span{Kind: SpanStart, Begin: in.CreatedAt, Caller: caller}
	span.about(in)
	f.spans = append(f.spans, span)
}

// traced hands the spans over; at is when their transaction was committed.
func (f *forming) traced(at time.Time) {
	if len(f.spans) == 0 {
		return
	}
	for i := range f.spans {
		if f.spans[i].Kind == SpanStart {
			f.spans[i].End = at
		}
	}
	f.tracer.Ended(f.spans)
}

func (s *Span) about(in *saga.Instance) {
	s.Saga, s.Tenant, s.Type, s.Version = in.ID, in.Tenant, in.Saga, in.Version
}

// endedAttempt is the attempt that was out before and is not any more. It looks at the states and not at the facts: of the attempts past
// max_attempts one in a hundred has a fact (design rule 15).
func endedAttempt(def *saga.Definition, i int, before, next *saga.StepState, over bool) (span Span, ended bool) {
	leg, still := &before.Forward, false
	switch before.Status {
	case saga.InFlight:
		still = next.Status == saga.InFlight && next.Forward.Edition == leg.Edition && next.Forward.Attempt == leg.Attempt
	case saga.Undoing:
		leg = &before.Backward
		still = next.Status == saga.Undoing && next.Backward.Edition == leg.Edition && next.Backward.Attempt == leg.Attempt
	case saga.Pending, saga.Held, saga.BackingOff, saga.Succeeded, saga.Rejected, saga.Unknown, saga.Skipped, saga.Stuck,
		saga.UndoBackingOff, saga.Undone, saga.UndoFailed, saga.Waived:
		return span, false
	}
	if still && !over {
		return span, false
	}
	step := &def.Steps[i]
	span = Span{
		Kind: SpanAttempt, Begin: leg.SentAt, Step: step.Name, Participant: step.Participant,
		Verb: saga.Execute, Command: step.Command, Edition: leg.Edition, Attempt: leg.Attempt,
	}
	switch {
	case before.Status == saga.Undoing:
		span.Verb, span.Command = saga.Compensate, ""
		if step.Compensation != nil {
			span.Command = step.Compensation.Command
		}
	case leg.Probing:
		span.Verb, span.Command = saga.Probe, step.Probe
	}
	return span, true
}

// endedBy says what ended an attempt.
func (s *Span) endedBy(body saga.Body) {
	s.Outcome = SpanGivenUp
	switch b := body.(type) {
	case saga.Replied:
		if b.Step == s.Step && (b.Verb == saga.Compensate) == (s.Verb == saga.Compensate) {
			reply := b.Record
			s.Outcome, s.Code, s.Answered, s.Reply = SpanOutcome(b.Outcome), b.Code, b.Attempt, &reply
		}
	case saga.PublishRefused:
		if b.Step == s.Step {
			s.Outcome = SpanRefused
		}
	case saga.Woken:
		s.Outcome = SpanTimeout
	case saga.Acted:
		s.Outcome = SpanOperator
	}
}
