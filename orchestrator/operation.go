package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Operations keeps jobs over many sagas. It is safe for concurrent use.
type Operations interface {
	OperationBook
	OperationQueue
}

// OperationBook is what people see of operations. Each change is one transaction with its audit row.
type OperationBook interface {
	// PutOperation stores a new operation from now on. Under an Idempotency-Key that has one already it is answered instead (created
	// is false), or ErrIdempotency where that was asked for something else.
	PutOperation(ctx context.Context, op Operation, audit Audit) (stored Operation, created bool, err error)
	// Operation reads one; ErrNotFound.
	Operation(ctx context.Context, tenant string, id int64) (Operation, error)
	// ListOperations lists a tenant's, newest first, below the id before; 0 starts at the newest.
	ListOperations(ctx context.Context, tenant string, before int64, limit int) ([]Operation, error)
	// ChangeOperation pauses, resumes or cancels; ErrNotFound, or an *OperationStateError where its state forbids it.
	ChangeOperation(ctx context.Context, tenant string, id int64, change OperationChange, audit Audit) (Operation, error)
	// Outcomes lists what became of an operation's sagas, by saga id.
	Outcomes(ctx context.Context, q OutcomeQuery) ([]OperationOutcome, error)
}

// OperationQueue is what the workers of all replicas share. An operation is worked on in slices, one at a time.
type OperationQueue interface {
	// TakeOperation takes the slice of an operation that has waited longest; ok is false where none is due. For the time of the
	// lease nobody else gets one of the same operation; after it the taker is taken for dead.
	TakeOperation(ctx context.Context, lease time.Duration) (op Operation, ok bool, err error)
	// GatherOperation adds sagas to the operation, and its next slice is due after again. A last one of the zero id says that all
	// are known. ErrConflict: the lease was lost, and nothing was written.
	GatherOperation(ctx context.Context, lease OperationLease, ids []saga.ID, last saga.ID, again time.Duration) error
	// LeftOf lists sagas of an operation that have no outcome yet, by id.
	LeftOf(ctx context.Context, operation int64, limit int) ([]saga.ID, error)
	// NoteOutcomes stores what became of sagas, counts it, and completes the operation when no saga is left; its next slice is due
	// after again. ErrConflict: the lease was lost, and nothing was written.
	NoteOutcomes(ctx context.Context, lease OperationLease, outcomes []OperationOutcome, again time.Duration) error
}

// OperationState says how far an operation is.
type OperationState string

// The states of an operation.
const (
	OperationGathering OperationState = "gathering" // its sagas are being listed; a worker moves it on
	OperationRunning   OperationState = "running"   // all are known; a worker acts on them
	OperationCompleted OperationState = "completed" // each has its outcome
	OperationCancelled OperationState = "cancelled" // somebody stopped it; what is left stays as it is
)

// Ended reports whether nobody works on it any more.
func (s OperationState) Ended() bool { return s == OperationCompleted || s == OperationCancelled }

// OperationChange is what can be done with an operation that has not ended.
type OperationChange string

// The changes.
const (
	OperationPause  OperationChange = "pause"
	OperationResume OperationChange = "resume"
	OperationCancel OperationChange = "cancel"
)

// Operation is one action over many sagas.
type Operation struct {
	ID             int64
	Tenant         string
	Actor          string
	Request        OperationRequest
	IdempotencyKey string // empty: none
	State          OperationState
	Paused         bool
	CreatedAt      time.Time // sagas that were created later do not belong to it
	StartedAt      time.Time // when all its sagas were known; zero: not yet
	EndedAt        time.Time // zero: not yet
	Total          int64     // sagas known so far: all, once it is running
	Succeeded      int64
	Refused        int64
	Failed         int64
	Gathered       saga.ID // the sagas above it, and itself, are known; zero: none, or all
	Lease          int64   // of the newest slice
}

// Done is how many sagas have their outcome.
func (o Operation) Done() int64 { return o.Succeeded + o.Refused + o.Failed }

// OperationRequest says what is to be done, and with which sagas.
type OperationRequest struct {
	Action  saga.Action     `json:"action"`
	Filter  OperationFilter `json:"filter"`
	Step    string          `json:"step,omitempty"` // of retry and waive it may be empty: every step that the action can be about
	Output  json.RawMessage `json:"output,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Version int             `json:"version,omitempty"` // of rebind
	Reason  string          `json:"reason"`
	Rate    int             `json:"rate"` // sagas a second
}

// OperationFilter chooses sagas as a list of them does; zero fields do not filter.
type OperationFilter struct {
	Saga          string            `json:"saga,omitempty"`
	Version       int               `json:"version,omitempty"`
	Statuses      []saga.Status     `json:"statuses,omitempty"`
	Verdict       saga.Verdict      `json:"verdict,omitempty"`
	Attention     string            `json:"attention,omitempty"`
	BlockedOn     saga.Cause        `json:"blocked_on,omitempty"`
	Participant   string            `json:"participant,omitempty"`
	Key           string            `json:"key,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	CreatedAfter  time.Time         `json:"created_after,omitzero"`
	CreatedBefore time.Time         `json:"created_before,omitzero"`
	IDs           []saga.ID         `json:"ids,omitempty"`
}

// query is the list of the tenant's sagas that the filter chooses.
func (f *OperationFilter) query(tenant string, limit int) SagaQuery {
	return SagaQuery{
		Tenant: tenant, Saga: f.Saga, Version: f.Version, Statuses: f.Statuses, Verdict: f.Verdict, Attention: f.Attention, BlockedOn: f.BlockedOn,
		Participant: f.Participant, Key: f.Key, Labels: f.Labels, CreatedAfter: f.CreatedAfter, CreatedBefore: f.CreatedBefore, IDs: f.IDs, Limit: limit,
	}
}

// OperationLease is the right to store what came of a slice.
type OperationLease struct {
	Operation int64
	Lease     int64
}

// OutcomeKind says how an action on one saga went.
type OutcomeKind string

// The kinds of outcomes.
const (
	OutcomeSucceeded OutcomeKind = "succeeded"
	OutcomeRefused   OutcomeKind = "refused" // the saga's state forbids it
	OutcomeFailed    OutcomeKind = "failed"
	OutcomePending   OutcomeKind = "pending" // not done yet, or never where the operation was cancelled
)

// OperationOutcome is what became of one saga.
type OperationOutcome struct {
	Saga     saga.ID
	Kind     OutcomeKind
	Code     string // of a refusal or a failure
	Message  string
	Revision int64     // that it led to
	At       time.Time // zero: pending
}

// OutcomeQuery asks for a page of outcomes.
type OutcomeQuery struct {
	Tenant    string
	Operation int64
	Kind      OutcomeKind // empty: all
	After     saga.ID     // exclusive; zero: from the first
	Limit     int
}

// OperationStateError is a change that the operation's state forbids.
type OperationStateError struct {
	State  OperationState
	Paused bool
	Change OperationChange
}

func (e *OperationStateError) Error() string {
	state := string(e.State)
	if e.Paused {
		state = "paused"
	}
	return "the operation is " + state + "; it cannot be " + map[OperationChange]string{OperationPause: "paused", OperationResume: "resumed", OperationCancel: "cancelled"}[e.Change]
}

// May is nil, or an *OperationStateError.
func (o Operation) May(change OperationChange) error {
	if o.State.Ended() || change == OperationPause && o.Paused || change == OperationResume && !o.Paused {
		return &OperationStateError{State: o.State, Paused: o.Paused && !o.State.Ended(), Change: change}
	}
	return nil
}

// ErrNoOperations says that this engine was made without a store of operations.
var ErrNoOperations = errors.New("no store of operations")
