package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// streamChunk is how many facts a stream reads at a time.
const streamChunk = 200

type sagaEventsInput struct {
	SagaPath
	LastEventID string `header:"Last-Event-ID" doc:"The seq of the last fact seen"`

	after int64
}

// Resolve reads Last-Event-ID.
func (in *sagaEventsInput) Resolve(huma.Context) []error {
	if in.LastEventID == "" {
		return nil
	}
	after, err := strconv.ParseInt(in.LastEventID, 10, 64)
	if err != nil || after < 0 {
		return []error{&huma.ErrorDetail{Location: "header.Last-Event-ID", Message: "want the seq of a fact"}}
	}
	in.after = after
	return nil
}

func (a *API) registerSagaEvents() {
	register(a, route{
		id: "follow-saga", method: http.MethodGet, path: "/v1/sagas/{id}/events", tag: "events", summary: "Follow one saga's facts",
		description: "Server-sent events: each fact, past and to come, under its type, with its seq as id; `end` last, once the saga has ended. " +
			"204 when it has ended and Last-Event-ID was its last fact.",
		permission: PermitRead, produces: "text/event-stream", limit: -1,
		answers: map[int]any{http.StatusOK: "Events whose data is a Fact", http.StatusNoContent: nil}, errors: []int{http.StatusNotFound},
	}, a.followSaga)
}

func (a *API) followSaga(ctx context.Context, in *sagaEventsInput) (*answer, error) {
	limited, cancel := context.WithTimeout(ctx, handlerLimit)
	defer cancel()
	view, err := a.view(limited, in.ID)
	if err != nil {
		return nil, err
	}
	def, err := a.definition(limited, &view.Instance)
	if err != nil {
		return nil, err
	}
	if view.Instance.Status.Terminal() && in.after >= view.Instance.Seq {
		return &answer{status: http.StatusNoContent}, nil // EventSource takes this as: do not come back
	}
	return &answer{stream: func(w http.ResponseWriter, r *http.Request) {
		a.stream(w, r, func(ctx context.Context, out *eventWriter) error {
			return a.sendFacts(ctx, out, def, &view, in.after)
		})
	}}, nil
}

// sendFacts sends a saga's facts after a sequence number, and goes on as they come until the saga has ended.
func (a *API) sendFacts(ctx context.Context, out *eventWriter, def *saga.Definition, view *orchestrator.View, after int64) error {
	in := view.Instance
	w := a.cfg.Hub.watch(in.ID, change{in.Revision, in.Status})
	defer w.close()
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	ended := in.Status.Terminal()
	for {
		facts, err := a.facts(ctx, def, &in, after, streamChunk)
		if err != nil {
			return err
		}
		for i := range facts {
			f := &facts[i]
			after = f.Seq
			ended = ended || endsSaga(saga.FactType(f.Type))
			if err := out.event(strconv.FormatInt(f.Seq, 10), f.Type, f); err != nil {
				return err
			}
		}
		switch {
		case len(facts) == streamChunk:
			continue
		case ended:
			return a.sendEnd(ctx, out, in.ID, after)
		}
		select {
		case <-w.wake:
		case <-beat.C:
			if err := out.beat(); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *API) sendEnd(ctx context.Context, out *eventWriter, id saga.ID, after int64) error {
	view, err := a.view(ctx, id)
	if err != nil {
		return err
	}
	return out.event(strconv.FormatInt(after, 10), client.EventEnd,
		client.StreamEnd{Status: client.Status(view.Instance.Status), Revision: view.Instance.Revision})
}

func endsSaga(t saga.FactType) bool {
	return t == saga.SagaCompleted || t == saga.SagaCompensated || t == saga.SagaAbandoned
}
