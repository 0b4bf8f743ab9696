package client

import (
	"context"
	"net/http"
	"net/url"
)

// ActionRebind has a saga go on by another version of its definition.
const ActionRebind Action = "rebind"

// RebindRequest is the body of a rebind.
type RebindRequest struct {
	Version int    `json:"version" minimum:"1" doc:"With the same steps, kinds and edges, and the same commands"`
	Reason  string `json:"reason" minLength:"1" maxLength:"1000" doc:"Kept in the audit"`
}

// Rebind has a saga go on by another version of its definition, and returns once that is stored. An *Error of status 409 and code
// does_not_fit names what differs.
func (c *Client) Rebind(ctx context.Context, id string, req RebindRequest, opts ...CallOption) (ActResult, error) {
	var result ActResult
	resp, err := c.call(ctx, http.MethodPost, sagaPath(id, "/rebind"), nil, req, &result.Acted, opts...)
	if err != nil {
		return ActResult{}, err
	}
	result.Replayed = resp.Header.Get("Idempotency-Replayed") == "true"
	return result, nil
}

// DryRunRebind answers what a rebind would come to; nothing is stored.
func (c *Client) DryRunRebind(ctx context.Context, id string, req RebindRequest, opts ...CallOption) (Preview, error) {
	var p Preview
	_, err := c.call(ctx, http.MethodPost, sagaPath(id, "/rebind"), url.Values{"dry_run": {"true"}}, req, &p, opts...)
	return p, err
}
