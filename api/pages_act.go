package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func (p pageBackend) Start(ctx context.Context, req client.StartRequest, idempotencyKey string) (string, error) {
	raw, err := sealed(req)
	if err != nil {
		return "", clientError(ctx, err)
	}
	out, err := call(ctx, PermitStart, &startInput{rawBody: raw, IdempotencyKey: idempotencyKey}, p.api.start)
	if err != nil {
		return "", clientError(ctx, err)
	}
	if whole, ok := out.body.(client.Saga); ok {
		return whole.ID, nil
	}
	return out.body.(client.Started).ID, nil
}

// actOn is the input of an action on one saga.
func (p pageBackend) actOn(ctx context.Context, id string, action client.Action, body rawBody) (*actInput, error) {
	if !slices.Contains(saga.Actions(), saga.Action(action)) {
		return nil, newProblem(http.StatusNotFound, codeNotFound, "there is no such action")
	}
	path, err := sagaPath(id)
	if err != nil {
		return nil, err
	}
	if want := actPermission(action); !requestOf(ctx).principal.May(want) {
		return nil, forbidden(want)
	}
	return &actInput{rawBody: body, SagaPath: path}, nil
}

func (p pageBackend) Rehearse(ctx context.Context, id string, action client.Action, req client.ActRequest) (client.Preview, error) {
	raw, err := sealed(req)
	if err != nil {
		return client.Preview{}, clientError(ctx, err)
	}
	in, err := p.actOn(ctx, id, action, raw)
	if err != nil {
		return client.Preview{}, clientError(ctx, err)
	}
	in.DryRun = true
	return ask[client.Preview](ctx, actPermission(action), in, func(ctx context.Context, in *actInput) (*answer, error) {
		return p.api.act(ctx, saga.Action(action), in)
	})
}

func (p pageBackend) Act(ctx context.Context, id string, action client.Action, req client.ActRequest, revision int64, idempotencyKey string) (client.Acted, error) {
	raw, err := sealed(req)
	if err != nil {
		return client.Acted{}, clientError(ctx, err)
	}
	in, err := p.actOn(ctx, id, action, raw)
	if err != nil {
		return client.Acted{}, clientError(ctx, err)
	}
	in.IdempotencyKey = idempotencyKey
	if revision > 0 {
		in.IfMatch = client.ETag(revision)
	}
	return ask[client.Acted](ctx, actPermission(action), in, func(ctx context.Context, in *actInput) (*answer, error) {
		return p.api.act(ctx, saga.Action(action), in)
	})
}

func (p pageBackend) SetDefinition(ctx context.Context, name string, version int, activate bool, reason string) error {
	state := orchestrator.DefinitionRetired
	if activate {
		state = orchestrator.DefinitionActive
	}
	_, err := send[client.Definition](ctx, PermitDeploy, client.ReasonRequest{Reason: reason}, func(raw rawBody) *setDefinitionInput {
		return &setDefinitionInput{rawBody: raw, VersionPath: *versionPath(name, version)}
	}, func(ctx context.Context, in *setDefinitionInput) (*answer, error) {
		return p.api.setDefinition(ctx, state, in)
	})
	return err
}

func (p pageBackend) PutHold(ctx context.Context, req client.HoldRequest) (client.Hold, error) {
	return send[client.Hold](ctx, PermitOperate, req, func(raw rawBody) *putHoldInput { return &putHoldInput{raw} }, p.api.putHold)
}

func (p pageBackend) PutLimit(ctx context.Context, scope client.HoldScope, name string, req client.LimitRequest) (client.Limit, error) {
	if err := limitTarget(scope, name); err != nil {
		return client.Limit{}, clientError(ctx, err)
	}
	return send[client.Limit](ctx, PermitOperate, req, func(raw rawBody) *putLimitInput {
		return &putLimitInput{Scope: string(scope), Name: name, rawBody: raw}
	}, p.api.putLimit)
}

func (p pageBackend) RemoveLimit(ctx context.Context, scope client.HoldScope, name, reason string) error {
	err := limitTarget(scope, name)
	if err == nil && (reason == "" || len(reason) > 1000) {
		err = invalid(client.FieldError{Path: "reason", Message: "want a reason of at most 1000 bytes"})
	}
	if err == nil {
		_, err = call(ctx, PermitOperate, &removeLimitInput{Scope: string(scope), Name: name, Reason: reason}, p.api.removeLimit)
	}
	if err != nil {
		return clientError(ctx, err)
	}
	return nil
}

// limitTarget checks what the routes of the API check by their parameters.
func limitTarget(scope client.HoldScope, name string) error {
	var wrong []client.FieldError
	if scope != client.HoldParticipant && scope != client.HoldSagaType {
		wrong = append(wrong, client.FieldError{Path: "scope", Message: "want participant or saga_type"})
	}
	if name == "" || len(name) > 63 {
		wrong = append(wrong, client.FieldError{Path: "name", Message: "want a name of at most 63 bytes"})
	}
	if wrong != nil {
		return invalid(wrong...)
	}
	return nil
}

func (p pageBackend) EndHold(ctx context.Context, id int64, reason string, rate int) error {
	if reason == "" || len(reason) > 1000 || rate < 0 || rate > 100_000 {
		return clientError(ctx, invalid(client.FieldError{Path: "reason", Message: "want a reason of at most 1000 bytes, and a rate from 0 to 100000"}))
	}
	if _, err := call(ctx, PermitOperate, &endHoldInput{ID: id, Reason: reason, Rate: rate}, p.api.endHold); err != nil {
		return clientError(ctx, err)
	}
	return nil
}

func (p pageBackend) RehearseOperation(ctx context.Context, req client.OperationRequest) (client.OperationPreview, error) {
	req.DryRun = true
	return send[client.OperationPreview](ctx, PermitBulk, req, func(raw rawBody) *startOperationInput {
		return &startOperationInput{rawBody: raw}
	}, p.api.startOperation)
}

func (p pageBackend) StartOperation(ctx context.Context, req client.OperationRequest, idempotencyKey string) (client.Operation, error) {
	return send[client.Operation](ctx, PermitBulk, req, func(raw rawBody) *startOperationInput {
		return &startOperationInput{rawBody: raw, IdempotencyKey: idempotencyKey}
	}, p.api.startOperation)
}

func (p pageBackend) ChangeOperation(ctx context.Context, id int64, change, reason string) error {
	_, err := send[client.Operation](ctx, PermitBulk, client.ReasonRequest{Reason: reason}, func(raw rawBody) *changeOperationInput {
		return &changeOperationInput{rawBody: raw, OperationPath: OperationPath{id}}
	}, func(ctx context.Context, in *changeOperationInput) (*answer, error) {
		return p.api.changeOperation(ctx, orchestrator.OperationChange(change), in)
	})
	return err
}

func (p pageBackend) HandleQuarantined(ctx context.Context, id int64, action client.QuarantineAction, req client.QuarantineRequest, dry bool, idempotencyKey string) (client.QuarantineResult, error) {
	return send[client.QuarantineResult](ctx, PermitOperate, req, func(raw rawBody) *quarantineActInput {
		return &quarantineActInput{rawBody: raw, ID: id, DryRun: dry, IdempotencyKey: idempotencyKey}
	}, func(ctx context.Context, in *quarantineActInput) (*answer, error) {
		return p.api.actQuarantined(ctx, orchestrator.QuarantineAction(action), in)
	})
}

func (p pageBackend) HandleManyQuarantined(ctx context.Context, action client.QuarantineAction, req client.QuarantineManyRequest, dry bool, idempotencyKey string) (client.QuarantineMany, error) {
	return send[client.QuarantineMany](ctx, PermitBulk, req, func(raw rawBody) *quarantineManyInput {
		return &quarantineManyInput{rawBody: raw, DryRun: dry, IdempotencyKey: idempotencyKey}
	}, func(ctx context.Context, in *quarantineManyInput) (*answer, error) {
		return p.api.actQuarantine(ctx, orchestrator.QuarantineAction(action), in)
	})
}
