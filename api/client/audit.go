package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// AuditEntry is one operator action, as it stands in the hash-chained record.
type AuditEntry struct {
	Seq       int64           `json:"seq" doc:"Counts the tenant's entries from 1 without holes"`
	At        time.Time       `json:"at"`
	Actor     string          `json:"actor" doc:"Who did it"`
	From      string          `json:"from,omitempty" doc:"From where: the client's address; absent: from within"`
	Action    string          `json:"action" doc:"Such as saga.cancel, hold.set, definition.put"`
	Saga      string          `json:"saga,omitempty" doc:"The saga that it was done to"`
	Target    string          `json:"target,omitempty" doc:"A step, a definition, a hold, a quarantined record"`
	Reason    string          `json:"reason"`
	RequestID string          `json:"request_id,omitempty"`
	Before    int64           `json:"before,omitempty" doc:"The saga's revision before it"`
	After     int64           `json:"after,omitempty" doc:"The saga's revision after it; its history has the facts"`
	Detail    json.RawMessage `json:"detail,omitempty"`
	Hash      string          `json:"hash" doc:"SHA-256, in hex, over the hash of the entry before it and the stored entry"`
}

// AuditList is one page of the record of operator actions.
type AuditList struct {
	Items      []AuditEntry `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Absent: this was the last page"`
}

// AuditFilter filters the record of operator actions; zero fields do not filter.
type AuditFilter struct {
	Actor  string
	Action string // such as saga.cancel, or a group: saga, hold, definition, quarantine, retention
	Saga   string // an id
	Target string
	From   time.Time // inclusive
	To     time.Time // exclusive
	Limit  int       // of one page, 1..500; 0: 50
	Cursor string    // AuditList.NextCursor of the page before, under the same filter
}

// Audit lists one page of operator actions, newest first.
func (c *Client) Audit(ctx context.Context, filter AuditFilter) (AuditList, error) {
	q := url.Values{}
	set(q, "actor", filter.Actor)
	set(q, "action", filter.Action)
	set(q, "saga", filter.Saga)
	set(q, "target", filter.Target)
	setTime(q, "from", filter.From)
	setTime(q, "to", filter.To)
	setInt(q, "limit", int64(filter.Limit))
	set(q, "cursor", filter.Cursor)
	var list AuditList
	_, err := c.call(ctx, http.MethodGet, "/v1/audit", q, nil, &list)
	return list, err
}

// AllAudit walks over all pages of operator actions. It stops at the first error, which it yields with a zero AuditEntry.
func (c *Client) AllAudit(ctx context.Context, filter AuditFilter) iter.Seq2[AuditEntry, error] {
	return pages(func(cursor string) ([]AuditEntry, string, error) {
		if cursor != "" {
			filter.Cursor = cursor
		}
		list, err := c.Audit(ctx, filter)
		return list.Items, list.NextCursor, err
	})
}
