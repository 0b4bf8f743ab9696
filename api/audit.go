package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

type auditInput struct {
	Actor  string    `query:"actor" maxLength:"256" doc:"Who did it"`
	Action string    `query:"action" maxLength:"64" doc:"Such as saga.cancel, or a group: saga, hold, limit, definition, quarantine, retention"`
	Saga   string    `query:"saga" maxLength:"36" doc:"A saga's id"`
	Target string    `query:"target" maxLength:"256" doc:"A step, a definition, a hold, a limit, a quarantined record"`
	From   time.Time `query:"from" doc:"Inclusive"`
	To     time.Time `query:"to" doc:"Exclusive"`
	Limit  int       `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string    `query:"cursor" maxLength:"128" doc:"next_cursor of the page before, under the same filters"`

	query orchestrator.AuditQuery
	scope string
}

// Resolve reads what huma cannot, and reports all that is wrong with it.
func (in *auditInput) Resolve(huma.Context) []error {
	var errs []error
	wrong := func(name string, err error) {
		errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: err.Error()})
	}
	q := orchestrator.AuditQuery{Actor: in.Actor, Action: in.Action, Target: in.Target, From: in.From, To: in.To, Limit: in.Limit}
	if in.Saga != "" {
		id, err := saga.ParseID(in.Saga)
		if err != nil {
			wrong("saga", err)
		}
		q.Saga = id
	}
	in.scope = fmt.Sprintf("%q %q %s %q %d %d", q.Actor, q.Action, q.Saga, q.Target, q.From.UnixNano(), q.To.UnixNano())
	if in.Cursor != "" {
		before, err := readNumberCursor(cursorAudit, in.scope, in.Cursor)
		if err != nil {
			wrong("cursor", err)
		}
		q.Before = before
	}
	in.query = q
	return errs
}

func (a *API) registerAudit() {
	register(a, route{
		id: "list-audit", method: http.MethodGet, path: "/v1/audit", tag: "operate", summary: "List operator actions, newest first",
		description: "The record is a chain of hashes that can only be added to; `skald audit verify` finds a row that was changed.",
		permission:  PermitAudit, answers: map[int]any{http.StatusOK: client.AuditList{}},
	}, a.audit)
}

func (a *API) audit(ctx context.Context, in *auditInput) (*answer, error) {
	if a.cfg.Audit == nil {
		return nil, newProblem(http.StatusServiceUnavailable, codeUnavailable, "this server has no record of operator actions")
	}
	in.query.Tenant = requestOf(ctx).principal.Tenant
	entries, err := a.cfg.Audit.AuditEntries(ctx, in.query)
	if err != nil {
		return nil, fmt.Errorf("list operator actions: %w", err)
	}
	out := client.AuditList{Items: make([]client.AuditEntry, len(entries))}
	for i := range entries {
		out.Items[i] = renderAuditEntry(&entries[i])
	}
	if len(entries) == in.Limit {
		out.NextCursor = numberCursor(cursorAudit, in.scope, entries[len(entries)-1].Seq)
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

func renderAuditEntry(e *orchestrator.AuditEntry) client.AuditEntry {
	out := client.AuditEntry{
		Seq: e.Seq, At: e.At, Actor: e.Actor, From: e.From, Action: e.Action, Target: e.Target, Reason: e.Reason, RequestID: e.RequestID,
		Before: e.Before, After: e.After, Detail: e.Detail, Hash: hex.EncodeToString(e.Hash[:]),
	}
	if !e.Saga.IsZero() {
		out.Saga = e.Saga.String()
	}
	return out
}
