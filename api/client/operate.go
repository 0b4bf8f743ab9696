package client

import (
	"context"
	"net/http"
)

// Stats are counts of live sagas.
type Stats struct {
	Live         int64            `json:"live"`
	ByStatus     map[string]int64 `json:"by_status"`
	ByCause      map[string]int64 `json:"by_cause" doc:"Why they wait"`
	ByDefinition map[string]int64 `json:"by_definition"`
	// ByParticipant counts those that wait for each participant.
	ByParticipant map[string]ParticipantCounts `json:"by_participant"`
	WithAttention int64                        `json:"with_attention"`
	Limited       int64                        `json:"limited" doc:"With a step that waits for a limit"`
	Quarantined   int64                        `json:"quarantined"`
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
