package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/skaldhq/skald/api/apikey"
	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
)

type createKeyInput struct{ rawBody }

type rotateKeyInput struct {
	ID string `path:"id" pattern:"^[0-9a-f]{16}$"`
	rawBody
}

type revokeKeyInput struct {
	ID     string `path:"id" pattern:"^[0-9a-f]{16}$"`
	Reason string `query:"reason" required:"true" minLength:"1" maxLength:"1000" doc:"Kept in the audit"`
}

func (a *API) registerKeys() {
	register(a, route{
		id: "list-apikeys", method: http.MethodGet, path: "/v1/apikeys", tag: "access", summary: "List the tenant's API keys by name",
		description: "Revoked and expired ones too. Secrets can be read nowhere.",
		permission:  PermitAdmin, answers: map[int]any{http.StatusOK: client.APIKeyList{}},
	}, a.listKeys)
	register(a, route{
		id: "create-apikey", method: http.MethodPost, path: "/v1/apikeys", tag: "access", summary: "Make an API key of the tenant",
		description: "The key is in the answer, and nowhere else: an answer that was lost is a key to be revoked.",
		permission:  PermitAdmin, body: client.APIKeyRequest{}, answers: map[int]any{http.StatusCreated: client.NewAPIKey{}}, errors: []int{http.StatusConflict},
	}, a.createKey)
	register(a, route{
		id: "rotate-apikey", method: http.MethodPost, path: "/v1/apikeys/{id}/rotate", tag: "access", summary: "Give an API key a new secret",
		description: "The secret before stays good for the overlap.",
		permission:  PermitAdmin, body: client.APIKeyRotation{}, answers: map[int]any{http.StatusOK: client.NewAPIKey{}}, errors: []int{http.StatusNotFound},
	}, a.rotateKey)
	register(a, route{
		id: "revoke-apikey", method: http.MethodDelete, path: "/v1/apikeys/{id}", tag: "access", summary: "End an API key for good",
		description: "Replicas let it in for some seconds more, 5 at most.",
		permission:  PermitAdmin, answers: map[int]any{http.StatusNoContent: nil}, errors: []int{http.StatusNotFound},
	}, a.revokeKey)
}

// keyStore is where API keys are; a problem where they are turned off.
func (a *API) keyStore() (orchestrator.APIKeys, error) {
	if a.cfg.Keys == nil {
		return nil, newProblem(http.StatusServiceUnavailable, codeUnavailable, "API keys are turned off on this server")
	}
	return a.cfg.Keys, nil
}

// keysBy is who asks, for the audit of keys.
func keysBy(ctx context.Context) apikey.By {
	who := requestOf(ctx)
	return apikey.By{Actor: who.principal.Name, From: orchestrator.RemoteOf(ctx), RequestID: who.id}
}

func (a *API) listKeys(ctx context.Context, _ *struct{}) (*answer, error) {
	store, err := a.keyStore()
	if err != nil {
		return nil, err
	}
	rows, err := store.APIKeys(ctx, requestOf(ctx).principal.Tenant)
	if err != nil {
		return nil, err
	}
	out := client.APIKeyList{Items: make([]client.APIKey, len(rows))}
	for i := range rows {
		out.Items[i] = renderKey(&rows[i])
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

func (a *API) createKey(ctx context.Context, in *createKeyInput) (*answer, error) {
	store, err := a.keyStore()
	if err != nil {
		return nil, err
	}
	body, err := readBody[client.APIKeyRequest](a, in.RawBody)
	if err != nil {
		return nil, err
	}
	if err := a.checkBody(body, in.RawBody); err != nil {
		return nil, err
	}
	q := apikey.Request{
		Tenant: requestOf(ctx).principal.Tenant, Name: body.Name, Roles: body.Roles, ExpiresIn: time.Duration(body.ExpiresIn) * time.Second,
	}
	known := make([]string, len(Roles()))
	for i, role := range Roles() {
		known[i] = string(role)
	}
	if err := q.Check(known); err != nil {
		return nil, err
	}
	text, row, err := apikey.Create(ctx, store, q, keysBy(ctx))
	if errors.Is(err, apikey.ErrNameTaken) {
		return nil, newProblem(http.StatusConflict, codeKeyName, "a key of this name is in use: revoke it first, or rotate it")
	}
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusCreated, header: noStore(), body: client.NewAPIKey{APIKey: renderKey(&row), Key: text}}, nil
}

func (a *API) rotateKey(ctx context.Context, in *rotateKeyInput) (*answer, error) {
	body, err := readBody[client.APIKeyRotation](a, in.RawBody)
	if err != nil {
		return nil, err
	}
	if err := a.checkBody(body, in.RawBody); err != nil {
		return nil, err
	}
	store, row, err := a.ownKey(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	text, err := apikey.Rotate(ctx, store, row, time.Duration(body.Overlap)*time.Second, keysBy(ctx))
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, header: noStore(), body: client.NewAPIKey{APIKey: renderKey(&row), Key: text}}, nil
}

func (a *API) revokeKey(ctx context.Context, in *revokeKeyInput) (*answer, error) {
	store, row, err := a.ownKey(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := apikey.Revoke(ctx, store, row, keysBy(ctx), in.Reason); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusNoContent}, nil
}

// ownKey is a key of the caller's tenant.
func (a *API) ownKey(ctx context.Context, id string) (orchestrator.APIKeys, orchestrator.APIKey, error) {
	store, err := a.keyStore()
	if err != nil {
		return nil, orchestrator.APIKey{}, err
	}
	row, err := store.FindAPIKey(ctx, id)
	if err == nil && row.Tenant != requestOf(ctx).principal.Tenant {
		err = orchestrator.ErrNotFound
	}
	return store, row, err
}

// noStore keeps a secret out of caches.
func noStore() http.Header { return http.Header{"Cache-Control": {"no-store"}} }

func renderKey(row *orchestrator.APIKey) client.APIKey {
	return client.APIKey{
		ID: row.ID, Name: row.Name, Roles: row.Roles, State: row.State(time.Now()), CreatedAt: row.CreatedAt.UTC(), CreatedBy: row.CreatedBy,
		ExpiresAt: row.ExpiresAt, RevokedAt: row.RevokedAt, UsedAt: row.UsedAt,
	}
}
