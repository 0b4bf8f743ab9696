package api

import (
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// renderSaga is a saga as clients see it (design section 8). What does not apply is absent; payloads keep their numbers as
// written.
func renderSaga(def *saga.Definition, in *saga.Instance, blocked []saga.BlockedOn, sight sight) client.Saga {
	out := client.Saga{
		ID: in.ID.String(), Saga: in.Saga, Version: in.Version, Key: in.Key, Tenant: in.Tenant, Status: client.Status(in.Status),
		Paused: in.Pause != nil, Revision: in.Revision, CreatedAt: in.CreatedAt, UpdatedAt: in.UpdatedAt, EndedAt: moment(in.EndedAt),
		Deadline: moment(in.Deadline), Labels: in.Labels, Input: sight.payload(in.Input), Output: sight.derived(in.Output),
		Abort: renderAbort(in.Abort), Certificate: renderCertificate(in.Certificate), Broken: in.Broken, BlankedAt: moment(in.BlankedAt),
		Steps: make([]client.Step, len(in.Steps)),
	}
	if !in.Link.IsZero() {
		out.Link = in.Link.String()
	}
	if p := in.Pause; p != nil {
		out.Pause = &client.Pause{Since: p.Since, By: p.By, Reason: p.Reason}
	}
	if c := in.CancelBy; c != nil {
		out.Cancel = &client.Cancel{By: c.By, Reason: c.Reason}
	}
	for i := range in.Steps {
		out.Steps[i] = renderStep(&def.Steps[i], &in.Steps[i], sight)
	}
	for i := range blocked {
		out.BlockedOn = append(out.BlockedOn, renderBlocked(&blocked[i]))
	}
	for _, at := range in.Attention {
		out.Attention = append(out.Attention, client.Attention{Reason: string(at.Reason), Step: at.Step, Since: at.Since})
	}
	return out
}

func renderStep(def *saga.Step, s *saga.StepState, sight sight) client.Step {
	out := client.Step{
		Name: def.Name, Participant: def.Participant, Kind: string(def.Kind), Status: string(s.Status), Effect: string(s.Effect),
		Attempts: s.Forward.Attempts, UndoAttempts: s.Backward.Attempts, StartedAt: moment(s.StartedAt), EndedAt: moment(s.EndedAt),
		Output: sight.payload(s.Output), Why: string(s.Why), ByOperator: s.ByOperator, Disputed: s.Disputed,
	}
	if s.Error != nil {
		out.Error = &client.StepError{Code: s.Error.Code, Message: s.Error.Message}
	}
	switch s.Status {
	case saga.InFlight:
		out.ExpiresAt = moment(s.Forward.ExpiresAt)
	case saga.BackingOff:
		out.RetryAt = moment(s.Forward.RetryAt)
	case saga.Undoing:
		out.ExpiresAt = moment(s.Backward.ExpiresAt)
	case saga.UndoBackingOff:
		out.RetryAt = moment(s.Backward.RetryAt)
	case saga.Pending, saga.Held, saga.Succeeded, saga.Rejected, saga.Unknown, saga.Skipped, saga.Stuck, saga.Undone,
		saga.UndoFailed, saga.Waived:
	}
	return out
}

func renderAbort(a *saga.Abort) *client.Abort {
	if a == nil {
		return nil
	}
	return &client.Abort{Reason: string(a.Reason), Step: a.Step, Code: a.Code, Message: a.Message, By: a.By, At: a.At}
}

func renderCertificate(c *saga.Certificate) *client.Certificate {
	if c == nil {
		return nil
	}
	return &client.Certificate{Verdict: string(c.Verdict), Effects: renderEffects(c.Effects), Residue: renderEffects(c.Residue), Amended: c.Amended}
}

func renderEffects(list []saga.StepEffect) []client.StepEffect {
	out := make([]client.StepEffect, len(list))
	for i, e := range list {
		out[i] = client.StepEffect{Step: e.Step, Effect: string(e.Effect), ByOperator: e.ByOperator, Disputed: e.Disputed}
	}
	return out
}

// renderFact is a fact as clients see it.
func renderFact(f *saga.Fact, sight sight) client.Fact {
	out := client.Fact{
		Seq: f.Seq, At: f.At, Type: string(f.Type), EventID: f.EventID, Sequence: f.Sequence, Step: f.Step, Verb: string(f.Verb),
		Edition: f.Edition, Attempt: f.Attempt, Renewed: f.Renewed, Payload: sight.derived(f.Payload), Output: sight.payload(f.Output),
		ExpiresAt: moment(f.ExpiresAt), RetryAt: moment(f.RetryAt), Outcome: string(f.Outcome), Code: f.Code, Message: f.Message,
		Effect: string(f.Effect), ByOperator: f.ByOperator, Disputed: f.Disputed, Anomaly: f.Anomaly, Reason: string(f.Reason),
		Abort: renderAbort(f.Abort), By: f.By, Wish: f.Wish, Certificate: renderCertificate(f.End), Why: f.Why,
	}
	if f.Start != nil {
		out.Input, out.Labels = sight.payload(f.Start.Input), f.Start.Labels
	}
	if f.Reply != nil {
		out.Reply = &client.Coordinates{Topic: f.Reply.Topic, Partition: f.Reply.Partition, Offset: f.Reply.Offset, At: moment(f.At)}
		out.Verdict = string(f.Verdict())
	}
	return out
}

// moment is a time, or nil for the zero one, so that it is absent.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// summary leaves out what makes a list long.
func summary(s client.Saga) client.Saga {
	s.Input, s.Output = nil, nil
	for i := range s.Steps {
		s.Steps[i].Output = nil
	}
	return s
}
