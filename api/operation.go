package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// OperationEngine is what the API asks of the engine about operations over many sagas.
type OperationEngine interface {
	StartOperation(ctx context.Context, tenant string, req orchestrator.OperationRequest, by, requestID, idempotencyKey string) (orchestrator.Operation, bool, error)
	RehearseOperation(ctx context.Context, tenant string, req orchestrator.OperationRequest, by string) (orchestrator.OperationRehearsal, error)
	Operation(ctx context.Context, tenant string, id int64) (orchestrator.Operation, error)
	ListOperations(ctx context.Context, tenant string, before int64, limit int) ([]orchestrator.Operation, error)
	Outcomes(ctx context.Context, q orchestrator.OutcomeQuery) ([]orchestrator.OperationOutcome, error)
	ChangeOperation(ctx context.Context, tenant string, id int64, change orchestrator.OperationChange, by, reason, requestID string) (orchestrator.Operation, error)
}

// OperationPath is the part of an input that names an operation. It is exported because huma looks into no other embedded field.
type OperationPath struct {
	ID int64 `path:"id" minimum:"1"`
}

type (
	startOperationInput struct {
		rawBody
		IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"A replay answers with the operation that there is"`
	}
	operationInput       struct{ OperationPath }
	changeOperationInput struct {
		rawBody
		OperationPath
	}
	listOperationsInput struct {
		Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
		Cursor string `query:"cursor" maxLength:"128" doc:"next_cursor of the page before"`

		before int64
	}
	outcomesInput struct {
		OperationPath
		Outcome string `query:"outcome" enum:"succeeded,refused,failed,pending" doc:"Only these"`
		Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
		Cursor  string `query:"cursor" maxLength:"128" doc:"next_cursor of the page before, under the same filter"`

		after saga.ID
	}
)

// Resolve reads the cursor.
func (in *listOperationsInput) Resolve(huma.Context) (errs []error) {
	var err error
	if in.Cursor == "" {
		return nil
	}
	if in.before, err = readNumberCursor(cursorOperations, "", in.Cursor); err != nil {
		errs = append(errs, &huma.ErrorDetail{Location: "query.cursor", Message: err.Error()})
	}
	return errs
}

func (in *outcomesInput) scope() string { return fmt.Sprintf("operation %d %s", in.ID, in.Outcome) }

// Resolve reads the cursor.
func (in *outcomesInput) Resolve(huma.Context) (errs []error) {
	var err error
	if in.Cursor == "" {
		return nil
	}
	if in.after, err = readIDCursor(in.scope(), in.Cursor); err != nil {
		errs = append(errs, &huma.ErrorDetail{Location: "query.cursor", Message: err.Error()})
	}
	return errs
}

func (a *API) registerOperations() {
	register(a, route{
		id: "start-operation", method: http.MethodPost, path: "/v1/operations", tag: "operate", summary: "Do one action with all sagas that match a filter",
		description: "The sagas are listed first, then acted on at the rate, each exactly once, whichever replicas live. With `dry_run` the answer " +
			"is an OperationPreview: how many match, and of a sample what would be possible. What the action on one saga needs a permission for, this needs too.",
		permission: PermitBulk, body: client.OperationRequest{}, maxBody: actBody,
		answers: map[int]any{http.StatusOK: client.OperationPreview{}, http.StatusCreated: client.Operation{}}, headers: []string{"Location", "Idempotency-Replayed"},
	}, a.startOperation)
	register(a, route{
		id: "list-operations", method: http.MethodGet, path: "/v1/operations", tag: "operate", summary: "List operations, newest first",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.OperationList{}},
	}, a.listOperations)
	register(a, route{
		id: "get-operation", method: http.MethodGet, path: "/v1/operations/{id}", tag: "operate", summary: "Read one operation with its progress",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.Operation{}}, errors: []int{http.StatusNotFound},
	}, a.operation)
	register(a, route{
		id: "list-outcomes", method: http.MethodGet, path: "/v1/operations/{id}/outcomes", tag: "operate", summary: "List what became of an operation's sagas",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.OutcomeList{}}, errors: []int{http.StatusNotFound},
	}, a.outcomes)
	for change, summary := range map[orchestrator.OperationChange]string{
		orchestrator.OperationPause: "Begin no further saga of an operation", orchestrator.OperationResume: "Go on with an operation",
		orchestrator.OperationCancel: "End an operation; what is not done stays as it is",
	} {
		register(a, route{
			id: string(change) + "-operation", method: http.MethodPost, path: "/v1/operations/{id}/" + string(change), tag: "operate", summary: summary,
			permission: PermitBulk, body: client.ReasonRequest{}, answers: map[int]any{http.StatusOK: client.Operation{}},
			errors: []int{http.StatusNotFound, http.StatusConflict},
		}, func(ctx context.Context, in *changeOperationInput) (*answer, error) {
			return a.changeOperation(ctx, change, in)
		})
	}
}

func (a *API) startOperation(ctx context.Context, in *startOperationInput) (*answer, error) {
	body, err := readBody[client.OperationRequest](a, in.RawBody)
	if err != nil {
		return nil, err
	}
	if err := a.checkBody(body, in.RawBody); err != nil {
		return nil, err
	}
	who := requestOf(ctx)
	if want := permissionFor(saga.Action(body.Action), len(body.Payload) > 0); !who.principal.May(want) {
		return nil, forbidden(want)
	}
	req, err := operationRequest(&body)
	if err != nil {
		return nil, err
	}
	if body.DryRun {
		found, err := a.cfg.Engine.RehearseOperation(ctx, who.principal.Tenant, req, who.principal.Name)
		if err != nil {
			return nil, err
		}
		return &answer{status: http.StatusOK, body: renderRehearsal(&found)}, nil
	}
	op, created, err := a.cfg.Engine.StartOperation(ctx, who.principal.Tenant, req, who.principal.Name, who.id, in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	out := &answer{status: http.StatusCreated, body: renderOperation(&op, time.Now())}
	if !created {
		out.with("Idempotency-Replayed", "true")
	}
	return out.with("Location", fmt.Sprintf("/v1/operations/%d", op.ID)), nil
}

func operationRequest(body *client.OperationRequest) (req orchestrator.OperationRequest, err error) {
	var fields []client.FieldError
	f := &body.Filter
	req = orchestrator.OperationRequest{
		Action: saga.Action(body.Action), Step: body.Step, Output: body.Output, Payload: body.Payload, Version: body.Version,
		Reason: strings.TrimSpace(body.Reason), Rate: body.Rate,
		Filter: orchestrator.OperationFilter{
			Saga: f.Saga, Version: f.Version, Verdict: saga.Verdict(f.Verdict), Attention: f.Attention, BlockedOn: saga.Cause(f.BlockedOn),
			Participant: f.Participant, Key: f.Key, Labels: f.Labels,
		},
	}
	for i, s := range f.Status {
		if !slices.Contains(saga.Statuses(), saga.Status(s)) {
			fields = append(fields, client.FieldError{Path: fmt.Sprintf("body.filter.status[%d]", i), Message: fmt.Sprintf("%q is no status: want one of %v", s, saga.Statuses())})
		}
		req.Filter.Statuses = append(req.Filter.Statuses, saga.Status(s))
	}
	for i, text := range f.IDs {
		id, err := saga.ParseID(text)
		if err != nil {
			fields = append(fields, client.FieldError{Path: fmt.Sprintf("body.filter.ids[%d]", i), Message: err.Error()})
		}
		req.Filter.IDs = append(req.Filter.IDs, id)
	}
	if f.CreatedAfter != nil {
		req.Filter.CreatedAfter = *f.CreatedAfter
	}
	if f.CreatedBefore != nil {
		req.Filter.CreatedBefore = *f.CreatedBefore
	}
	if len(body.Output) > saga.MaxReplyBytes || len(body.Payload) > saga.MaxReplyBytes {
		return req, newProblem(http.StatusRequestEntityTooLarge, codeTooLarge, "an output or payload is larger than 256 KiB")
	}
	if len(fields) > 0 {
		return req, invalid(fields...)
	}
	return req, nil
}

func (a *API) listOperations(ctx context.Context, in *listOperationsInput) (*answer, error) {
	rows, err := a.cfg.Engine.ListOperations(ctx, requestOf(ctx).principal.Tenant, in.before, in.Limit)
	if err != nil {
		return nil, fmt.Errorf("list operations: %w", err)
	}
	out := client.OperationList{Items: make([]client.Operation, len(rows))}
	for i := range rows {
		out.Items[i] = renderOperation(&rows[i], time.Now())
	}
	if len(rows) == in.Limit {
		out.NextCursor = numberCursor(cursorOperations, "", rows[len(rows)-1].ID)
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

func (a *API) operation(ctx context.Context, in *operationInput) (*answer, error) {
	op, err := a.cfg.Engine.Operation(ctx, requestOf(ctx).principal.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, body: renderOperation(&op, time.Now())}, nil
}

func (a *API) outcomes(ctx context.Context, in *outcomesInput) (*answer, error) {
	rows, err := a.cfg.Engine.Outcomes(ctx, orchestrator.OutcomeQuery{
		Tenant: requestOf(ctx).principal.Tenant, Operation: in.ID, Kind: orchestrator.OutcomeKind(in.Outcome), After: in.after, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	out := client.OutcomeList{Items: make([]client.Outcome, len(rows))}
	for i := range rows {
		out.Items[i] = renderOutcome(&rows[i])
	}
	if len(rows) == in.Limit {
		out.NextCursor = idCursor(in.scope(), rows[len(rows)-1].Saga)
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

func (a *API) changeOperation(ctx context.Context, change orchestrator.OperationChange, in *changeOperationInput) (*answer, error) {
	body, err := readBody[client.ReasonRequest](a, in.RawBody)
	if err != nil {
		return nil, err
	}
	if err := a.checkBody(body, in.RawBody); err != nil {
		return nil, err
	}
	who := requestOf(ctx)
	op, err := a.cfg.Engine.ChangeOperation(ctx, who.principal.Tenant, in.ID, change, who.principal.Name, body.Reason, who.id)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, body: renderOperation(&op, time.Now())}, nil
}
