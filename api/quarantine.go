package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// QuarantineFilter is what both the list and the groups take.
type QuarantineFilter struct {
	Fingerprint string `query:"fingerprint" maxLength:"64" doc:"Of one cause"`
	Reason      string `query:"reason" maxLength:"64" doc:"Such as bad_token"`
	Topic       string `query:"topic" maxLength:"249"`
	Saga        string `query:"saga" maxLength:"36" doc:"Of the saga that the record's token proves"`
	State       string `query:"state" enum:"waiting,redriven,discarded"`
	Limit       int    `query:"limit" minimum:"1" maximum:"500" default:"50"`

	saga saga.ID
}

func (in *QuarantineFilter) read() []error {
	if in.Saga == "" {
		return nil
	}
	id, err := saga.ParseID(in.Saga)
	if err != nil {
		return []error{&huma.ErrorDetail{Location: "query.saga", Message: "want a saga's id"}}
	}
	in.saga = id
	return nil
}

func (in *QuarantineFilter) query(tenant string) orchestrator.QuarantineQuery {
	return orchestrator.QuarantineQuery{
		Tenant: tenant, Fingerprint: in.Fingerprint, Reason: in.Reason, Topic: in.Topic, Saga: in.saga,
		State: orchestrator.QuarantineState(in.State), Limit: in.Limit,
	}
}

// scope ties a cursor to the filters that it was given out for.
func (in *QuarantineFilter) scope() string {
	if in.Fingerprint+in.Reason+in.Topic+in.Saga+in.State == "" {
		return ""
	}
	return fmt.Sprintf("%q", []string{in.Fingerprint, in.Reason, in.Topic, in.saga.String(), in.State})
}

type quarantineInput struct {
	QuarantineFilter
	Cursor string `query:"cursor" maxLength:"128" doc:"next_cursor of the page before"`

	before int64
}

// Resolve reads the filter and the cursor.
func (in *quarantineInput) Resolve(huma.Context) []error {
	errs := in.read()
	if in.Cursor == "" {
		return errs
	}
	before, err := readNumberCursor(cursorQuarantine, in.scope(), in.Cursor)
	if err != nil {
		return append(errs, &huma.ErrorDetail{Location: "query.cursor", Message: err.Error()})
	}
	in.before = before
	return errs
}

type quarantineGroupsInput struct{ QuarantineFilter }

// Resolve reads the filter.
func (in *quarantineGroupsInput) Resolve(huma.Context) []error { return in.read() }

type quarantineRecordInput struct {
	ID int64 `path:"id" minimum:"1"`
}

func (a *API) registerQuarantine() {
	register(a, route{
		id: "list-quarantine", method: http.MethodGet, path: "/v1/quarantine", tag: "operate",
		summary:     "List records that could not be applied, newest first",
		description: "Without keys, headers and values: those may be large; one record's page has them.",
		permission:  PermitRead, answers: map[int]any{http.StatusOK: client.QuarantineList{}},
	}, a.quarantine)
	register(a, route{
		id: "group-quarantine", method: http.MethodGet, path: "/v1/quarantine/groups", tag: "operate",
		summary:    "Count records that could not be applied by their cause, the one with the newest record first",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.QuarantineGroupList{}},
	}, a.quarantineGroups)
	register(a, route{
		id: "get-quarantined", method: http.MethodGet, path: "/v1/quarantine/{id}", tag: "operate",
		summary:     "Read one record that could not be applied, byte for byte",
		description: "The token in its headers is redacted. Key, headers and value are left out without the permission to see payloads.",
		permission:  PermitRead, answers: map[int]any{http.StatusOK: client.Quarantined{}}, errors: []int{http.StatusNotFound},
	}, a.quarantined)
	a.registerQuarantineActions()
}

func (a *API) quarantine(ctx context.Context, in *quarantineInput) (*answer, error) {
	who := requestOf(ctx).principal
	q := in.query(who.Tenant)
	q.Before = in.before
	rows, err := a.cfg.Engine.Reader().Quarantine(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list quarantine: %w", err)
	}
	out := client.QuarantineList{Items: make([]client.Quarantined, len(rows))}
	for i := range rows {
		out.Items[i] = renderQuarantined(&rows[i], false)
	}
	if len(rows) == in.Limit {
		out.NextCursor = numberCursor(cursorQuarantine, in.scope(), rows[len(rows)-1].ID)
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

func (a *API) quarantineGroups(ctx context.Context, in *quarantineGroupsInput) (*answer, error) {
	groups, err := a.cfg.Engine.Reader().QuarantineGroups(ctx, in.query(requestOf(ctx).principal.Tenant))
	if err != nil {
		return nil, fmt.Errorf("group quarantine: %w", err)
	}
	out := client.QuarantineGroupList{Items: make([]client.QuarantineGroup, len(groups))}
	for i, g := range groups {
		out.Items[i] = client.QuarantineGroup{
			Fingerprint: g.Fingerprint, Reason: g.Reason, Topic: g.Topic, Message: g.Message,
			Count: g.Count, First: g.First, Last: g.Last, Example: g.Example,
		}
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

func (a *API) quarantined(ctx context.Context, in *quarantineRecordInput) (*answer, error) {
	who := requestOf(ctx).principal
	row, err := a.cfg.Engine.Reader().QuarantineRecord(ctx, who.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	out := renderQuarantined(&row, who.May(PermitPayloads))
	out.KeyText, out.ValueText = text(out.Key), text(out.Value)
	for i := range out.Headers {
		out.Headers[i].Text = text(out.Headers[i].Value)
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

// text is empty for what is no UTF-8.
func text(b []byte) string {
	if !utf8.Valid(b) {
		return ""
	}
	return string(b)
}

func renderQuarantined(row *orchestrator.QuarantineEntry, payloads bool) client.Quarantined {
	out := client.Quarantined{
		ID: row.ID, At: row.At, Reason: row.Reason, Message: strings.ToValidUTF8(row.Message, "\uFFFD"), Fingerprint: row.Fingerprint,
		State: client.QuarantineState(row.Handling.State), Topic: row.Topic, Partition: row.Partition, Offset: row.Offset,
		Timestamp: row.Timestamp, Bytes: row.Bytes, SHA256: hex.EncodeToString(row.SHA256[:]), Kept: row.Kept,
	}
	if !row.Saga.IsZero() {
		out.SagaID = row.Saga.String()
	}
	if h := &row.Handling; h.Outcome != "" {
		out.Handled = &client.QuarantineHandling{
			Outcome: client.QuarantineOutcome(h.Outcome), Why: h.Why, By: h.By, Reason: h.Reason, At: h.At,
			Redrives: h.Redrives, Vouched: h.Vouched,
		}
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
