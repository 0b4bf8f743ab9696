package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// OperationRequest asks for one action over many sagas.
type OperationRequest struct {
	Action  Action          `json:"action" enum:"cancel,pause,resume,retry,complete,reject,skip,waive,abandon,acknowledge,rebind"`
	Filter  OperationFilter `json:"filter" doc:"Which sagas; not empty"`
	Step    string          `json:"step,omitempty" maxLength:"63" doc:"As of the action on one saga; retry and waive without one mean every step that they can be about"`
	Output  json.RawMessage `json:"output,omitempty" doc:"Of complete and skip"`
	Payload json.RawMessage `json:"payload,omitempty" doc:"Of the retry of a step: a corrected payload"`
	Version int             `json:"version,omitempty" minimum:"1" doc:"Of rebind"`
	Reason  string          `json:"reason" minLength:"1" maxLength:"1000" doc:"Kept in the audit of each saga"`
	Rate    int             `json:"rate,omitempty" minimum:"1" maximum:"1000" doc:"Sagas a second; absent: 50"`
	DryRun  bool            `json:"dry_run,omitempty" doc:"Count the sagas, try the action on some of them, and store nothing"`
}

// OperationFilter chooses sagas as a list of them does; zero fields do not filter.
type OperationFilter struct {
	Saga          string            `json:"saga,omitempty" maxLength:"63" doc:"The definition's name"`
	Version       int               `json:"version,omitempty" minimum:"1" doc:"Of the definition"`
	Status        []Status          `json:"status,omitempty" nullable:"false" maxItems:"6"`
	Verdict       string            `json:"verdict,omitempty" enum:"committed,cleanly_aborted,residue" doc:"Of those that have ended"`
	Attention     string            `json:"attention,omitempty" maxLength:"63" doc:"A reason, or any"`
	BlockedOn     string            `json:"blocked_on,omitempty" enum:"reply,backoff,hold,attention,unpublished"`
	Participant   string            `json:"participant,omitempty" pattern:"^[a-z][a-z0-9-]{0,62}$" doc:"One that live sagas wait for, for whatever cause"`
	Key           string            `json:"key,omitempty" maxLength:"512"`
	Labels        map[string]string `json:"labels,omitempty"`
	CreatedAfter  *time.Time        `json:"created_after,omitempty"`
	CreatedBefore *time.Time        `json:"created_before,omitempty"`
	IDs           []string          `json:"ids,omitempty" nullable:"false" maxItems:"500" doc:"None but these sagas"`
}

// OperationState is where an operation is.
type OperationState string

// The states of an operation. Completed and cancelled are final.
const (
	OperationGathering OperationState = "gathering" // its sagas are being listed
	OperationRunning   OperationState = "running"
	OperationPaused    OperationState = "paused"
	OperationCompleted OperationState = "completed"
	OperationCancelled OperationState = "cancelled"
)

// Ended reports whether it is final.
func (s OperationState) Ended() bool { return s == OperationCompleted || s == OperationCancelled }

// Operation is one action over many sagas.
type Operation struct {
	ID        int64           `json:"id"`
	Action    Action          `json:"action"`
	Filter    OperationFilter `json:"filter"`
	Step      string          `json:"step,omitempty"`
	Version   int             `json:"version,omitempty" doc:"Of rebind"`
	Reason    string          `json:"reason"`
	Rate      int             `json:"rate" doc:"Sagas a second"`
	By        string          `json:"by"`
	State     OperationState  `json:"state" enum:"gathering,running,paused,completed,cancelled"`
	Total     int64           `json:"total" doc:"While gathering: known so far"`
	Done      int64           `json:"done"`
	Succeeded int64           `json:"succeeded"`
	Refused   int64           `json:"refused" doc:"Their state forbids it"`
	Failed    int64           `json:"failed"`
	CreatedAt time.Time       `json:"created_at" doc:"Sagas that were created later do not belong to it"`
	StartedAt *time.Time      `json:"started_at,omitempty" doc:"When all its sagas were known"`
	EndedAt   *time.Time      `json:"ended_at,omitempty"`
	ETA       *time.Time      `json:"eta,omitempty" doc:"When it will have ended at its rate; only while it runs"`
}

// OperationList is one page of operations, newest first.
type OperationList struct {
	Items      []Operation `json:"items" nullable:"false"`
	NextCursor string      `json:"next_cursor,omitempty" doc:"Absent: this was the last page"`
}

// Outcome is what became of one saga of an operation.
type Outcome struct {
	SagaID   string     `json:"saga_id" format:"uuid"`
	Outcome  string     `json:"outcome" enum:"succeeded,refused,failed,pending"`
	Code     string     `json:"code,omitempty" doc:"Of a refusal or a failure; stable"`
	Message  string     `json:"message,omitempty"`
	Revision int64      `json:"revision,omitempty" doc:"That it led to"`
	At       *time.Time `json:"at,omitempty"`
}

// OutcomeList is one page of outcomes, by saga id.
type OutcomeList struct {
	Items      []Outcome `json:"items" nullable:"false"`
	NextCursor string    `json:"next_cursor,omitempty" doc:"Absent: this was the last page"`
}

// OperationPreview is what an operation would come to, as far as a sample tells.
type OperationPreview struct {
	Count    *int64         `json:"count,omitempty" doc:"Sagas that match"`
	AtLeast  *int64         `json:"count_at_least,omitempty" doc:"When counting took too long: a lower bound"`
	Possible int            `json:"possible" doc:"Of the sample"`
	Refused  map[string]int `json:"refused" doc:"Of the sample, by code"`
	Sample   []Outcome      `json:"sample" nullable:"false" doc:"The newest sagas that match, at most 50"`
}

// StartOperation begins an action over many sagas; the server goes on by itself. Under an Idempotency-Key a replay answers with the
// operation that there is.
func (c *Client) StartOperation(ctx context.Context, req OperationRequest, opts ...CallOption) (op Operation, err error) {
	req.DryRun = false
	_, err = c.call(ctx, http.MethodPost, "/v1/operations", nil, req, &op, opts...)
	return op, err
}

// PreviewOperation counts the sagas that match, and tries the action on some of them; nothing is stored.
func (c *Client) PreviewOperation(ctx context.Context, req OperationRequest, opts ...CallOption) (p OperationPreview, err error) {
	req.DryRun = true
	_, err = c.call(ctx, http.MethodPost, "/v1/operations", nil, req, &p, opts...)
	return p, err
}

// Operation reads one; an *Error of status 404 where there is none.
func (c *Client) Operation(ctx context.Context, id int64) (op Operation, err error) {
	_, err = c.call(ctx, http.MethodGet, operationPath(id, ""), nil, nil, &op)
	return op, err
}

// Operations lists one page, newest first; limit 0 is 50.
func (c *Client) Operations(ctx context.Context, cursor string, limit int) (list OperationList, err error) {
	q := url.Values{}
	set(q, "cursor", cursor)
	setInt(q, "limit", int64(limit))
	_, err = c.call(ctx, http.MethodGet, "/v1/operations", q, nil, &list)
	return list, err
}

// Outcomes walks over what became of an operation's sagas, by saga id; outcome empty: all. It stops at the first error, which it
// yields with a zero Outcome.
func (c *Client) Outcomes(ctx context.Context, id int64, outcome string) iter.Seq2[Outcome, error] {
	return pages(func(cursor string) ([]Outcome, string, error) {
		q := url.Values{"limit": {"500"}}
		set(q, "cursor", cursor)
		set(q, "outcome", outcome)
		var list OutcomeList
		_, err := c.call(ctx, http.MethodGet, operationPath(id, "/outcomes"), q, nil, &list)
		return list.Items, list.NextCursor, err
	})
}

// PauseOperation begins no further saga; ResumeOperation goes on; CancelOperation leaves what is not done as it is. An *Error of
// status 409 where the operation's state forbids it.
func (c *Client) PauseOperation(ctx context.Context, id int64, reason string) (Operation, error) {
	return c.changeOperation(ctx, id, "pause", reason)
}

// ResumeOperation goes on after a pause.
func (c *Client) ResumeOperation(ctx context.Context, id int64, reason string) (Operation, error) {
	return c.changeOperation(ctx, id, "resume", reason)
}

// CancelOperation ends it; what is not done stays as it is.
func (c *Client) CancelOperation(ctx context.Context, id int64, reason string) (Operation, error) {
	return c.changeOperation(ctx, id, "cancel", reason)
}

func (c *Client) changeOperation(ctx context.Context, id int64, change, reason string) (op Operation, err error) {
	_, err = c.call(ctx, http.MethodPost, operationPath(id, "/"+change), nil, ReasonRequest{Reason: reason}, &op)
	return op, err
}

func operationPath(id int64, rest string) string { return fmt.Sprintf("/v1/operations/%d%s", id, rest) }
