package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
)

type putLimitInput struct {
	Scope string `path:"scope" enum:"saga_type,participant"`
	Name  string `path:"name" minLength:"1" maxLength:"63" doc:"Of the definition or the participant"`
	rawBody
}

type removeLimitInput struct {
	Scope  string `path:"scope" enum:"saga_type,participant"`
	Name   string `path:"name" minLength:"1" maxLength:"63" doc:"Of the definition or the participant"`
	Reason string `query:"reason" required:"true" minLength:"1" maxLength:"1000" doc:"Kept in the audit"`
}

func (a *API) registerLimits() {
	register(a, route{
		id: "list-limits", method: http.MethodGet, path: "/v1/limits", tag: "operate",
		summary:    "List the limits on what goes on at once, and how far each is",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.LimitList{}},
	}, a.listLimits)
	register(a, route{
		id: "set-limit", method: http.MethodPut, path: "/v1/limits/{scope}/{name}", tag: "operate",
		summary: "Bound the live sagas or the commands of a definition, or the commands of a participant",
		description: "What finds no room is held, not refused, the oldest first, and goes on when there is room. Only a step's first command waits: retries " +
			"and compensations do not. Every replica knows within about a second. Replaces the limit that is there.",
		permission: PermitOperate, body: client.LimitRequest{}, answers: map[int]any{http.StatusOK: client.Limit{}},
	}, a.putLimit)
	register(a, route{
		id: "remove-limit", method: http.MethodDelete, path: "/v1/limits/{scope}/{name}", tag: "operate", summary: "Take a limit away; what waited for it goes on",
		permission: PermitOperate, answers: map[int]any{http.StatusNoContent: nil}, errors: []int{http.StatusNotFound},
	}, a.removeLimit)
}

func (a *API) listLimits(ctx context.Context, _ *struct{}) (*answer, error) {
	uses, err := a.cfg.Engine.Limits(ctx, requestOf(ctx).principal.Tenant)
	if err != nil {
		return nil, err
	}
	out := client.LimitList{Items: make([]client.Limit, len(uses))}
	for i := range uses {
		out.Items[i] = renderLimit(&uses[i])
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

func (a *API) putLimit(ctx context.Context, in *putLimitInput) (*answer, error) {
	body, err := readBody[client.LimitRequest](a, in.RawBody)
	if err != nil {
		return nil, err
	}
	if err := a.checkBody(body, in.RawBody); err != nil {
		return nil, err
	}
	who := requestOf(ctx)
	l := orchestrator.Limit{
		Tenant: who.principal.Tenant, Scope: orchestrator.HoldScope(in.Scope), Name: in.Name, Sagas: body.Sagas, Commands: body.Commands,
		Reason: strings.TrimSpace(body.Reason), By: who.principal.Name,
	}
	if err := a.cfg.Engine.PutLimit(ctx, l, who.id); err != nil {
		return nil, err
	}
	uses, err := a.cfg.Engine.Limits(ctx, l.Tenant)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(uses, func(u orchestrator.LimitUse) bool { return u.Scope == l.Scope && u.Name == l.Name })
	if i < 0 { // somebody has taken it away since
		return &answer{status: http.StatusOK, body: renderLimit(&orchestrator.LimitUse{Limit: l})}, nil
	}
	return &answer{status: http.StatusOK, body: renderLimit(&uses[i])}, nil
}

func (a *API) removeLimit(ctx context.Context, in *removeLimitInput) (*answer, error) {
	who := requestOf(ctx)
	l := orchestrator.Limit{
		Tenant: who.principal.Tenant, Scope: orchestrator.HoldScope(in.Scope), Name: in.Name, Reason: in.Reason, By: who.principal.Name,
	}
	if err := a.cfg.Engine.RemoveLimit(ctx, l, who.id); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusNoContent}, nil
}

func renderLimit(u *orchestrator.LimitUse) client.Limit {
	return client.Limit{
		Scope: client.HoldScope(u.Scope), Name: u.Name, Sagas: u.Sagas, Commands: u.Commands, Reason: u.Reason, By: u.By, Since: u.At.UTC(),
		Begun: u.Begun, Out: u.Out, Waiting: u.Waiting,
	}
}
