package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
)

type putHoldInput struct{ rawBody }

type endHoldInput struct {
	ID     int64  `path:"id" minimum:"1"`
	Reason string `query:"reason" required:"true" minLength:"1" maxLength:"1000" doc:"Kept in the audit"`
	Rate   int    `query:"rate" minimum:"0" maximum:"100000" doc:"How many held sagas are let go a second; absent or 0: all at once"`
}

type readHoldInput struct {
	ID int64 `path:"id" minimum:"1"`
}

func (a *API) registerHolds() {
	register(a, route{
		id: "list-holds", method: http.MethodGet, path: "/v1/holds", tag: "operate", summary: "List the holds in force, oldest first",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.HoldList{}},
	}, a.listHolds)
	register(a, route{
		id: "get-hold", method: http.MethodGet, path: "/v1/holds/{id}", tag: "operate",
		summary:     "One hold: what waits for it, what is still in flight, and when it became quiet",
		description: "A hold that has ended is answered too. Counts are of the tenant's sagas, and a lower bound where exact is false.",
		permission:  PermitRead, answers: map[int]any{http.StatusOK: client.HoldStatus{}}, errors: []int{http.StatusNotFound},
	}, a.getHold)
	register(a, route{
		id: "set-hold", method: http.MethodPost, path: "/v1/holds", tag: "operate",
		summary: "Hold a definition, a participant, the tenant or everything",
		description: "No command is created under a hold, and timeouts, back-offs and deadlines stand still; replies are applied. " +
			"200 with the hold that is there when one of the same scope, name and version is in force already. Scope all takes an admin of tenant default.",
		permission: PermitOperate, body: client.HoldRequest{},
		answers: map[int]any{http.StatusOK: client.Hold{}, http.StatusCreated: client.Hold{}}, headers: []string{"Location"},
	}, a.putHold)
	register(a, route{
		id: "end-hold", method: http.MethodDelete, path: "/v1/holds/{id}", tag: "operate", summary: "End a hold; what it stopped goes on",
		description: "With a rate, sagas are let go one after the other. A hold that lets sagas go already lets the rest go at once. " +
			"A breaker can be ended too; it stays off for a while then.",
		permission: PermitOperate, answers: map[int]any{http.StatusNoContent: nil}, errors: []int{http.StatusNotFound},
	}, a.endHold)
}

func (a *API) listHolds(ctx context.Context, _ *struct{}) (*answer, error) {
	rows, err := a.cfg.Engine.Holds(ctx, requestOf(ctx).principal.Tenant)
	if err != nil {
		return nil, err
	}
	out := client.HoldList{Items: make([]client.Hold, len(rows))}
	for i := range rows {
		out.Items[i] = renderHold(&rows[i])
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

func (a *API) putHold(ctx context.Context, in *putHoldInput) (*answer, error) {
	body, err := readBody[client.HoldRequest](a, in.RawBody)
	if err != nil {
		return nil, err
	}
	if err := a.checkBody(body, in.RawBody); err != nil {
		return nil, err
	}
	who := requestOf(ctx)
	if body.Scope == client.HoldAll && !who.principal.mayTouchAll() {
		return nil, newProblem(http.StatusForbidden, codeForbidden, "a hold on all tenants takes an admin of tenant "+TenantDefault)
	}
	row, set, err := a.cfg.Engine.PutHold(ctx, orchestrator.Hold{
		Tenant: who.principal.Tenant, Scope: orchestrator.HoldScope(body.Scope), Name: body.Name, Version: body.Version,
		Reason: strings.TrimSpace(body.Reason),
	}, who.principal.Name, who.id)
	if err != nil {
		return nil, err
	}
	out := &answer{status: http.StatusOK, body: renderHold(&row)}
	if set {
		out.status = http.StatusCreated
	}
	return out.with("Location", fmt.Sprintf("/v1/holds/%d", row.ID)), nil
}

func (a *API) endHold(ctx context.Context, in *endHoldInput) (*answer, error) {
	who := requestOf(ctx)
	release := orchestrator.Release{Rate: in.Rate, By: who.principal.Name, Reason: in.Reason, RequestID: who.id}
	if err := a.cfg.Engine.EndHold(ctx, who.principal.Tenant, in.ID, release); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusNoContent}, nil
}

func (a *API) getHold(ctx context.Context, in *readHoldInput) (*answer, error) {
	row, n, err := a.cfg.Engine.HoldStatus(ctx, requestOf(ctx).principal.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, body: client.HoldStatus{
		Hold: renderHold(&row), Held: n.Held, InFlight: n.InFlight, Exact: n.Exact, QuietSince: row.QuietAt.UTC(),
	}}, nil
}

func renderHold(row *orchestrator.HoldRow) client.Hold {
	return client.Hold{
		ID: row.ID, Scope: client.HoldScope(row.Scope), Name: row.Name, Version: row.Version,
		Reason: row.Reason, Since: row.From.UTC(), Kind: client.HoldKind(row.Kind), By: row.By, State: client.HoldState(row.State()),
		TriesFrom: row.TryFrom.UTC(), Until: row.Over().UTC(), Trips: row.Trips, EndedAt: row.To.UTC(), EndedBy: row.EndedBy,
	}
}
