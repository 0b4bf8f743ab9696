package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func (a *API) registerRebind() {
	register(a, route{
		id: "rebind-saga", method: http.MethodPost, path: "/v1/sagas/{id}/rebind", tag: "operate",
		summary: "Go on by another version of the saga's definition",
		description: "The version has the same steps, kinds and edges, and the same commands; expressions, schemas and policies may differ. " +
			"409 `does_not_fit` names every difference. With `dry_run=true` the answer is a Preview.",
		permission: PermitOperate, body: client.RebindRequest{}, answers: map[int]any{http.StatusOK: client.Acted{}},
		headers: []string{"ETag", "Idempotency-Replayed"},
		errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed},
	}, a.rebind)
}

func (a *API) rebind(ctx context.Context, in *actInput) (*answer, error) {
	body, err := readBody[client.RebindRequest](a, in.RawBody)
	if err != nil {
		return nil, err
	}
	if err := a.checkBody(body, in.RawBody); err != nil {
		return nil, err
	}
	if strings.TrimSpace(body.Reason) == "" {
		return nil, invalid(client.FieldError{Path: "body.reason", Message: "want a reason"})
	}
	who := requestOf(ctx)
	return a.carryOut(ctx, in.DryRun, orchestrator.ActRequest{
		Tenant: who.principal.Tenant, ID: in.ID, IfRevision: in.revision, RequestID: who.id, IdempotencyKey: in.IdempotencyKey,
		Act: saga.Acted{Action: saga.ActionRebind, Version: body.Version, Reason: body.Reason, By: who.principal.Name},
	})
}
