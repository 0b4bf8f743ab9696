package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
)

type quarantineInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string `query:"cursor" maxLength:"128" doc:"next_cursor of the page before"`

	before int64
}

// Resolve reads the cursor.
func (in *quarantineInput) Resolve(huma.Context) []error {
	if in.Cursor == "" {
		return nil
	}
	before, err := readNumberCursor(cursorQuarantine, "", in.Cursor)
	if err != nil {
		return []error{&huma.ErrorDetail{Location: "query.cursor", Message: err.Error()}}
	}
	in.before = before
	return nil
}

func (a *API) registerOperate() {
	register(a, route{
		id: "list-quarantine", method: http.MethodGet, path: "/v1/quarantine", tag: "operate",
		summary:     "List records that could not be applied, newest first",
		description: "Keys, headers and values are left out without the permission to see payloads.",
		permission:  PermitRead, answers: map[int]any{http.StatusOK: client.QuarantineList{}},
	}, a.quarantine)
	register(a, route{
		id: "get-stats", method: http.MethodGet, path: "/v1/stats", tag: "operate", summary: "Count live sagas",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.Stats{}},
	}, a.stats)
}

func (a *API) quarantine(ctx context.Context, in *quarantineInput) (*answer, error) {
	who := requestOf(ctx).principal
	rows, err := a.cfg.Engine.Reader().Quarantine(ctx, who.Tenant, in.before, in.Limit)
	if err != nil {
		return nil, fmt.Errorf("list quarantine: %w", err)
	}
	out := client.QuarantineList{Items: make([]client.Quarantined, len(rows))}
	for i := range rows {
		out.Items[i] = renderQuarantined(&rows[i], who.May(PermitPayloads))
	}
	if len(rows) == in.Limit {
		out.NextCursor = numberCursor(cursorQuarantine, "", rows[len(rows)-1].ID)
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

func renderQuarantined(row *orchestrator.QuarantineEntry, payloads bool) client.Quarantined {
	out := client.Quarantined{
		ID: row.ID, At: row.At, Reason: row.Reason, Message: row.Message, Topic: row.Topic, Partition: row.Partition,
		Offset: row.Offset, Timestamp: row.Timestamp, Bytes: row.Bytes, SHA256: hex.EncodeToString(row.SHA256[:]),
	}
	if !row.Saga.IsZero() {
		out.SagaID = row.Saga.String()
	}
	if !payloads {
		return out
	}
	out.Key, out.Value = row.Key, row.Value
	for _, h := range row.Headers {
		out.Headers = append(out.Headers, client.Header{Key: h.Key, Value: h.Value})
	}
	return out
}

func (a *API) stats(ctx context.Context, _ *struct{}) (*answer, error) {
	s, err := a.cfg.Engine.Reader().Stats(ctx, requestOf(ctx).principal.Tenant)
	if err != nil {
		return nil, fmt.Errorf("count sagas: %w", err)
	}
	out := client.Stats{
		Live: s.Live, ByStatus: map[string]int64{}, ByCause: map[string]int64{}, ByDefinition: map[string]int64{},
		WithAttention: s.WithAttention, Quarantined: s.Quarantined,
	}
	for status, n := range s.ByStatus {
		out.ByStatus[string(status)] = n
	}
	for cause, n := range s.ByCause {
		out.ByCause[string(cause)] = n
	}
	for name, n := range s.ByDefinition {
		out.ByDefinition[name] = n
	}
	return &answer{status: http.StatusOK, body: out}, nil
}
