package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// LimitRequest sets a limit, or replaces the one that is there.
type LimitRequest struct {
	Sagas    int    `json:"sagas,omitempty" minimum:"1" maximum:"10000000" doc:"Of a saga_type: how many live sagas may have begun; absent: no bound"`
	Commands int    `json:"commands,omitempty" minimum:"1" maximum:"10000000" doc:"How many commands may be out: sent, or backing off to be sent again; absent: no bound"`
	Reason   string `json:"reason" minLength:"1" maxLength:"1000" doc:"Kept in the audit"`
}

// Limit bounds how much of a definition or a participant goes on at once, and says how much does.
type Limit struct {
	Scope    HoldScope `json:"scope" enum:"saga_type,participant"`
	Name     string    `json:"name"`
	Sagas    int       `json:"sagas,omitempty" doc:"The bound of live sagas that have begun; absent: none"`
	Commands int       `json:"commands,omitempty" doc:"The bound of commands that are out; absent: none"`
	Reason   string    `json:"reason"`
	By       string    `json:"by" doc:"Who set it"`
	Since    time.Time `json:"since"`
	Begun    int       `json:"begun" doc:"Of a saga_type: live sagas that have begun"`
	Out      int       `json:"out" doc:"Commands that are out"`
	Waiting  int       `json:"waiting" doc:"Steps that wait for a limit: this one, or another one that concerns them too"`
}

// LimitList lists the limits, by scope and name.
type LimitList struct {
	Items []Limit `json:"items" nullable:"false"`
}

// Limits lists the tenant's limits.
func (c *Client) Limits(ctx context.Context) ([]Limit, error) {
	var list LimitList
	_, err := c.call(ctx, http.MethodGet, "/v1/limits", nil, nil, &list)
	return list.Items, err
}

// PutLimit sets a limit on a saga_type or a participant, or replaces the one that is there. Every replica knows it within about a
// second.
func (c *Client) PutLimit(ctx context.Context, scope HoldScope, name string, req LimitRequest, opts ...CallOption) (Limit, error) {
	var limit Limit
	_, err := c.call(ctx, http.MethodPut, limitPath(scope, name), nil, req, &limit, opts...)
	return limit, err
}

// RemoveLimit takes a limit away; an *Error of status 404 where there is none.
func (c *Client) RemoveLimit(ctx context.Context, scope HoldScope, name, reason string) error {
	_, err := c.call(ctx, http.MethodDelete, limitPath(scope, name), url.Values{"reason": {reason}}, nil, nil)
	return err
}

func limitPath(scope HoldScope, name string) string {
	return fmt.Sprintf("/v1/limits/%s/%s", url.PathEscape(string(scope)), url.PathEscape(name))
}
