package orchestrator

import (
	"context"
	"errors"
	"fmt"
)

// QuarantineManyMax is how many records one request may handle.
const QuarantineManyMax = 500

// quarantineSlice is how many records of a request are in hand at a time: their bytes are in memory meanwhile.
const quarantineSlice = 50

// QuarantineManyRequest is an operator's wish about all waiting records that a filter finds.
type QuarantineManyRequest struct {
	Filter         QuarantineQuery // its Tenant, Fingerprint, Reason, Topic and Saga count
	Limit          int             // 1..QuarantineManyMax; the oldest come first
	Action         QuarantineAction
	Reason         string
	Vouch          bool
	By             string
	RequestID      string
	IdempotencyKey string
	DryRun         bool // judge each by itself, as things stand, and store nothing
}

// QuarantineMany is what came of it, record by record in the order in which they were handled.
type QuarantineMany struct {
	Each []QuarantineEach
	More bool // the filter found more than Limit
	// Replayed: the Idempotency-Key had chosen these records already. What the first request left undone was done now.
	Replayed bool
}

// QuarantineEach is what came of one record: its result, or the error of it alone.
type QuarantineEach struct {
	ID     int64
	Result QuarantineResult
	Err    error
}

// chosen are the records that a request about many is about, kept under its Idempotency-Key.
type chosen struct {
	IDs      []int64 `json:"ids"`
	More     bool    `json:"more,omitempty"`
	replayed bool
}

// HandleManyQuarantined redrives or discards the waiting records that a filter finds, each as HandleQuarantined does, oldest
// first, and answers once all are done or ctx ends. An error is about the request as a whole; those of records are in the
// answer. Under an Idempotency-Key a replay is about the same records, and does what the first request had not come to.
func (e *Engine) HandleManyQuarantined(ctx context.Context, req QuarantineManyRequest) (QuarantineMany, error) {
	if err := checkHandling(req.Action, req.Reason); err != nil {
		return QuarantineMany{}, err
	}
	if req.Limit < 1 || req.Limit > QuarantineManyMax {
		return QuarantineMany{}, &InputError{Message: "the wish about quarantined records is wrong", Fields: []FieldError{{"limit", fmt.Sprintf("want 1 to %d", QuarantineManyMax)}}}
	}
	which, err := e.choose(ctx, &req)
	if err != nil {
		return QuarantineMany{}, err
	}
	out := QuarantineMany{More: which.More, Replayed: which.replayed}
	for ids := which.IDs; len(ids) > 0; {
		n := min(len(ids), quarantineSlice)
		out.Each = append(out.Each, e.handleSlice(ctx, &req, ids[:n])...)
		ids = ids[n:]
	}
	return out, nil
}

// choose finds the records, and keeps them under the Idempotency-Key.
func (e *Engine) choose(ctx context.Context, req *QuarantineManyRequest) (*chosen, error) {
	q := req.Filter
	q.State, q.OldestFirst, q.Before, q.Limit = QuarantineWaiting, true, 0, req.Limit+1
	entries, err := e.cfg.Reader.Quarantine(ctx, q)
	if err != nil {
		return nil, err
	}
	which := &chosen{IDs: []int64{}, More: len(entries) > req.Limit}
	for i := range entries[:min(len(entries), req.Limit)] {
		which.IDs = append(which.IDs, entries[i].ID)
	}
	if req.IdempotencyKey == "" || req.DryRun {
		return which, nil
	}
	wish := *req
	wish.By, wish.RequestID, wish.IdempotencyKey = "", "", "" // as of an action: a replay is a request of its own (S2)
	it := &item{hash: requestHash(wish), handling: &handling{
		req: QuarantineRequest{Tenant: q.Tenant, IdempotencyKey: req.IdempotencyKey}, chosen: which,
	}}
	a, err := e.submit(ctx, it)
	if err != nil {
		return nil, err
	}
	return a.Chosen, nil
}

func (e *Engine) handleSlice(ctx context.Context, req *QuarantineManyRequest, ids []int64) []QuarantineEach {
	out := make([]QuarantineEach, len(ids))
	waits := make([]func(context.Context) (answer, error), len(ids))
	items := make([]*item, len(ids))
	for i, id := range ids {
		one := QuarantineRequest{
			Tenant: req.Filter.Tenant, ID: id, Action: req.Action, Reason: req.Reason, Vouch: req.Vouch, By: req.By, RequestID: req.RequestID,
		}
		if req.IdempotencyKey != "" {
			one.IdempotencyKey = fmt.Sprintf("%s\x1f%d", req.IdempotencyKey, id) // no header can hold such a one
		}
		out[i].ID = id
		if req.DryRun {
			out[i].Result, _, out[i].Err = e.RehearseQuarantined(ctx, one)
			continue
		}
		it, err := e.handlingItem(ctx, one)
		if err == nil {
			items[i] = it
			waits[i], err = e.begin(it)
		}
		out[i].Err = err
	}
	for i, wait := range waits {
		if wait == nil {
			continue
		}
		a, err := wait(ctx)
		switch {
		case err == nil:
			out[i].Result = *a.Handled
			e.tellRedriven(ctx, items[i], a.Handled)
		case errors.Is(err, ErrNotFound):
			out[i].Err = fmt.Errorf("quarantined record %d: %w", ids[i], err)
		default:
			out[i].Err = err
		}
	}
	return out
}
