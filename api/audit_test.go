package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// auditLog answers what it has, newest first, and remembers what it was asked.
type auditLog struct {
	entries []orchestrator.AuditEntry
	asked   []orchestrator.AuditQuery
}

func (l *auditLog) AuditEntries(_ context.Context, q orchestrator.AuditQuery) ([]orchestrator.AuditEntry, error) {
	l.asked = append(l.asked, q)
	var out []orchestrator.AuditEntry
	for _, e := range l.entries {
		if (q.Before == 0 || e.Seq < q.Before) && len(out) < q.Limit {
			out = append(out, e)
		}
	}
	return out, nil
}

func TestAudit_ListsPages(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	id := saga.NewID(at, 1, 1)
	log := &auditLog{entries: []orchestrator.AuditEntry{
		{Seq: 3, At: at, Hash: [32]byte{0xab}, Audit: orchestrator.Audit{
			Tenant: "default", Actor: "ada", From: "192.0.2.7", Action: "saga.cancel", Saga: id, Target: "pay", Reason: "twice", RequestID: "r-1",
			Before: 4, After: 5, Detail: json.RawMessage(`{"a":1}`),
		}},
		{Seq: 2, At: at, Audit: orchestrator.Audit{Tenant: "default", Actor: "bob", Action: "hold.set", Reason: "r"}},
		{Seq: 1, At: at, Audit: orchestrator.Audit{Tenant: "default", Actor: "bob", Action: "hold.set", Reason: "r"}},
	}}
	b := setup(t, authenticated, func(c *Config) { c.Audit = log })
	get := func(query string) *client.AuditList {
		w := b.do(t, exchange{method: "GET", path: "/v1/audit?" + query, header: map[string]string{"Authorization": "Bearer auditor/default"}})
		list := answerIn[client.AuditList](t, w, http.StatusOK)
		return &list
	}
	filters := "actor=ada&action=saga&saga=" + id.String() + "&target=pay&from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z&limit=2"
	first := get(filters)
	require.Equal(t, client.AuditEntry{
		Seq: 3, At: at, Actor: "ada", From: "192.0.2.7", Action: "saga.cancel", Saga: id.String(), Target: "pay", Reason: "twice", RequestID: "r-1",
		Before: 4, After: 5, Detail: json.RawMessage(`{"a":1}`), Hash: "ab" + strings.Repeat("00", 31),
	}, first.Items[0])
	require.Equal(t, orchestrator.AuditQuery{
		Tenant: "default", Actor: "ada", Action: "saga", Saga: id, Target: "pay", From: at.Truncate(24 * time.Hour),
		To: at.Truncate(24 * time.Hour).Add(24 * time.Hour), Limit: 2,
	}, log.asked[0])
	require.NotEmpty(t, first.NextCursor)
	second := get(filters + "&cursor=" + first.NextCursor)
	require.Len(t, second.Items, 1)
	require.Empty(t, second.NextCursor)
	require.EqualValues(t, 2, log.asked[1].Before)

	as := map[string]string{"Authorization": "Bearer auditor/default"}
	p := problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/audit?actor=bob&cursor=" + first.NextCursor, header: as}), 422, "invalid")
	require.Equal(t, []string{"query.cursor"}, paths(p), "a cursor belongs to its filters")
	p = problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/audit?saga=x&limit=501&from=yesterday", header: as}), 422, "invalid")
	require.ElementsMatch(t, []string{"query.saga", "query.limit", "query.from"}, paths(p))
}

func TestAudit_WithoutARecord(t *testing.T) {
	t.Parallel()
	problemIn(t, setup(t).do(t, exchange{method: "GET", path: "/v1/audit"}), 503, "unavailable")
}

// The engine is told from where each request came, so that it stands in the audit.
func TestRequests_SayFromWhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(t, exchange{method: "POST", path: "/v1/holds", body: `{"scope":"participant","name":"payments","reason":"r"}`})
	require.Equal(t, "127.0.0.1", b.engine.from)
}
