package api

import (
	"context"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func (f *fakeReader) Quarantine(_ context.Context, q orchestrator.QuarantineQuery) ([]orchestrator.QuarantineEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quarantineQueries = append(f.quarantineQueries, q)
	var out []orchestrator.QuarantineEntry
	for _, e := range f.quarantine {
		if (q.Saga.IsZero() || q.Saga == e.Saga) && (q.Before == 0 || e.ID < q.Before) && len(out) < q.Limit {
			out = append(out, e)
		}
	}
	return out, f.err
}

func (f *fakeReader) QuarantineRecord(_ context.Context, tenant string, id int64) (orchestrator.QuarantineEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.quarantine {
		if e.ID == id && tenant == "default" {
			return e, f.err
		}
	}
	return orchestrator.QuarantineEntry{}, fmt.Errorf("quarantined record %d: %w", id, orchestrator.ErrNotFound)
}

func (f *fakeReader) QuarantineGroups(_ context.Context, q orchestrator.QuarantineQuery) ([]orchestrator.QuarantineGroup, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quarantineQueries = append(f.quarantineQueries, q)
	return []orchestrator.QuarantineGroup{{
		Fingerprint: "0011223344556677", Reason: "bad_token", Topic: "skald.replies", Message: "reply token does not fit the reply",
		Count: 7, First: testTime, Last: testTime.Add(time.Minute), Example: 9,
	}}, f.err
}

func (f *fakeEngine) HandleQuarantined(_ context.Context, req orchestrator.QuarantineRequest) (orchestrator.QuarantineResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handled = append(f.handled, req)
	return orchestrator.QuarantineResult{
		ID: req.ID, State: orchestrator.QuarantineWaiting, Outcome: orchestrator.QuarantineAgain, Why: "not_asked: never sent",
		Cause: &orchestrator.QuarantineCause{Reason: "not_asked", Message: "never sent"}, Replayed: req.IdempotencyKey == "again",
	}, f.err
}

func (f *fakeEngine) RehearseQuarantined(_ context.Context, req orchestrator.QuarantineRequest) (orchestrator.QuarantineResult, *saga.Decision, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rehearsed = append(f.rehearsed, req)
	if f.err != nil {
		return orchestrator.QuarantineResult{}, nil, f.err
	}
	d, err := saga.Decide(f.def, f.reader.view.Instance, saga.Event{ID: "r", Env: saga.Env{At: testTime.Add(time.Second)}, Body: saga.Replied{
		Step: "charge-payment", Verb: saga.Execute, Attempt: 1, Outcome: saga.ReplySucceeded, Value: []byte(`{"payment_id":"p1"}`),
	}})
	return orchestrator.QuarantineResult{
		ID: req.ID, State: orchestrator.QuarantineRedriven, Outcome: orchestrator.QuarantineApplied, Why: d.Why, Saga: d.Next.ID, Revision: d.Next.Revision,
	}, &d, err
}

func (f *fakeEngine) HandleManyQuarantined(_ context.Context, req orchestrator.QuarantineManyRequest) (orchestrator.QuarantineMany, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handledMany = append(f.handledMany, req)
	return orchestrator.QuarantineMany{More: true, Each: []orchestrator.QuarantineEach{
		{ID: 8, Result: orchestrator.QuarantineResult{ID: 8, State: orchestrator.QuarantineRedriven, Outcome: orchestrator.QuarantineApplied, Saga: f.started.ID, Revision: 4}},
		{ID: 9, Err: &orchestrator.QuarantineRefusedError{ID: 9, Code: orchestrator.QuarantineUnproven, Message: "who vouches?", Possible: []string{"discard"}}},
	}}, f.err
}
