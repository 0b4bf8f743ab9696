package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// HoldScope says what a hold stops.
type HoldScope string

// The scopes of holds.
const (
	HoldSagaType    HoldScope = "saga_type"   // the sagas of a definition, or of one version of it
	HoldParticipant HoldScope = "participant" // its steps' commands and timers alone
	HoldTenant      HoldScope = "tenant"
	HoldAll         HoldScope = "all" // every tenant
)

// HoldRequest asks for a hold.
type HoldRequest struct {
	Scope   HoldScope `json:"scope" enum:"saga_type,participant,tenant,all"`
	Name    string    `json:"name,omitempty" maxLength:"63" doc:"Of the definition or the participant"`
	Version int       `json:"version,omitempty" minimum:"1" doc:"Of a definition; absent: every version"`
	Reason  string    `json:"reason" minLength:"1" maxLength:"1000" doc:"Kept in the audit, and shown where sagas wait for the hold"`
}

// Hold is a hold in force.
type Hold struct {
	ID      int64     `json:"id"`
	Scope   HoldScope `json:"scope" enum:"saga_type,participant,tenant,all"`
	Name    string    `json:"name,omitempty"`
	Version int       `json:"version,omitempty"`
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since"`
}

// HoldList lists the holds in force, oldest first.
type HoldList struct {
	Items []Hold `json:"items" nullable:"false"`
}

// Holds lists the tenant's holds in force, oldest first.
func (c *Client) Holds(ctx context.Context) ([]Hold, error) {
	var list HoldList
	_, err := c.call(ctx, http.MethodGet, "/v1/holds", nil, nil, &list)
	return list.Items, err
}

// PutHold sets a hold from now on. One of the same scope, name and version that is in force already is answered instead, and
// created is false.
func (c *Client) PutHold(ctx context.Context, req HoldRequest, opts ...CallOption) (hold Hold, created bool, err error) {
	resp, err := c.call(ctx, http.MethodPost, "/v1/holds", nil, req, &hold, opts...)
	if err != nil {
		return hold, false, err
	}
	return hold, resp.StatusCode == http.StatusCreated, nil
}

// EndHold ends a hold now; an *Error of status 404 where none of that id is in force.
func (c *Client) EndHold(ctx context.Context, id int64, reason string) error {
	_, err := c.call(ctx, http.MethodDelete, fmt.Sprintf("/v1/holds/%d", id), url.Values{"reason": {reason}}, nil, nil)
	return err
}
