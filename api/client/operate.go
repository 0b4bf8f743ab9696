package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Quarantined is a record that could not be applied.
type Quarantined struct {
	ID        int64     `json:"id"`
	At        time.Time `json:"at"`
	Reason    string    `json:"reason" doc:"A stable code, such as bad_token"`
	Message   string    `json:"message,omitempty"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Timestamp time.Time `json:"timestamp"`
	SagaID    string    `json:"saga_id,omitempty" format:"uuid" doc:"Absent: not known"`
	Bytes     int       `json:"bytes" doc:"Of the value as it came"`
	SHA256    string    `json:"sha256" doc:"Of the value, in hex"`
	// Key, Headers and Value are left out of answers to those who may not see payloads. Value is absent, too, when the quota
	// left its bytes out.
	Key     []byte   `json:"key,omitempty" doc:"base64"`
	Headers []Header `json:"headers,omitempty" nullable:"false"`
	Value   []byte   `json:"value,omitempty" doc:"base64"`
}

// Header is one header of a record.
type Header struct {
	Key   string `json:"key"`
	Value []byte `json:"value" doc:"base64"`
}

// QuarantineList is one page of quarantined records, newest first.
type QuarantineList struct {
	Items      []Quarantined `json:"items" nullable:"false"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Absent: this was the last page"`
}

// Quarantine lists one page of quarantined records, newest first; limit 0 is 50.
func (c *Client) Quarantine(ctx context.Context, cursor string, limit int) (QuarantineList, error) {
	q := url.Values{}
	set(q, "cursor", cursor)
	setInt(q, "limit", int64(limit))
	var list QuarantineList
	_, err := c.call(ctx, http.MethodGet, "/v1/quarantine", q, nil, &list)
	return list, err
}

// Stats are counts of live sagas.
type Stats struct {
	Live          int64            `json:"live"`
	ByStatus      map[string]int64 `json:"by_status"`
	ByCause       map[string]int64 `json:"by_cause" doc:"Why they wait"`
	ByDefinition  map[string]int64 `json:"by_definition"`
	WithAttention int64            `json:"with_attention"`
	Quarantined   int64            `json:"quarantined"`
}

// Stats counts live sagas.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	_, err := c.call(ctx, http.MethodGet, "/v1/stats", nil, nil, &s)
	return s, err
}

// Health is the answer of /healthz and /readyz.
type Health struct {
	Status  string `json:"status" enum:"ok"`
	Version string `json:"version,omitempty"`
}

// Ready answers nil when the replica takes requests; an *Error of status 503 says why it does not.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.call(ctx, http.MethodGet, "/readyz", nil, nil, nil)
	return err
}
