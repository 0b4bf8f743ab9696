package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// pageBackend is the dashboard's Backend: the routes' own handlers, called without HTTP. The principal is the one of the request's
// context; each call names the permission that its route has.
type pageBackend struct{ api *API }

var _ dashboard.Backend = pageBackend{}

// Viewer is who asks.
func (p pageBackend) Viewer(ctx context.Context) dashboard.Viewer {
	who := requestOf(ctx).principal
	roles := make([]string, len(who.Roles))
	for i, role := range who.Roles {
		roles[i] = string(role)
	}
	return dashboard.Viewer{
		Name: who.Name, Tenant: who.Tenant, Roles: roles, Session: who.Session, All: who.mayTouchAll(),
		May: func(permission string) bool { return who.May(Permission(permission)) },
	}
}

// ask calls a handler as its route would: the permission first, then what the input finds wrong with itself, then the handler, for
// no longer than a request may take. Its errors are *client.Error.
func ask[Out, In any](ctx context.Context, want Permission, in *In, handle func(context.Context, *In) (*answer, error)) (Out, error) {
	var zero Out
	out, err := call(ctx, want, in, handle)
	if err != nil {
		return zero, clientError(ctx, err)
	}
	body, ok := out.body.(Out)
	if !ok {
		return zero, clientError(ctx, fmt.Errorf("a handler answered %T, not %T", out.body, zero))
	}
	return body, nil
}

func call[In any](ctx context.Context, want Permission, in *In, handle func(context.Context, *In) (*answer, error)) (*answer, error) {
	if !requestOf(ctx).principal.May(want) {
		return nil, forbidden(want)
	}
	if r, ok := any(in).(huma.Resolver); ok {
		if errs := r.Resolve(nil); len(errs) > 0 {
			return nil, wrongInput(errs)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, handlerLimit)
	defer cancel()
	return handle(ctx, in)
}

func wrongInput(errs []error) *problem {
	p := invalid()
	for _, err := range errs {
		field := client.FieldError{Message: err.Error()}
		var detail *huma.ErrorDetail
		if errors.As(err, &detail) {
			field = client.FieldError{Path: detail.Location, Message: detail.Message}
		}
		p.Errors = append(p.Errors, field)
	}
	return p
}

// clientError is an error as the API would answer it.
func clientError(ctx context.Context, err error) error {
	p := problemOf(err)
	out := &client.Error{Problem: p.Problem, RetryAfter: p.retryAfter}
	out.RequestID = requestOf(ctx).id
	return &pageError{out, p.cause}
}

// pageError is what a page says of an error (problem), and what the log is told (err).
type pageError struct {
	problem *client.Error
	err     error // nil: no more than the problem
}

func (e *pageError) Error() string {
	if e.err == nil {
		return e.problem.Error()
	}
	return e.problem.Error() + ": " + e.err.Error()
}

// Unwrap gives both.
func (e *pageError) Unwrap() []error {
	if e.err == nil {
		return []error{e.problem}
	}
	return []error{e.problem, e.err}
}

// sealed is a body as a client would send it.
func sealed(v any) (rawBody, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return rawBody{}, newProblem(http.StatusBadRequest, codeUnreadable, "this is no JSON").because(fmt.Errorf("write a body: %w", err))
	}
	return rawBody{raw}, nil
}

// send is ask for routes with a body.
func send[Out, In any](ctx context.Context, want Permission, body any, in func(rawBody) *In, handle func(context.Context, *In) (*answer, error)) (Out, error) {
	raw, err := sealed(body)
	if err != nil {
		var zero Out
		return zero, clientError(ctx, err)
	}
	return ask[Out](ctx, want, in(raw), handle)
}

func sagaPath(id string) (SagaPath, error) {
	parsed, err := saga.ParseID(id)
	if err != nil {
		return SagaPath{}, newProblem(http.StatusNotFound, codeNotFound, "no saga has such an id")
	}
	return SagaPath{parsed}, nil
}

// plan is a definition as the graph of a saga that has not begun.
func (a *API) plan(ctx context.Context, in *VersionPath) (*answer, error) {
	def, err := a.cfg.Engine.Definition(ctx, requestOf(ctx).principal.Tenant, in.Name, in.Version)
	if errors.Is(err, orchestrator.ErrUnknownSagaType) {
		err = orchestrator.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read definition %s version %d: %w", in.Name, in.Version, err)
	}
	unborn := saga.Instance{Saga: in.Name, Version: in.Version, Steps: make([]saga.StepState, len(def.Steps))}
	for i := range unborn.Steps {
		unborn.Steps[i].Status, unborn.Steps[i].Effect = saga.Pending, saga.EffectNone
	}
	return &answer{status: http.StatusOK, body: renderGraph(def, &unborn, nil)}, nil
}
