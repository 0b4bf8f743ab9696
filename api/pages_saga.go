package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/sagapage"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

var _ sagapage.Source = pageBackend{}

// rehearsals is how often a rehearsal begins again where the saga moves under it.
const rehearsals = 3

// look is what Look asks of the handler.
type look struct {
	SagaPath
	facts int
}

// Look reads a saga, its graph, its newest facts and what can be done with it, of one moment.
func (p pageBackend) Look(ctx context.Context, id string, facts int) (sagapage.Look, error) {
	path, err := sagaPath(id)
	if err != nil {
		return sagapage.Look{}, clientError(ctx, err)
	}
	return ask[sagapage.Look](ctx, PermitRead, &look{path, facts}, p.api.look)
}

func (a *API) look(ctx context.Context, in *look) (*answer, error) {
	view, err := a.view(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	def, err := a.definition(ctx, &view.Instance)
	if err != nil {
		return nil, err
	}
	blocked, err := a.blocked(ctx, &view)
	if err != nil {
		return nil, err
	}
	out := sagapage.Look{Total: view.Instance.Seq, Graph: renderGraph(def, &view.Instance, blocked)}
	if out.Saga, err = a.renderView(ctx, &view, groupPatience); err != nil {
		return nil, err
	}
	if out.Facts, err = a.facts(ctx, def, &view.Instance, max(0, view.Instance.Seq-int64(in.facts)), in.facts); err != nil {
		return nil, err
	}
	if out.Possible, err = a.choices(ctx, &view); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

// choices are what whoever asks could do with the saga.
func (a *API) choices(ctx context.Context, view *orchestrator.View) ([]sagapage.Choice, error) {
	if !requestOf(ctx).principal.May(PermitOperate) {
		return nil, nil
	}
	possible, err := a.cfg.Engine.Possible(ctx, *view)
	if err != nil {
		return nil, fmt.Errorf("what can be done with saga %s: %w", view.Instance.ID, err)
	}
	var out []sagapage.Choice
	for _, c := range possible {
		if requestOf(ctx).principal.May(permissionFor(c.Action, false)) {
			out = append(out, sagapage.Choice{Action: client.Action(c.Action), Step: c.Step})
		}
	}
	return out, nil
}

// Facts lists the newest facts before a number, oldest first.
func (p pageBackend) Facts(ctx context.Context, id string, before int64, limit int) ([]client.Fact, error) {
	path, err := sagaPath(id)
	if err != nil {
		return nil, clientError(ctx, err)
	}
	return ask[[]client.Fact](ctx, PermitRead, &path, func(ctx context.Context, in *SagaPath) (*answer, error) {
		view, err := p.api.view(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		def, err := p.api.definition(ctx, &view.Instance)
		if err != nil {
			return nil, err
		}
		if before <= 0 || before > view.Instance.Seq {
			before = view.Instance.Seq + 1
		}
		after := max(0, before-1-int64(limit))
		facts, err := p.api.facts(ctx, def, &view.Instance, after, min(limit, int(before-1-after)))
		if err != nil {
			return nil, err
		}
		return &answer{status: http.StatusOK, body: facts}, nil
	})
}

// RehearseWish answers what a wish would come to, and the revision that it was said of.
func (p pageBackend) RehearseWish(ctx context.Context, id string, wish sagapage.Wish) (sagapage.Rehearsal, error) {
	path, err := sagaPath(id)
	if err != nil {
		return sagapage.Rehearsal{}, clientError(ctx, err)
	}
	for range rehearsals {
		view, readErr := p.api.view(ctx, path.ID)
		if readErr != nil {
			return sagapage.Rehearsal{}, clientError(ctx, readErr)
		}
		out := sagapage.Rehearsal{Revision: view.Instance.Revision}
		if out.Preview, err = doWish[client.Preview](ctx, p, path, wish, out.Revision, "", true); err == nil {
			return out, nil
		}
		if known := new(client.Error); !errors.As(err, &known) || known.Status != http.StatusPreconditionFailed {
			break
		}
	}
	return sagapage.Rehearsal{}, err
}

// ActOnWish does it if the saga still has the revision.
func (p pageBackend) ActOnWish(ctx context.Context, id string, wish sagapage.Wish, revision int64, idempotencyKey string) (client.Acted, error) {
	path, err := sagaPath(id)
	if err != nil {
		return client.Acted{}, clientError(ctx, err)
	}
	return doWish[client.Acted](ctx, p, path, wish, revision, idempotencyKey, false)
}

// doWish is a wish as its route would get it.
func doWish[Out any](ctx context.Context, p pageBackend, path SagaPath, wish sagapage.Wish, revision int64, idempotencyKey string, dry bool) (Out, error) {
	in := func(raw rawBody) *actInput {
		return &actInput{rawBody: raw, SagaPath: path, DryRun: dry, IfMatch: client.ETag(revision), IdempotencyKey: idempotencyKey}
	}
	if wish.Action == sagapage.ActionRebind {
		return send[Out](ctx, PermitOperate, client.RebindRequest{Version: wish.Version, Reason: wish.Reason}, in, p.api.rebind)
	}
	req := client.ActRequest{Step: wish.Step, Output: wish.Output, Payload: wish.Payload, Reason: wish.Reason}
	return send[Out](ctx, actPermission(wish.Action), req, in, func(ctx context.Context, in *actInput) (*answer, error) {
		return p.api.act(ctx, saga.Action(wish.Action), in)
	})
}
