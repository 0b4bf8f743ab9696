package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// lockHandled locks the records that items of the batch are about, all at once.
func (f *forming) lockHandled(ctx context.Context, tx Tx, items []*item) error {
	var ids []int64
	for _, it := range items {
		if it.handling != nil && it.handling.chosen == nil {
			ids = append(ids, it.handling.req.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	var err error
	if f.handled, err = tx.LockQuarantined(ctx, slices.Compact(ids)); err != nil {
		return fmt.Errorf("lock quarantined records: %w", err)
	}
	return nil
}

// applyHandling judges a wish about a quarantined record. What the reply does to its saga, what is noted at the record, and the
// audit row are one transaction.
func (c *committer) applyHandling(ctx context.Context, tx Tx, f *forming, it *item) error {
	h := it.handling
	if h.chosen != nil {
		c.reply(f, it, answer{Chosen: h.chosen})
		return nil
	}
	was, locked := f.handled[h.req.ID]
	switch {
	case !locked:
		return f.busy(it)
	case was.Outcome != "" && was.Attempt == h.attempt: // committed before, and the answer was lost
		c.reply(f, it, answer{Handled: h.stored(&was)})
		return nil
	case was.State != QuarantineWaiting:
		c.reply(f, it, answer{Unhandled: notWaiting(h.req.ID, &was)})
		return nil
	}
	result, before, wait, err := c.handle(ctx, tx, f, it)
	switch {
	case err != nil:
		return err
	case wait:
		return f.busy(it)
	}
	f.note(h, it.from, &was, &result, before)
	c.reply(f, it, answer{Handled: &result})
	return nil
}

// handle does what is wished, as far as it concerns a saga. It reports whether the saga is locked by somebody else.
func (c *committer) handle(ctx context.Context, tx Tx, f *forming, it *item) (result QuarantineResult, before int64, wait bool, err error) {
	h := it.handling
	switch {
	case h.req.Action == QuarantineDiscard:
		return h.discarded(), 0, false, nil
	case h.result != nil:
		return *h.result, 0, false, nil
	case h.cause != nil:
		return h.again(*h.cause), 0, false, nil
	}
	w, state, err := c.working(ctx, tx, f, it.id)
	switch {
	case errors.Is(err, ErrUnknownSagaType):
		return h.again(causeNoDefinition(err)), 0, false, nil
	case err != nil:
		return result, 0, false, err
	case state == RowBusy:
		return result, 0, true, nil
	case state == RowMissing, w.in.Tenant != h.delivery.Tenant:
		return h.again(causeNoSaga()), 0, false, nil
	}
	before = w.in.Revision
	d, err := f.decide(w, it.event)
	if err != nil {
		return h.again(causeNotAsked(err)), 0, false, nil
	}
	result = h.redriven(&d)
	result.Revision = w.in.Revision
	return result, before, false, nil
}

// note writes down what was done about a record, beside it and in the audit.
func (f *forming) note(h *handling, from string, was *QuarantineHandling, result *QuarantineResult, before int64) {
	now := QuarantineHandling{
		State: result.State, Outcome: result.Outcome, Why: result.Why, By: h.req.By, Reason: h.req.Reason, At: f.at,
		Redrives: was.Redrives, Vouched: result.Vouched, Attempt: h.attempt,
	}
	if h.req.Action == QuarantineRedrive {
		now.Redrives++
	}
	f.handled[h.req.ID] = now
	f.batch.Handled = slices.DeleteFunc(f.batch.Handled, func(other QuarantineHandled) bool { return other.ID == h.req.ID })
	f.batch.Handled = append(f.batch.Handled, QuarantineHandled{ID: h.req.ID, Topic: h.entry.Topic, Handling: now, Cause: result.Cause})
	detail, err := json.Marshal(struct {
		Outcome   QuarantineOutcome `json:"outcome"`
		Why       string            `json:"why,omitempty"`
		Cause     string            `json:"cause"` // as it stood
		Topic     string            `json:"topic"`
		Partition int32             `json:"partition"`
		Offset    int64             `json:"offset"`
		Vouched   bool              `json:"vouched,omitempty"`
	}{result.Outcome, result.Why, h.entry.Quarantined.Reason, h.entry.Topic, h.entry.Partition, h.entry.Offset, result.Vouched})
	if err != nil { // nothing in it can fail
		detail = nil
	}
	f.batch.Audit = append(f.batch.Audit, Audit{
		Tenant: h.req.Tenant, Actor: h.req.By, From: from, Action: "quarantine." + string(h.req.Action), Saga: result.Saga,
		Target: fmt.Sprintf("quarantined record %d", h.req.ID), Reason: h.req.Reason, RequestID: h.req.RequestID,
		Before: before, After: result.Revision, Detail: detail,
	})
}

// stored is the answer of a wish that was committed before.
func (h *handling) stored(was *QuarantineHandling) *QuarantineResult {
	return &QuarantineResult{ID: h.req.ID, State: was.State, Outcome: was.Outcome, Why: was.Why, Vouched: was.Vouched}
}

// unstorable is the item of a redrive whose effect the database refuses: the record stays, and says so.
func (it *item) unstorable(cause error) *item {
	h := *it.handling
	h.cause = &QuarantineCause{"poison", cause.Error()}
	return &item{handling: &h, hash: it.hash, done: it.done, tries: it.tries + 1}
}
