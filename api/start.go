package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

const (
	waitMax = 60 * time.Second
	// startBody leaves room for key, labels and white space beside an input of saga.MaxInputBytes.
	startBody = saga.MaxInputBytes + 128<<10
)

type startInput struct {
	rawBody
	Wait           string `query:"wait" doc:"Wait for the end, such as 30s; at most 60s" example:"30s"`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Kept for 7 days; a replay answers the same"`

	wait time.Duration
}

// Resolve reads what huma cannot.
func (in *startInput) Resolve(huma.Context) []error {
	if in.Wait == "" {
		return nil
	}
	wait, err := time.ParseDuration(in.Wait)
	if seconds, numberErr := strconv.Atoi(in.Wait); numberErr == nil {
		wait, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || wait < 0 || wait > waitMax {
		return []error{&huma.ErrorDetail{Location: "query.wait", Message: "want a duration of at most 60s, such as 30s"}}
	}
	in.wait = wait
	return nil
}

func (a *API) registerStart() {
	register(a, route{
		id: "start-saga", method: http.MethodPost, path: "/v1/sagas", tag: "sagas", summary: "Start a saga",
		description: "Answers 202 once the saga is stored; with `wait`, 200 with the whole saga when it ended by then. " +
			"Where the business key has a saga already: 200 with it if the input is the same, else 409 `key_in_use`.",
		permission: PermitStart, body: client.StartRequest{}, maxBody: startBody,
		answers: map[int]any{http.StatusOK: client.Saga{}, http.StatusAccepted: client.Started{}},
		headers: []string{"Location", "ETag", "Idempotency-Replayed"},
		errors:  []int{http.StatusNotFound, http.StatusConflict}, limit: -1,
	}, a.start)
}

func (a *API) start(ctx context.Context, in *startInput) (*answer, error) {
	who := requestOf(ctx)
	req, err := a.readStart(in)
	if err != nil {
		return nil, err
	}
	req.Tenant, req.By, req.RequestID = who.principal.Tenant, who.principal.Name, who.id
	req.TraceParent = traceParent(ctx)
	limited, cancel := context.WithTimeout(ctx, handlerLimit)
	started, err := a.cfg.Engine.Start(limited, req)
	cancel()
	if err != nil {
		return nil, err
	}
	a.linkStarted(ctx, started.ID)
	last := change{started.Revision, started.Status}
	if in.wait > 0 && !started.Existing {
		last = a.await(ctx, started.ID, last, in.wait)
	}
	out, err := a.startAnswer(ctx, &started, last)
	if err != nil {
		return nil, err
	}
	out.with("Location", "/v1/sagas/"+started.ID.String())
	if started.Replayed {
		out.with("Idempotency-Replayed", "true")
	}
	return out, nil
}

func (a *API) readStart(in *startInput) (req orchestrator.StartRequest, err error) {
	body, err := readBody[client.StartRequest](a, in.RawBody)
	if err != nil {
		return req, err
	}
	// The schema is only looked at where this says that something is wrong: starts are the one hot route.
	if !plainName(body.Saga) || body.Version < 0 || len(body.Key) > 512 || body.Reuse != "" || body.Link != "" {
		if err := a.checkBody(body, in.RawBody); err != nil {
			return req, err
		}
	}
	if len(body.Input) > saga.MaxInputBytes {
		return req, &orchestrator.TooLargeError{Limit: saga.MaxInputBytes}
	}
	var link saga.ID
	if body.Link != "" {
		if link, err = saga.ParseID(body.Link); err != nil {
			return req, invalid(client.FieldError{Path: "body.link", Message: err.Error()})
		}
	}
	if len(body.Input) == 0 {
		body.Input = []byte("null")
	}
	return orchestrator.StartRequest{
		Saga: body.Saga, Version: body.Version, Key: body.Key, Input: body.Input, Labels: body.Labels,
		Reuse: orchestrator.Reuse(body.Reuse), Link: link, IdempotencyKey: in.IdempotencyKey,
	}, nil
}

// plainName reports whether s is a name as in design section 2.
func plainName(s string) bool {
	if s == "" || len(s) > 63 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// await waits until the saga has ended or the wait is over. It leans on the hub alone: a change that came before it watched
// shows in the next look at the revisions, so the usual start costs no read.
func (a *API) await(ctx context.Context, id saga.ID, known change, wait time.Duration) change {
	w := a.cfg.Hub.watch(id, known)
	defer w.close()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-w.wake:
			latest := w.seen()
			if latest.status == "" {
				latest = a.lookUp(ctx, id, latest)
			}
			if latest.status.Terminal() {
				return latest
			}
			known = latest
		case <-timer.C:
			return known
		case <-a.streams.stop:
			return known
		case <-ctx.Done():
			return known
		}
	}
}

// lookUp reads the status that a look at the revisions does not tell.
func (a *API) lookUp(ctx context.Context, id saga.ID, c change) change {
	ctx, cancel := context.WithTimeout(ctx, handlerLimit)
	defer cancel()
	view, err := a.cfg.Engine.Reader().Saga(ctx, requestOf(ctx).principal.Tenant, id)
	if err != nil {
		return c // the saga is safe; the answer then says no more than that it was started
	}
	return change{view.Instance.Revision, view.Instance.Status}
}

// startAnswer is 200 with the whole saga when it was there already or has ended, else 202.
func (a *API) startAnswer(ctx context.Context, started *orchestrator.Started, last change) (*answer, error) {
	if started.Existing || last.status.Terminal() {
		ctx, cancel := context.WithTimeout(ctx, handlerLimit)
		defer cancel()
		s, err := a.readSaga(ctx, started.ID)
		if err != nil {
			return nil, fmt.Errorf("read saga %s after its start: %w", started.ID, err)
		}
		return (&answer{status: http.StatusOK, body: s}).with("ETag", client.ETag(s.Revision)), nil
	}
	body := client.Started{
		ID: started.ID.String(), Saga: started.Saga, Version: started.Version, Key: started.Key, Tenant: started.Tenant,
		Status: client.Status(started.Status), Revision: started.Revision, CreatedAt: started.CreatedAt,
	}
	if last.status != "" {
		body.Status, body.Revision = client.Status(last.status), last.revision
	}
	return (&answer{status: http.StatusAccepted, body: body}).with("ETag", client.ETag(body.Revision)), nil
}
