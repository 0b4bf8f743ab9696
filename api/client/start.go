package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Reuse says when a business key may start a saga again.
type Reuse string

// The policies of reuse.
const (
	ReuseAfterCompensated Reuse = "after_compensated" // the default: after it ended, unless it completed
	ReuseAllow            Reuse = "allow"             // after it ended
	ReuseNever            Reuse = "never"
)

// StartRequest asks for a new saga.
type StartRequest struct {
	Saga    string            `json:"saga" pattern:"^[a-z][a-z0-9-]{0,62}$" doc:"The definition's name"`
	Version int               `json:"version,omitempty" minimum:"1" doc:"Absent: the highest active one"`
	Key     string            `json:"key,omitempty" maxLength:"512" doc:"The business key, only where the definition has none"`
	Input   json.RawMessage   `json:"input,omitempty" doc:"At most 256 KiB; kept byte for byte. Absent: null"`
	Labels  map[string]string `json:"labels,omitempty" doc:"At most 32, of names up to 63 bytes and values up to 255"`
	Reuse   Reuse             `json:"reuse,omitempty" enum:"after_compensated,allow,never" doc:"When a business key of an ended saga may start a new one"`
	Link    string            `json:"link,omitempty" format:"uuid" doc:"The ended saga that this one runs again"`
}

// Started is the answer to a start that has not ended yet.
type Started struct {
	ID        string    `json:"id" format:"uuid"`
	Saga      string    `json:"saga"`
	Version   int       `json:"version"`
	Key       string    `json:"key,omitempty"`
	Tenant    string    `json:"tenant"`
	Status    Status    `json:"status" enum:"running,compensating,suspended,completed,compensated,abandoned"`
	Revision  int64     `json:"revision"`
	CreatedAt time.Time `json:"created_at"`
}

// StartResult is a Started and what came with it.
type StartResult struct {
	Started
	// Saga is set when the server answered 200: it ended within the wait, or the business key had it already.
	Saga *Saga
	// Replayed: the Idempotency-Key had this answer already.
	Replayed bool
}

// Start starts a saga and returns once it is stored; with WithWait, once it ended or the wait is over. Starting again with
// the same input and business key answers the saga that is there.
func (c *Client) Start(ctx context.Context, req StartRequest, opts ...CallOption) (StartResult, error) {
	var body json.RawMessage
	resp, err := c.call(ctx, http.MethodPost, "/v1/sagas", url.Values{}, req, &body, opts...)
	if err != nil {
		return StartResult{}, err
	}
	result := StartResult{Replayed: resp.Header.Get("Idempotency-Replayed") == "true"}
	if err := json.Unmarshal(body, &result.Started); err != nil {
		return StartResult{}, fmt.Errorf("read the answer to a start: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		result.Saga = &Saga{}
		if err := json.Unmarshal(body, result.Saga); err != nil {
			return StartResult{}, fmt.Errorf("read the answer to a start: %w", err)
		}
	}
	return result, nil
}
