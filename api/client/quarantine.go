package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Quarantined is a record that could not be applied.
type Quarantined struct {
	ID          int64           `json:"id"`
	At          time.Time       `json:"at"`
	Reason      string          `json:"reason" doc:"A stable code, such as bad_token"`
	Message     string          `json:"message,omitempty"`
	Fingerprint string          `json:"fingerprint" doc:"Of the cause: the same for records that are in quarantine for the same"`
	State       QuarantineState `json:"state" enum:"waiting,redriven,discarded"`
	Topic       string          `json:"topic"`
	Partition   int32           `json:"partition"`
	Offset      int64           `json:"offset"`
	Timestamp   time.Time       `json:"timestamp"`
	SagaID      string          `json:"saga_id,omitempty" format:"uuid" doc:"Absent: not known"`
	Bytes       int             `json:"bytes" doc:"Of the value as it came"`
	SHA256      string          `json:"sha256" doc:"Of the value, in hex"`
	Kept        bool            `json:"kept" doc:"False: the hourly quota left key, headers and value out, so it cannot be redriven"`
	// Handled is what was done about it last; nil: nothing yet.
	Handled *QuarantineHandling `json:"handled,omitempty"`
	// Key, Headers and Value are left out of answers to those who may not see payloads. The token in the headers is redacted.
	Key     []byte   `json:"key,omitempty" doc:"base64"`
	Headers []Header `json:"headers,omitempty" nullable:"false"`
	Value   []byte   `json:"value,omitempty" doc:"base64"`
	// KeyText and ValueText are there where one record is read, and is UTF-8.
	KeyText   string `json:"key_text,omitempty" doc:"Where it is UTF-8; of one record alone"`
	ValueText string `json:"value_text,omitempty" doc:"Where it is UTF-8; of one record alone"`
}

// QuarantineState says what is to be done about a record.
type QuarantineState string

// The states of a quarantined record.
const (
	QuarantineWaiting   QuarantineState = "waiting"
	QuarantineRedriven  QuarantineState = "redriven"
	QuarantineDiscarded QuarantineState = "discarded"
)

// QuarantineHandling is what was done about a record last.
type QuarantineHandling struct {
	Outcome  QuarantineOutcome `json:"outcome" enum:"applied,ignored,quarantined_again,discarded"`
	Why      string            `json:"why,omitempty" doc:"What the engine made of it"`
	By       string            `json:"by"`
	Reason   string            `json:"reason" doc:"The operator's"`
	At       time.Time         `json:"at"`
	Redrives int               `json:"redrives" doc:"How often it was judged again"`
	Vouched  bool              `json:"vouched,omitempty" doc:"The operator stood in for its token"`
}

// QuarantineOutcome is what came of handling a record.
type QuarantineOutcome string

// The outcomes.
const (
	QuarantineApplied QuarantineOutcome = "applied"
	QuarantineIgnored QuarantineOutcome = "ignored"           // a duplicate, late or stale: it changed nothing
	QuarantineAgain   QuarantineOutcome = "quarantined_again" // it stays, with its cause as it is now
	QuarantineDropped QuarantineOutcome = "discarded"
)

// Header is one header of a record.
type Header struct {
	Key   string `json:"key"`
	Value []byte `json:"value" doc:"base64"`
	Text  string `json:"text,omitempty" doc:"Where it is UTF-8; of one record alone"`
}

// QuarantineList is one page of quarantined records, newest first.
type QuarantineList struct {
	Items      []Quarantined `json:"items" nullable:"false"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Absent: this was the last page"`
}

// QuarantineGroup is what is in quarantine for one cause.
type QuarantineGroup struct {
	Fingerprint string    `json:"fingerprint"`
	Reason      string    `json:"reason"`
	Topic       string    `json:"topic"`
	Message     string    `json:"message,omitempty" doc:"Of the example"`
	Count       int64     `json:"count"`
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	Example     int64     `json:"example" doc:"The id of the newest record"`
}

// QuarantineGroupList lists causes, the one with the newest record first.
type QuarantineGroupList struct {
	Items []QuarantineGroup `json:"items" nullable:"false"`
}

// QuarantineFilter picks quarantined records; zero fields do not filter.
type QuarantineFilter struct {
	Fingerprint string
	Reason      string
	Topic       string
	SagaID      string
	State       QuarantineState
	Cursor      string // of lists
	Limit       int    // 0: 50
}

func (f *QuarantineFilter) query() url.Values {
	q := url.Values{}
	set(q, "fingerprint", f.Fingerprint)
	set(q, "reason", f.Reason)
	set(q, "topic", f.Topic)
	set(q, "saga", f.SagaID)
	set(q, "state", string(f.State))
	set(q, "cursor", f.Cursor)
	setInt(q, "limit", int64(f.Limit))
	return q
}

// Quarantine lists one page of quarantined records, newest first, without keys, headers and values (QuarantinedRecord has them).
func (c *Client) Quarantine(ctx context.Context, filter QuarantineFilter) (QuarantineList, error) {
	var list QuarantineList
	_, err := c.call(ctx, http.MethodGet, "/v1/quarantine", filter.query(), nil, &list)
	return list, err
}

// QuarantineGroups lists the causes of what a filter picks; its Cursor is of no use.
func (c *Client) QuarantineGroups(ctx context.Context, filter QuarantineFilter) ([]QuarantineGroup, error) {
	filter.Cursor = ""
	var list QuarantineGroupList
	_, err := c.call(ctx, http.MethodGet, "/v1/quarantine/groups", filter.query(), nil, &list)
	return list.Items, err
}

// QuarantinedRecord reads one record, byte for byte.
func (c *Client) QuarantinedRecord(ctx context.Context, id int64) (Quarantined, error) {
	var q Quarantined
	_, err := c.call(ctx, http.MethodGet, fmt.Sprintf("/v1/quarantine/%d", id), nil, nil, &q)
	return q, err
}

// QuarantineAction is what an operator can do with quarantined records.
type QuarantineAction string

// The actions on quarantined records.
const (
	QuarantineRedrive QuarantineAction = "redrive" // judge it again, as if it had been read now
	QuarantineDiscard QuarantineAction = "discard" // settle it without judging it; its bytes stay
)

// QuarantineRequest is the body of an action on one record.
type QuarantineRequest struct {
	Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"Kept in the audit and beside the record"`
	Vouch  bool   `json:"vouch,omitempty" doc:"Of redrive: stand in for a token that nothing shows to have been right. It takes the permission vouch"`
}

// QuarantineResult is what came of an action on one record, or would come of it.
type QuarantineResult struct {
	ID       int64             `json:"id"`
	State    QuarantineState   `json:"state" enum:"waiting,redriven,discarded"`
	Outcome  QuarantineOutcome `json:"outcome" enum:"applied,ignored,quarantined_again,discarded"`
	Why      string            `json:"why,omitempty"`
	Cause    *QuarantineCause  `json:"cause,omitempty" doc:"With quarantined_again: why now"`
	SagaID   string            `json:"saga_id,omitempty" format:"uuid" doc:"That it was judged for"`
	Revision int64             `json:"revision,omitempty" doc:"Of the saga"`
	Vouched  bool              `json:"vouched,omitempty"`
	Preview  *Preview          `json:"preview,omitempty" doc:"Of a dry run of one record that reaches its saga"`
	// Replayed: the Idempotency-Key had this answer already.
	Replayed bool `json:"-"`
}

// QuarantineCause is why a record is in quarantine.
type QuarantineCause struct {
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

// QuarantineWhich picks the waiting records of an action on many. At least one field must be given.
type QuarantineWhich struct {
	Fingerprint string `json:"fingerprint,omitempty" maxLength:"64"`
	Reason      string `json:"reason,omitempty" maxLength:"64"`
	Topic       string `json:"topic,omitempty" maxLength:"249"`
	SagaID      string `json:"saga,omitempty" maxLength:"36"`
	All         bool   `json:"all,omitempty" doc:"Every waiting record"`
}

// QuarantineManyRequest is the body of an action on many records.
type QuarantineManyRequest struct {
	Filter QuarantineWhich `json:"filter"`
	Reason string          `json:"reason" minLength:"1" maxLength:"1000" doc:"Kept in the audit and beside each record"`
	Limit  int             `json:"limit,omitempty" minimum:"1" maximum:"500" doc:"The oldest come first; absent: 100"`
	Vouch  bool            `json:"vouch,omitempty" doc:"As for one record"`
}

// QuarantineMany is what came of an action on many records.
type QuarantineMany struct {
	Items  []QuarantineEach `json:"items" nullable:"false" doc:"In the order in which they were handled"`
	Counts map[string]int   `json:"counts" doc:"How many came to which outcome; error counts those with an error"`
	More   bool             `json:"more,omitempty" doc:"There are more such records than the limit"`
	// Replayed: the Idempotency-Key had picked these records already.
	Replayed bool `json:"-"`
}

// QuarantineEach is what came of one record of many: a result or an error.
type QuarantineEach struct {
	ID     int64             `json:"id"`
	Result *QuarantineResult `json:"result,omitempty"`
	Error  *QuarantineError  `json:"error,omitempty"`
}

// QuarantineError says why an action on one record of many was not done.
type QuarantineError struct {
	Code      string   `json:"code" doc:"Stable, for machines"`
	Detail    string   `json:"detail,omitempty"`
	Retryable bool     `json:"retryable"`
	Possible  []string `json:"possible,omitempty" nullable:"false" doc:"What would be possible instead"`
}

// HandleQuarantined redrives or discards one record and returns once that is stored.
func (c *Client) HandleQuarantined(ctx context.Context, id int64, action QuarantineAction, req QuarantineRequest, opts ...CallOption) (QuarantineResult, error) {
	var result QuarantineResult
	resp, err := c.call(ctx, http.MethodPost, fmt.Sprintf("/v1/quarantine/%d/%s", id, url.PathEscape(string(action))), nil, req, &result, opts...)
	if err != nil {
		return QuarantineResult{}, err
	}
	result.Replayed = resp.Header.Get("Idempotency-Replayed") == "true"
	return result, nil
}

// HandleManyQuarantined redrives or discards the waiting records that the filter picks, each in a transaction of its own.
func (c *Client) HandleManyQuarantined(ctx context.Context, action QuarantineAction, req QuarantineManyRequest, opts ...CallOption) (QuarantineMany, error) {
	var many QuarantineMany
	resp, err := c.call(ctx, http.MethodPost, "/v1/quarantine:"+url.PathEscape(string(action)), nil, req, &many, opts...)
	if err != nil {
		return QuarantineMany{}, err
	}
	many.Replayed = resp.Header.Get("Idempotency-Replayed") == "true"
	return many, nil
}

// WithDryRun has an action on quarantined records answer what would come of it; nothing is stored.
func WithDryRun() CallOption {
	return func(c *call) { c.query.Set("dry_run", "true") }
}
