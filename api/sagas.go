package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// SagaPath is the part of an input that names a saga. It is exported because huma looks into no other embedded field.
type SagaPath struct {
	ID saga.ID `path:"id" format:"uuid" doc:"The saga's id"`
}

type sagaInput struct {
	SagaPath
	IfNoneMatch string `header:"If-None-Match" doc:"Revisions already known, as ETags"`
}

func (a *API) registerSaga() {
	register(a, route{
		id: "get-saga", method: http.MethodGet, path: "/v1/sagas/{id}", tag: "sagas", summary: "Read one saga",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.Saga{}, http.StatusNotModified: nil},
		headers: []string{"ETag"}, errors: []int{http.StatusNotFound},
	}, a.saga)
}

func (a *API) saga(ctx context.Context, in *sagaInput) (*answer, error) {
	view, err := a.view(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	etag := client.ETag(view.Instance.Revision)
	if matches(in.IfNoneMatch, etag) {
		return (&answer{status: http.StatusNotModified}).with("ETag", etag), nil
	}
	s, err := a.renderView(ctx, &view, groupPatience)
	if err != nil {
		return nil, err
	}
	return (&answer{status: http.StatusOK, body: s}).with("ETag", etag), nil
}

// matches reports whether an If-None-Match names the ETag; weak ones count.
func matches(header, etag string) bool {
	for each := range strings.SplitSeq(header, ",") {
		each = strings.TrimSpace(each)
		if each == "*" || strings.TrimPrefix(each, "W/") == etag {
			return true
		}
	}
	return false
}

// view reads a saga of the principal's tenant.
func (a *API) view(ctx context.Context, id saga.ID) (orchestrator.View, error) {
	view, err := a.cfg.Engine.Reader().Saga(ctx, requestOf(ctx).principal.Tenant, id)
	if err != nil {
		return view, fmt.Errorf("read saga %s: %w", id, err)
	}
	return view, nil
}

func (a *API) readSaga(ctx context.Context, id saga.ID) (client.Saga, error) {
	view, err := a.view(ctx, id)
	if err != nil {
		return client.Saga{}, err
	}
	return a.renderView(ctx, &view, groupPatience)
}

// renderView is a saga as it is, and why it waits; patience is how long looks at participants' groups may take. With none, as in lists,
// nothing is looked up besides.
func (a *API) renderView(ctx context.Context, view *orchestrator.View, patience time.Duration) (client.Saga, error) {
	in := &view.Instance
	def, err := a.definition(ctx, in)
	if err != nil {
		return client.Saga{}, err
	}
	if patience > 0 {
		a.lookAtGroups(ctx, def, in, patience)
	}
	blocked, err := a.blocked(ctx, view)
	if err != nil {
		return client.Saga{}, err
	}
	out := renderSaga(def, in, blocked, seeing(requestOf(ctx).principal, def.Redact))
	a.addGroups(ctx, out.BlockedOn)
	if patience > 0 {
		out.Links = a.links(in.ID)
	}
	if patience > 0 && !in.Status.Terminal() {
		out.Quarantined, err = a.quarantinedOf(ctx, in)
	}
	return out, err
}

// quarantinedMost is how many records of one saga are named.
const quarantinedMost = 5

// quarantinedOf names the newest records that came for a saga, could not be applied, and wait for a person.
func (a *API) quarantinedOf(ctx context.Context, in *saga.Instance) ([]client.QuarantinedRecord, error) {
	entries, err := a.cfg.Engine.Reader().Quarantine(ctx, orchestrator.QuarantineQuery{
		Tenant: in.Tenant, Saga: in.ID, State: orchestrator.QuarantineWaiting, Limit: quarantinedMost,
	})
	if err != nil {
		return nil, fmt.Errorf("quarantined records of saga %s: %w", in.ID, err)
	}
	var out []client.QuarantinedRecord
	for i := range entries {
		out = append(out, client.QuarantinedRecord{ID: entries[i].ID, Reason: entries[i].Reason, At: entries[i].At})
	}
	return out, nil
}

// definition is the one that the saga runs on. That it cannot be had is no 404: the saga is there.
func (a *API) definition(ctx context.Context, in *saga.Instance) (*saga.Definition, error) {
	def, err := a.cfg.Engine.Definition(ctx, in.Tenant, in.Saga, in.Version)
	if err != nil {
		err = fmt.Errorf("definition of saga %s: %w", in.ID, err)
		if errors.Is(err, orchestrator.ErrUnknownSagaType) {
			return nil, newProblem(http.StatusInternalServerError, codeInternal, "the saga's definition cannot be read").because(err)
		}
		return nil, err
	}
	if len(def.Steps) != len(in.Steps) {
		return nil, newProblem(http.StatusInternalServerError, codeInternal, "the saga does not fit its definition").
			because(fmt.Errorf("saga %s has %d steps, its definition %d", in.ID, len(in.Steps), len(def.Steps)))
	}
	return def, nil
}

func (a *API) blocked(ctx context.Context, view *orchestrator.View) ([]saga.BlockedOn, error) {
	if view.Instance.Status.Terminal() {
		return nil, nil
	}
	blocked, err := a.cfg.Engine.Blocked(ctx, *view)
	if err != nil {
		return nil, fmt.Errorf("why saga %s waits: %w", view.Instance.ID, err)
	}
	return blocked, nil
}
