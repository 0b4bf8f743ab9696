package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// QuarantineNotMapped is the code of a QuarantineRefusedError: the record is a start, and its topic starts sagas of nobody any more.
const QuarantineNotMapped = "topic_not_mapped"

// isStart reports whether a quarantined record asked for a saga.
func (e *Engine) isStart(q *Quarantined) bool {
	_, mapped := e.tenantOfStart(q)
	return mapped || strings.HasPrefix(q.Reason, startReason)
}

// startAgain judges a quarantined start anew. It is started under its own id first, and what came of it is noted at the record then: a
// crash between the two leaves a record that answers the same when it is redriven again (S2).
func (e *Engine) startAgain(ctx context.Context, it *item) error {
	h := it.handling
	refuse := func(code, message string) error {
		return &QuarantineRefusedError{ID: h.req.ID, Code: code, Message: message, Possible: []string{string(QuarantineDiscard)}}
	}
	tenant, mapped := e.tenantOfStart(&h.entry.Quarantined)
	switch {
	case !h.entry.Kept:
		return refuse(QuarantineNotKept, "its bytes were beyond the hourly quota and were not kept; whoever sent it sends it again")
	case !mapped:
		return refuse(QuarantineNotMapped, errNotMapped(h.entry.Topic).Error())
	case tenant != h.req.Tenant:
		return refuse(QuarantineOtherTenants, fmt.Sprintf("topic %q starts sagas of tenant %q now", h.entry.Topic, tenant))
	}
	h.proven = true // by its topic
	start, err := e.arrivalItem(ctx, Delivery{Raw: h.entry.Quarantined})
	switch {
	case err != nil:
		return err
	case start.arrival.verdict != nil:
		cause := causeOfStart(start.arrival.verdict.failure())
		h.cause = &cause
	default:
		start.arrival.redriven = true
		h.start = start
	}
	return nil
}

func causeOfStart(err error) QuarantineCause {
	code, message := startCode(err)
	return QuarantineCause{startReason + code, message}
}

// offerStartAgain hands in the start of a redrive, and then the redrive itself.
func (e *Engine) offerStartAgain(it *item) error {
	if err := e.health.refusesStarts(); err != nil {
		return e.refused(err)
	}
	h := it.handling
	start := h.start
	start.done = func(a answer) {
		var busy *OverloadedError
		switch err := a.failure(); {
		case errors.As(err, &busy), errors.Is(err, ErrStopping):
			it.fail(err)
			return
		case err != nil:
			result := h.again(causeOfStart(err))
			h.result = &result
		default:
			result := h.restarted(a.Started)
			h.result = &result
		}
		h.start = nil
		if err := e.offer(it); err != nil { // the record waits, and answers the same when it is redriven again
			it.fail(err)
		}
	}
	return e.offer(start)
}

func (h *handling) restarted(s *Started) QuarantineResult {
	result := QuarantineResult{
		ID: h.req.ID, State: QuarantineRedriven, Outcome: QuarantineApplied, Why: fmt.Sprintf("%s version %d was started", s.Saga, s.Version),
		Saga: s.ID, Revision: s.Revision,
	}
	if s.Existing || s.Replayed {
		result.Outcome, result.Why = QuarantineIgnored, "there is a saga already, for its id or its key"
	}
	return result
}

// rehearsedStart is what a redrive of a start would come to, but for its business key: that is judged under lock.
func (h *handling) rehearsedStart() QuarantineResult {
	return QuarantineResult{
		ID: h.req.ID, State: QuarantineRedriven, Outcome: QuarantineApplied,
		Why: fmt.Sprintf("%s version %d would be started", h.start.start.Saga, h.start.def.Version),
	}
}

// tellRedriven has whoever asked for a start in SQL find the saga that a redrive gave it.
func (e *Engine) tellRedriven(ctx context.Context, it *item, result *QuarantineResult) {
	q := &it.handling.entry.Quarantined
	if e.cfg.StartRequests == nil || q.Topic != StartRequestsTopic || result.Saga.IsZero() {
		return
	}
	err := e.cfg.StartRequests.AnswerStartRequests(context.WithoutCancel(ctx), []StartAnswered{{Seq: q.Offset, Saga: result.Saga}})
	if err != nil {
		e.cfg.Logger.WarnContext(ctx, "a redriven start is not told to who asked for it", "request", q.Offset, "saga_id", result.Saga, "error", err)
	}
}
