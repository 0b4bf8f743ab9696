package api

import (
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
)

func renderOperation(op *orchestrator.Operation, now time.Time) client.Operation {
	r, f := &op.Request, &op.Request.Filter
	out := client.Operation{
		ID: op.ID, Action: client.Action(r.Action), Step: r.Step, Version: r.Version, Reason: r.Reason, Rate: r.Rate, By: op.Actor,
		State: client.OperationState(op.State), Total: op.Total, Done: op.Done(), Succeeded: op.Succeeded, Refused: op.Refused, Failed: op.Failed,
		CreatedAt: op.CreatedAt.UTC(), StartedAt: moment(op.StartedAt), EndedAt: moment(op.EndedAt),
		Filter: client.OperationFilter{
			Saga: f.Saga, Version: f.Version, Verdict: string(f.Verdict), Attention: f.Attention, BlockedOn: string(f.BlockedOn),
			Participant: f.Participant, Key: f.Key, Labels: f.Labels,
			CreatedAfter: moment(f.CreatedAfter), CreatedBefore: moment(f.CreatedBefore),
		},
	}
	for _, id := range f.IDs {
		out.Filter.IDs = append(out.Filter.IDs, id.String())
	}
	for _, s := range f.Statuses {
		out.Filter.Status = append(out.Filter.Status, client.Status(s))
	}
	switch {
	case op.Paused && !op.State.Ended():
		out.State = client.OperationPaused
	case op.State == orchestrator.OperationRunning:
		out.ETA = moment(eta(op, now))
	}
	return out
}

// eta is when what is left will be done: at the rate, or as slowly as it went so far.
func eta(op *orchestrator.Operation, now time.Time) time.Time {
	each := time.Second / time.Duration(max(op.Request.Rate, 1))
	if done := op.Done(); done > 0 {
		each = max(each, now.Sub(op.StartedAt)/time.Duration(done))
	}
	return now.Add(each * time.Duration(op.Total-op.Done())).Truncate(time.Second)
}

func renderOutcome(o *orchestrator.OperationOutcome) client.Outcome {
	return client.Outcome{SagaID: o.Saga.String(), Outcome: string(o.Kind), Code: o.Code, Message: o.Message, Revision: o.Revision, At: moment(o.At)}
}

func renderRehearsal(r *orchestrator.OperationRehearsal) client.OperationPreview {
	out := client.OperationPreview{Refused: map[string]int{}, Sample: make([]client.Outcome, len(r.Sample))}
	if r.Exact {
		out.Count = &r.Count
	} else {
		out.AtLeast = &r.Count
	}
	for i := range r.Sample {
		out.Sample[i] = renderOutcome(&r.Sample[i])
		if o := &r.Sample[i]; o.Kind == orchestrator.OutcomeSucceeded {
			out.Possible++
		} else {
			out.Refused[o.Code]++
		}
	}
	return out
}
