package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// How many sagas a second an operation acts on, and how many of them a rehearsal tries.
const (
	OperationRateDefault = 50
	OperationRateMax     = 1000
	OperationSample      = 50
)

// OperationRehearsal is what an operation would come to, as far as a sample tells.
type OperationRehearsal struct {
	Count  int64 // sagas that match
	Exact  bool  // false: at least Count
	Sample []OperationOutcome
}

// StartOperation begins an action over all sagas that match a filter, and returns once it is stored; the replicas' workers do the
// rest. created is false where the Idempotency-Key has it already. Errors: *InputError, ErrIdempotency.
func (e *Engine) StartOperation(ctx context.Context, tenant string, req OperationRequest, by, requestID, idempotencyKey string) (op Operation, created bool, err error) {
	if err := e.checkOperation(&req); err != nil {
		return op, false, err
	}
	return e.cfg.Operations.PutOperation(ctx, Operation{Tenant: tenant, Actor: by, Request: req, IdempotencyKey: idempotencyKey}, Audit{
		Tenant: tenant, Actor: by, From: RemoteOf(ctx), Action: "operation.start", Target: string(req.Action), Reason: req.Reason, RequestID: requestID, Detail: detail(req),
	})
}

// detail is a request as the audit keeps it: without payloads, which only those may see who may see payloads.
func detail(req OperationRequest) json.RawMessage {
	req.Output, req.Payload = nil, nil
	b, err := json.Marshal(req)
	if err != nil { // every part of a request has been read from JSON
		return nil
	}
	return b
}

// RehearseOperation counts the sagas that match, and tries the action on the newest of them; nothing is stored.
func (e *Engine) RehearseOperation(ctx context.Context, tenant string, req OperationRequest, by string) (out OperationRehearsal, err error) {
	if err := e.checkOperation(&req); err != nil {
		return out, err
	}
	q := req.Filter.query(tenant, OperationSample)
	q.Count = true
	page, err := e.cfg.Reader.Sagas(ctx, q)
	if err != nil {
		return out, fmt.Errorf("count the operation's sagas: %w", err)
	}
	out.Count, out.Exact = page.Count, page.Exact
	for i := range page.Sagas {
		one := req.act(tenant, page.Sagas[i].Instance.ID, by)
		d, err := e.DryRun(ctx, one)
		o, known := outcomeOf(one.ID, Acted{Revision: d.Next.Revision, Why: d.Why}, err)
		if !known {
			return out, err
		}
		out.Sample = append(out.Sample, o)
	}
	return out, nil
}

// Operation reads one; ErrNotFound.
func (e *Engine) Operation(ctx context.Context, tenant string, id int64) (Operation, error) {
	if e.cfg.Operations == nil {
		return Operation{}, ErrNoOperations
	}
	return e.cfg.Operations.Operation(ctx, tenant, id)
}

// ListOperations lists a tenant's, newest first, below the id before; 0 starts at the newest.
func (e *Engine) ListOperations(ctx context.Context, tenant string, before int64, limit int) ([]Operation, error) {
	if e.cfg.Operations == nil {
		return nil, ErrNoOperations
	}
	return e.cfg.Operations.ListOperations(ctx, tenant, before, limit)
}

// Outcomes lists what became of an operation's sagas, by saga id; ErrNotFound where the tenant has no such operation.
func (e *Engine) Outcomes(ctx context.Context, q OutcomeQuery) ([]OperationOutcome, error) {
	if _, err := e.Operation(ctx, q.Tenant, q.Operation); err != nil {
		return nil, err
	}
	return e.cfg.Operations.Outcomes(ctx, q)
}

// ChangeOperation pauses, resumes or cancels; what was begun of a slice is finished. ErrNotFound, *OperationStateError, *InputError.
func (e *Engine) ChangeOperation(ctx context.Context, tenant string, id int64, change OperationChange, by, reason, requestID string) (Operation, error) {
	if e.cfg.Operations == nil {
		return Operation{}, ErrNoOperations
	}
	if strings.TrimSpace(reason) == "" {
		return Operation{}, &InputError{Message: "the change is wrong", Fields: []FieldError{{"reason", "it needs a reason"}}}
	}
	return e.cfg.Operations.ChangeOperation(ctx, tenant, id, change, Audit{
		Tenant: tenant, Actor: by, From: RemoteOf(ctx), Action: "operation." + string(change), Target: fmt.Sprintf("operation %d", id), Reason: reason, RequestID: requestID,
	})
}

func (e *Engine) checkOperation(req *OperationRequest) error {
	if e.cfg.Operations == nil {
		return ErrNoOperations
	}
	if req.Rate == 0 {
		req.Rate = OperationRateDefault
	}
	bad := &InputError{Message: "the operation is wrong"}
	wrong := func(path, message string) { bad.Fields = append(bad.Fields, FieldError{path, message}) }
	if req.Rate < 1 || req.Rate > OperationRateMax {
		wrong("rate", fmt.Sprintf("want 1 to %d sagas a second", OperationRateMax))
	}
	if !slices.Contains(append(saga.Actions(), saga.ActionRebind), req.Action) {
		wrong("action", fmt.Sprintf("%q is no action", req.Action))
	}
	if req.Filter.empty() {
		wrong("filter", "say which sagas: an operation over all that ever were is never meant")
	}
	if req.Action == saga.ActionRebind && req.Filter.Saga == "" {
		wrong("filter/saga", "a rebind is of the sagas of one definition")
	}
	if req.Step == "" && NeedsNamedStep(req.Action) {
		wrong("step", string(req.Action)+" needs a step")
	}
	if req.Step != "" && !req.Action.NeedsStep() && req.Action != saga.ActionAcknowledge {
		wrong("step", string(req.Action)+" is about sagas as a whole")
	}
	if len(req.Output) > 0 && req.Action != saga.ActionComplete && req.Action != saga.ActionSkip {
		wrong("output", string(req.Action)+" takes no output")
	}
	if len(req.Payload) > 0 && (req.Action != saga.ActionRetry || req.Step == "") {
		wrong("payload", "only the retry of one step takes a payload")
	}
	one := req.act("", saga.ID{}, "")
	var more *InputError
	if errors.As(checkAct(&one), &more) {
		bad.Fields = append(bad.Fields, more.Fields...)
	}
	if len(bad.Fields) > 0 {
		slices.SortStableFunc(bad.Fields, func(a, b FieldError) int { return strings.Compare(a.Path, b.Path) })
		bad.Fields = slices.CompactFunc(bad.Fields, func(a, b FieldError) bool { return a.Path == b.Path })
		return bad
	}
	return nil
}

func (f *OperationFilter) empty() bool {
	return f.Saga == "" && len(f.Statuses) == 0 && f.Verdict == "" && f.Attention == "" && f.BlockedOn == "" && f.Participant == "" && f.Key == "" &&
		len(f.Labels) == 0 && f.CreatedAfter.IsZero() && f.CreatedBefore.IsZero() && len(f.IDs) == 0
}

// act is the action on one saga.
func (r *OperationRequest) act(tenant string, id saga.ID, by string) ActRequest {
	return ActRequest{
		Tenant: tenant, ID: id, EachStep: r.Step == "" && r.Action.NeedsStep() && !NeedsNamedStep(r.Action),
		Act: saga.Acted{Action: r.Action, Step: r.Step, Output: r.Output, Payload: r.Payload, Version: r.Version, Reason: r.Reason, By: by},
	}
}
