package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Action is what an operator can do with a saga.
type Action string

// The actions of an operator.
const (
	ActionCancel      Action = "cancel"
	ActionPause       Action = "pause"
	ActionResume      Action = "resume"
	ActionRetry       Action = "retry"
	ActionComplete    Action = "complete"
	ActionReject      Action = "reject"
	ActionSkip        Action = "skip"
	ActionWaive       Action = "waive"
	ActionAbandon     Action = "abandon"
	ActionAcknowledge Action = "acknowledge"
)

// ActRequest is an action's body.
type ActRequest struct {
	Step    string          `json:"step,omitempty" maxLength:"63" doc:"Of retry, complete, reject, skip and waive; may be given with acknowledge"`
	Output  json.RawMessage `json:"output,omitempty" doc:"Of complete and skip"`
	Payload json.RawMessage `json:"payload,omitempty" doc:"Of retry: a corrected payload"`
	Reason  string          `json:"reason" minLength:"1" maxLength:"1000" doc:"Kept in the audit"`
}

// Acted is the answer to an action.
type Acted struct {
	ID       string `json:"id" format:"uuid"`
	Status   Status `json:"status"`
	Revision int64  `json:"revision"`
	Pending  bool   `json:"pending,omitempty" doc:"A cancel that waits for the pivot's answer"`
	Changed  bool   `json:"changed"`
	Why      string `json:"why,omitempty"`
}

// ActResult is an Acted and what came with it.
type ActResult struct {
	Acted
	// Replayed: the Idempotency-Key had this answer already.
	Replayed bool
}

// Act does an action on a saga and returns once it is stored.
func (c *Client) Act(ctx context.Context, id string, action Action, req ActRequest, opts ...CallOption) (ActResult, error) {
	var result ActResult
	resp, err := c.call(ctx, http.MethodPost, sagaPath(id, "/"+url.PathEscape(string(action))), nil, req, &result.Acted, opts...)
	if err != nil {
		return ActResult{}, err
	}
	result.Replayed = resp.Header.Get("Idempotency-Replayed") == "true"
	return result, nil
}

// Preview is what an action would come to.
type Preview struct {
	Changed  bool      `json:"changed"`
	Pending  bool      `json:"pending,omitempty"`
	Why      string    `json:"why,omitempty"`
	Next     Saga      `json:"next" doc:"The saga as it would be"`
	Facts    []Fact    `json:"facts" nullable:"false"`
	Commands []Command `json:"commands" nullable:"false" doc:"What would be sent"`
}

// Command is one command that would be sent.
type Command struct {
	Step        string          `json:"step"`
	Participant string          `json:"participant"`
	Command     string          `json:"command"`
	Verb        string          `json:"verb" enum:"execute,compensate,probe"`
	Edition     int             `json:"edition"`
	Attempt     int             `json:"attempt"`
	Payload     json.RawMessage `json:"payload,omitempty"`
	ExpiresAt   *time.Time      `json:"expires_at,omitempty"`
}

// DryRun answers what an action would come to; nothing is stored.
func (c *Client) DryRun(ctx context.Context, id string, action Action, req ActRequest, opts ...CallOption) (Preview, error) {
	var p Preview
	_, err := c.call(ctx, http.MethodPost, sagaPath(id, "/"+url.PathEscape(string(action))), url.Values{"dry_run": {"true"}}, req, &p, opts...)
	return p, err
}
