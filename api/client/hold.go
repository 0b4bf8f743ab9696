package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
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

// HoldKind says who judges how long a hold lasts.
type HoldKind string

// The kinds of holds.
const (
	HoldOperator HoldKind = "operator"
	HoldBreaker  HoldKind = "breaker" // the engine, because a participant fails
)

// HoldState is where a hold stands.
type HoldState string

// The states of a hold.
const (
	HoldHolding   HoldState = "holding"
	HoldTrying    HoldState = "trying"    // a breaker that lets a growing share of sagas through
	HoldReleasing HoldState = "releasing" // ended with a rate
	HoldEnded     HoldState = "ended"
)

// Hold is a stop set from outside a saga.
type Hold struct {
	ID      int64     `json:"id"`
	Scope   HoldScope `json:"scope" enum:"saga_type,participant,tenant,all"`
	Name    string    `json:"name,omitempty"`
	Version int       `json:"version,omitempty"`
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since"`
	Kind    HoldKind  `json:"kind" enum:"operator,breaker"`
	By      string    `json:"by" doc:"Who set it; a breaker: engine"`
	State   HoldState `json:"state" enum:"holding,trying,releasing,ended"`
	// Until is when the last saga is let go.
	Until     time.Time `json:"until,omitzero" doc:"When the last saga is let go; absent: when somebody ends it"`
	TriesFrom time.Time `json:"tries_from,omitzero" doc:"Of a breaker: from when it lets a growing share of sagas through"`
	Trips     int       `json:"trips,omitempty" doc:"Of a breaker: how often it has opened in this outage"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	EndedBy   string    `json:"ended_by,omitempty"`
}

// HoldStatus is a hold and what it does at present.
type HoldStatus struct {
	Hold
	Held       int       `json:"held" doc:"Sagas with something that waits for it"`
	InFlight   int       `json:"in_flight" doc:"Commands under it that were sent and not answered yet"`
	Exact      bool      `json:"exact" doc:"False: at least that many; counting took too long"`
	QuietSince time.Time `json:"quiet_since,omitzero" doc:"When nothing was in flight under it any more, seen every few seconds; absent: not yet"`
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

// Hold reads one hold, also one that has ended, and counts what it does; an *Error of status 404 where there is none of that id.
func (c *Client) Hold(ctx context.Context, id int64) (HoldStatus, error) {
	var hold HoldStatus
	_, err := c.call(ctx, http.MethodGet, fmt.Sprintf("/v1/holds/%d", id), nil, nil, &hold)
	return hold, err
}

// EndHold ends a hold now, letting `rate` held sagas go a second, or with 0 all at once; an *Error of status 404 where none of that
// id is in force.
func (c *Client) EndHold(ctx context.Context, id int64, reason string, rate int) error {
	query := url.Values{"reason": {reason}}
	if rate > 0 {
		query.Set("rate", strconv.Itoa(rate))
	}
	_, err := c.call(ctx, http.MethodDelete, fmt.Sprintf("/v1/holds/%d", id), query, nil, nil)
	return err
}
