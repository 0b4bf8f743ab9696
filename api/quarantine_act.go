package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

type quarantineActInput struct {
	rawBody
	ID             int64  `path:"id" minimum:"1"`
	DryRun         bool   `query:"dry_run" doc:"Answer what would come of it; store nothing"`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Kept for 7 days; a replay answers the same"`
}

type quarantineManyInput struct {
	rawBody
	DryRun         bool   `query:"dry_run" doc:"Answer what would come of each by itself; store nothing"`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"200" doc:"Kept for 7 days; a replay is about the same records, and does what was left undone"`
}

// quarantineManyLimit is how many records an action handles that does not say.
const quarantineManyLimit = 100

func (a *API) registerQuarantineActions() {
	for action, summary := range map[orchestrator.QuarantineAction][2]string{
		orchestrator.QuarantineRedrive: {"Judge a quarantined record again, as if it had been read now", "Judge the waiting records of a filter again"},
		orchestrator.QuarantineDiscard: {"Settle a quarantined record without judging it", "Settle the waiting records of a filter without judging them"},
	} {
		register(a, route{
			id: string(action) + "-quarantined", method: http.MethodPost, path: "/v1/quarantine/{id}/" + string(action), tag: "operate",
			summary: summary[0],
			description: "A record that can still not be applied stays, with its cause as it is now: the outcome `quarantined_again`. " +
				"409 `not_waiting`, `not_kept`, `token_unproven` (see `vouch`) and `other_tenant` say what would be possible instead.",
			permission: PermitOperate, body: client.QuarantineRequest{}, answers: map[int]any{http.StatusOK: client.QuarantineResult{}},
			headers: []string{"Idempotency-Replayed"}, errors: []int{http.StatusNotFound, http.StatusConflict},
		}, func(ctx context.Context, in *quarantineActInput) (*answer, error) {
			return a.actQuarantined(ctx, action, in)
		})
		register(a, route{
			id: string(action) + "-quarantine", method: http.MethodPost, path: "/v1/quarantine:" + string(action), tag: "operate",
			summary: summary[1], description: "Oldest first, each in a transaction of its own with its audit row, and with an outcome or an error of its own.",
			permission: PermitBulk, body: client.QuarantineManyRequest{}, answers: map[int]any{http.StatusOK: client.QuarantineMany{}},
			headers: []string{"Idempotency-Replayed"}, limit: time.Minute,
		}, func(ctx context.Context, in *quarantineManyInput) (*answer, error) {
			return a.actQuarantine(ctx, action, in)
		})
	}
}

// checkVouch refuses a wish to vouch that means nothing, or is not allowed.
func checkVouch(ctx context.Context, action orchestrator.QuarantineAction, vouch bool) error {
	switch {
	case !vouch:
		return nil
	case action != orchestrator.QuarantineRedrive:
		return invalid(client.FieldError{Path: "body.vouch", Message: string(action) + " needs nobody to vouch"})
	case !requestOf(ctx).principal.May(PermitVouch):
		return newProblem(http.StatusForbidden, codeForbidden, `to vouch for a record needs the permission "vouch"`)
	}
	return nil
}

func (a *API) actQuarantined(ctx context.Context, action orchestrator.QuarantineAction, in *quarantineActInput) (*answer, error) {
	body, err := readBody[client.QuarantineRequest](a, in.RawBody)
	if err != nil {
		return nil, err
	}
	if err := a.checkBody(body, in.RawBody); err != nil {
		return nil, err
	}
	if err := checkVouch(ctx, action, body.Vouch); err != nil {
		return nil, err
	}
	who := requestOf(ctx)
	req := orchestrator.QuarantineRequest{
		Tenant: who.principal.Tenant, ID: in.ID, Action: action, Reason: strings.TrimSpace(body.Reason), Vouch: body.Vouch,
		By: who.principal.Name, RequestID: who.id, IdempotencyKey: in.IdempotencyKey,
	}
	if in.DryRun {
		result, decision, err := a.cfg.Engine.RehearseQuarantined(ctx, req)
		if err != nil {
			return nil, err
		}
		out := renderQuarantineResult(&result)
		if decision != nil {
			if out.Preview, err = a.preview(ctx, decision); err != nil {
				return nil, err
			}
		}
		return &answer{status: http.StatusOK, body: out}, nil
	}
	result, err := a.cfg.Engine.HandleQuarantined(ctx, req)
	if err != nil {
		return nil, err
	}
	out := &answer{status: http.StatusOK, body: renderQuarantineResult(&result)}
	if result.Replayed {
		out.with("Idempotency-Replayed", "true")
	}
	return out, nil
}

func (a *API) actQuarantine(ctx context.Context, action orchestrator.QuarantineAction, in *quarantineManyInput) (*answer, error) {
	req, err := a.readQuarantineMany(ctx, action, in)
	if err != nil {
		return nil, err
	}
	many, err := a.cfg.Engine.HandleManyQuarantined(ctx, req)
	if err != nil {
		return nil, err
	}
	body := client.QuarantineMany{Items: make([]client.QuarantineEach, len(many.Each)), Counts: map[string]int{}, More: many.More}
	for i := range many.Each {
		each := &many.Each[i]
		body.Items[i].ID = each.ID
		if each.Err != nil {
			p := problemOf(each.Err)
			body.Items[i].Error = &client.QuarantineError{Code: p.Code, Detail: p.Detail, Retryable: p.Retryable, Possible: p.Possible}
			body.Counts["error"]++
			continue
		}
		result := renderQuarantineResult(&each.Result)
		body.Items[i].Result = &result
		body.Counts[string(result.Outcome)]++
	}
	out := &answer{status: http.StatusOK, body: body}
	if many.Replayed {
		out.with("Idempotency-Replayed", "true")
	}
	return out, nil
}

func (a *API) readQuarantineMany(ctx context.Context, action orchestrator.QuarantineAction, in *quarantineManyInput) (req orchestrator.QuarantineManyRequest, err error) {
	body, err := readBody[client.QuarantineManyRequest](a, in.RawBody)
	if err != nil {
		return req, err
	}
	if err := a.checkBody(body, in.RawBody); err != nil {
		return req, err
	}
	if err := checkVouch(ctx, action, body.Vouch); err != nil {
		return req, err
	}
	f := body.Filter
	if picks := f.Fingerprint+f.Reason+f.Topic+f.SagaID != ""; picks == f.All {
		return req, invalid(client.FieldError{Path: "body.filter", Message: "want at least one of fingerprint, reason, topic and saga, or all alone"})
	}
	who := requestOf(ctx)
	req = orchestrator.QuarantineManyRequest{
		Filter: orchestrator.QuarantineQuery{Tenant: who.principal.Tenant, Fingerprint: f.Fingerprint, Reason: f.Reason, Topic: f.Topic},
		Limit:  body.Limit, Action: action, Reason: strings.TrimSpace(body.Reason), Vouch: body.Vouch, By: who.principal.Name,
		RequestID: who.id, IdempotencyKey: in.IdempotencyKey, DryRun: in.DryRun,
	}
	if req.Limit == 0 {
		req.Limit = quarantineManyLimit
	}
	if f.SagaID != "" {
		if req.Filter.Saga, err = saga.ParseID(f.SagaID); err != nil {
			return req, invalid(client.FieldError{Path: "body.filter.saga", Message: "want a saga's id"})
		}
	}
	return req, nil
}

func renderQuarantineResult(r *orchestrator.QuarantineResult) client.QuarantineResult {
	out := client.QuarantineResult{
		ID: r.ID, State: client.QuarantineState(r.State), Outcome: client.QuarantineOutcome(r.Outcome), Why: r.Why,
		Revision: r.Revision, Vouched: r.Vouched,
	}
	if !r.Saga.IsZero() {
		out.SagaID = r.Saga.String()
	}
	if r.Cause != nil {
		out.Cause = &client.QuarantineCause{Reason: r.Cause.Reason, Message: r.Cause.Message}
	}
	return out
}
