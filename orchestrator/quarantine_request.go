package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// QuarantineRequest is an operator's wish about one quarantined record.
type QuarantineRequest struct {
	Tenant string
	ID     int64
	Action QuarantineAction
	Reason string // kept in the audit, and beside the record
	// Vouch redrives a record though nothing shows that its token was right: the operator's word stands in for it. All else holds:
	// the saga must have asked for exactly this step, verb and edition. Of use with QuarantineRedrive alone.
	Vouch          bool
	By             string
	RequestID      string
	IdempotencyKey string
}

// QuarantineResult is what came of a wish about a record, or would come of it.
type QuarantineResult struct {
	ID      int64             `json:"id"`
	State   QuarantineState   `json:"state"`
	Outcome QuarantineOutcome `json:"outcome"`
	Why     string            `json:"why,omitempty"`
	// Cause is why it is in quarantine again; nil with other outcomes.
	Cause    *QuarantineCause `json:"cause,omitempty"`
	Saga     saga.ID          `json:"saga,omitzero"` // that it was judged for
	Revision int64            `json:"revision,omitempty"`
	Vouched  bool             `json:"vouched,omitempty"`
	// Replayed: the Idempotency-Key had this answer already.
	Replayed bool `json:"-"`
}

// HandleQuarantined redrives or discards one record and returns once that is committed, in one transaction with its audit row and
// all that the reply does to its saga. A record that can still not be applied stays, with its cause as it is now: that is
// an outcome and no error. Errors: *QuarantineRefusedError, *InputError, ErrNotFound, ErrIdempotency, *OverloadedError, ErrStopping.
func (e *Engine) HandleQuarantined(ctx context.Context, req QuarantineRequest) (QuarantineResult, error) {
	it, err := e.handlingItem(ctx, req)
	if err != nil {
		return QuarantineResult{}, err
	}
	a, err := e.submit(ctx, it)
	if err != nil {
		return QuarantineResult{}, err
	}
	e.tellRedriven(ctx, it, a.Handled)
	return *a.Handled, nil
}

// OfferHandled is HandleQuarantined for a caller that cannot wait, as OfferStart.
func (e *Engine) OfferHandled(ctx context.Context, req QuarantineRequest, done func(QuarantineResult, error)) error {
	it, err := e.handlingItem(ctx, req)
	if err != nil {
		return err
	}
	it.done = func(a answer) {
		if err := a.failure(); err != nil || a.Handled == nil {
			done(QuarantineResult{}, err)
			return
		}
		done(*a.Handled, nil)
	}
	return e.offer(it)
}

// RehearseQuarantined answers what HandleQuarantined would come to, by the same judgement; nothing is stored. The decision is nil
// where the record would not reach a saga of the tenant. Errors as of HandleQuarantined.
func (e *Engine) RehearseQuarantined(ctx context.Context, req QuarantineRequest) (QuarantineResult, *saga.Decision, error) {
	it, err := e.handlingItem(ctx, req)
	if err != nil {
		return QuarantineResult{}, nil, err
	}
	h := it.handling
	switch {
	case h.entry.Handling.State != QuarantineWaiting:
		return QuarantineResult{}, nil, notWaiting(req.ID, &h.entry.Handling)
	case req.Action == QuarantineDiscard:
		return h.discarded(), nil, nil
	case h.cause != nil:
		return h.again(*h.cause), nil, nil
	case h.start != nil:
		return h.rehearsedStart(), nil, nil
	}
	view, err := e.cfg.Reader.Saga(ctx, h.delivery.Tenant, it.id)
	if errors.Is(err, ErrNotFound) {
		return h.again(causeNoSaga()), nil, nil
	}
	if err != nil {
		return QuarantineResult{}, nil, err
	}
	def, err := e.registry.get(ctx, view.Instance.Tenant, view.Instance.Saga, view.Instance.Version)
	switch {
	case errors.Is(err, ErrUnknownSagaType):
		return h.again(causeNoDefinition(err)), nil, nil
	case err != nil:
		return QuarantineResult{}, nil, err
	}
	at, holds, err := e.around.now(ctx)
	if err != nil {
		return QuarantineResult{}, nil, err
	}
	ev := it.event
	ev.Env = e.envOf(at, holds, view.Instance.Tenant, view.Instance.ID, def, view.Sent)
	ev.Env.Jitter = 0.5 // in the middle of what may be drawn
	d, err := saga.Decide(def, view.Instance, ev)
	if err != nil {
		return h.again(causeNotAsked(err)), nil, nil
	}
	result := h.redriven(&d)
	result.Revision = view.Instance.Revision
	if view.Instance.Tenant != req.Tenant { // a record of nobody: its reader may not see more of another tenant's saga
		return result, nil, nil
	}
	return result, &d, nil
}

// handling is what a wish about a quarantined record is made of.
type handling struct {
	req      QuarantineRequest
	entry    *QuarantineEntry
	delivery *Delivery         // of a redrive that can be judged by its saga; nil: there is nothing to ask a saga
	start    *item             // of a redriven start that is not judged yet; nil: of anything else
	result   *QuarantineResult // of a redriven start that is judged
	cause    *QuarantineCause  // of a redrive that needs no saga to be refused, or that the database refused; nil: none
	proven   bool              // by its token
	chosen   *chosen           // of a choice of many; all else is then empty
	attempt  saga.ID
}

func (e *Engine) handlingItem(ctx context.Context, req QuarantineRequest) (*item, error) {
	if err := checkHandling(req.Action, req.Reason); err != nil {
		return nil, err
	}
	entry, err := e.cfg.Reader.QuarantineRecord(ctx, req.Tenant, req.ID)
	if err != nil {
		return nil, err
	}
	h := &handling{req: req, entry: &entry, attempt: saga.NewID(e.clock.Now(), 0, e.random.Uint64())}
	it := &item{handling: h}
	it.hash = requestHash(struct {
		ID     int64
		Action QuarantineAction
		Reason string
		Vouch  bool
	}{req.ID, req.Action, req.Reason, req.Vouch})
	if entry.Handling.State != QuarantineWaiting || req.Action == QuarantineDiscard {
		return it, nil // a replay is answered, and else it is refused, under lock
	}
	if e.isStart(&entry.Quarantined) {
		return it, e.startAgain(ctx, it)
	}
	return it, e.decodeAgain(it)
}

// decodeAgain reads the record anew, and says who vouches for it.
func (e *Engine) decodeAgain(it *item) error {
	h := it.handling
	refuse := func(code, message string, possible ...string) error {
		return &QuarantineRefusedError{ID: h.req.ID, Code: code, Message: message, Possible: possible}
	}
	if !h.entry.Kept {
		return refuse(QuarantineNotKept, "its bytes were beyond the hourly quota and were not kept; where the command is still open it is "+
			"sent again by its own timeout, or by a retry", string(QuarantineDiscard))
	}
	if e.cfg.Decoder == nil {
		return errors.New("redrive a record: Config.Decoder is missing")
	}
	d, proven := e.cfg.Decoder.Again(h.entry.Quarantined)
	h.proven = proven || !h.entry.Saga.IsZero() // its token was right when it came
	switch {
	case d.Poison != nil:
		h.cause = &QuarantineCause{d.Poison.Reason, d.Poison.Message}
		return nil
	case !h.proven && !h.req.Vouch:
		return refuse(QuarantineUnproven, "nothing shows that its token was right: whoever redrives it vouches for it",
			"redrive with vouch", string(QuarantineDiscard))
	case !h.proven && d.Tenant != h.req.Tenant:
		return refuse(QuarantineOtherTenants, fmt.Sprintf("it says that it is of tenant %q, and nobody of another tenant can vouch for it", d.Tenant),
			string(QuarantineDiscard))
	}
	h.delivery = &d
	it.id, it.event = d.Saga, saga.Event{ID: d.ID, Body: d.Reply}
	return nil
}

func checkHandling(action QuarantineAction, reason string) error {
	bad := &InputError{Message: "the wish about quarantined records is wrong"}
	if strings.TrimSpace(reason) == "" {
		bad.Fields = append(bad.Fields, FieldError{"reason", "an action needs a reason"})
	}
	if action != QuarantineRedrive && action != QuarantineDiscard {
		bad.Fields = append(bad.Fields, FieldError{"action", "want redrive or discard"})
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

func notWaiting(id int64, was *QuarantineHandling) *QuarantineRefusedError {
	return &QuarantineRefusedError{
		ID: id, Code: QuarantineNotWaiting,
		Message: fmt.Sprintf("it was %s by %s at %s: %s", was.State, was.By, was.At.UTC().Format("2006-01-02 15:04:05Z"), was.Reason),
	}
}

func causeNoSaga() QuarantineCause { return QuarantineCause{"unknown_saga", "there is no such saga"} }

func causeNoDefinition(err error) QuarantineCause {
	return QuarantineCause{"definition_missing", err.Error()}
}

func causeNotAsked(err error) QuarantineCause { return QuarantineCause{"not_asked", err.Error()} }

func (h *handling) discarded() QuarantineResult {
	return QuarantineResult{ID: h.req.ID, State: QuarantineDiscarded, Outcome: QuarantineDropped}
}

func (h *handling) again(cause QuarantineCause) QuarantineResult {
	result := QuarantineResult{ID: h.req.ID, State: QuarantineWaiting, Outcome: QuarantineAgain, Cause: &cause, Vouched: h.vouched()}
	result.Why = cause.Reason + ": " + cause.Message
	return result
}

func (h *handling) redriven(d *saga.Decision) QuarantineResult {
	result := QuarantineResult{
		ID: h.req.ID, State: QuarantineRedriven, Outcome: QuarantineApplied, Why: d.Why,
		Saga: d.Next.ID, Revision: d.Next.Revision, Vouched: h.vouched(),
	}
	if d.Outcome == saga.Ignored {
		result.Outcome = QuarantineIgnored
	}
	return result
}

// vouched reports whether the operator's word stands in for the token.
func (h *handling) vouched() bool {
	return h.req.Action == QuarantineRedrive && h.req.Vouch && !h.proven
}
