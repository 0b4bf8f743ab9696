package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

type historyInput struct {
	SagaPath
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Cursor string `query:"cursor" maxLength:"128" doc:"next_cursor of the page before"`

	after int64
}

// Resolve reads the cursor.
func (in *historyInput) Resolve(huma.Context) []error {
	if in.Cursor == "" {
		return nil
	}
	after, err := readNumberCursor(cursorHistory, in.ID.String(), in.Cursor)
	if err != nil {
		return []error{&huma.ErrorDetail{Location: "query.cursor", Message: err.Error()}}
	}
	in.after = after
	return nil
}

func (a *API) registerHistory() {
	register(a, route{
		id: "get-history", method: http.MethodGet, path: "/v1/sagas/{id}/history", tag: "sagas",
		summary: "List a saga's facts, oldest first, with Kafka coordinates", permission: PermitRead,
		answers: map[int]any{http.StatusOK: client.History{}}, errors: []int{http.StatusNotFound},
	}, a.history)
}

func (a *API) history(ctx context.Context, in *historyInput) (*answer, error) {
	view, err := a.view(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	def, err := a.definition(ctx, &view.Instance)
	if err != nil {
		return nil, err
	}
	items, err := a.facts(ctx, def, &view.Instance, in.after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := client.History{Items: items}
	if len(items) == in.Limit {
		if last := items[len(items)-1].Seq; last < view.Instance.Seq {
			out.NextCursor = numberCursor(cursorHistory, in.ID.String(), last)
		}
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

// facts lists a saga's facts after a sequence number.
func (a *API) facts(ctx context.Context, def *saga.Definition, in *saga.Instance, after int64, limit int) ([]client.Fact, error) {
	entries, err := a.cfg.Engine.Reader().History(ctx, in.Tenant, in.ID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("history of saga %s: %w", in.ID, err)
	}
	sight := seeing(requestOf(ctx).principal, def.Redact)
	out := make([]client.Fact, len(entries))
	for i := range entries {
		out[i] = renderFact(&entries[i].Fact, sight)
		out[i].Record = a.renderReceipt(def, &entries[i])
	}
	return out, nil
}

// renderReceipt is where the fact's command stands in Kafka; nil while the broker has not acknowledged it.
func (a *API) renderReceipt(def *saga.Definition, entry *orchestrator.HistoryEntry) *client.Coordinates {
	r := entry.Receipt
	if r == nil {
		return nil
	}
	out := &client.Coordinates{Partition: r.Partition, Offset: r.Offset, At: moment(r.At), CommittedAt: moment(r.CommittedAt)}
	if i := def.StepIndex(entry.Fact.Step); i >= 0 && a.cfg.CommandTopic != nil {
		out.Topic = a.cfg.CommandTopic(def.Steps[i].Participant)
	}
	return out
}
