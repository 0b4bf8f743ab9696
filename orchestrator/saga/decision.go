package saga

import (
	"encoding/json"
	"fmt"
	"time"
)

// Decision is what an event means. The order of its fields is the order of durability: Next and Facts are stored, in one
// transaction with the outbox that holds Commands, BEFORE any command leaves (S3).
type Decision struct {
	Outcome  Outcome
	Next     Instance  // stored BEFORE any command leaves
	Facts    []Fact    // appended to the history
	Commands []Command // sent once Next is durable; sending twice is harmless
	WakeAt   time.Time // when this saga must be looked at again; zero only when terminal (L2)
	Why      string    // one sentence for the history and the dashboard
	// Pending: a cancel that waits for the pivot's answer (design rule 8).
	Pending bool
}

// Outcome says whether the event changed anything.
type Outcome int

// The outcomes of an event.
const (
	Applied Outcome = iota
	Ignored         // duplicate, late, stale: recorded, never an error. Without facts there is nothing to store but WakeAt
)

func (o Outcome) String() string {
	if o == Applied {
		return "applied"
	}
	return "ignored"
}

// Command is one record to send to a participant. Its id is that of (saga, step, verb, edition), the same for every attempt.
type Command struct {
	Step        string
	Participant string
	Name        string // such as ReserveItems.v1
	Version     int    // of the definition that the edition was created under
	Verb        Verb
	Edition     int
	Attempt     int
	Payload     json.RawMessage
	ExpiresAt   time.Time // of this attempt
	Index       int       // its place in the batch's outbox row
}

// RefusedError is an operator's wish that the saga's state forbids. It becomes HTTP 409.
type RefusedError struct {
	Code     string // stable, for machines
	Message  string
	Possible []Action // what would be possible instead; about the same step where the wish named one
}

func (e *RefusedError) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// NotAskedError is a reply to a command that this saga never sent. Its record belongs in quarantine (S9).
type NotAskedError struct{ Message string }

func (e *NotAskedError) Error() string { return e.Message }

// Codes of RefusedError.
const (
	CodeEnded          = "saga_ended"
	CodePastPivot      = "past_pivot"
	CodePaused         = "paused"
	CodeNotPaused      = "not_paused"
	CodeAlreadyPaused  = "already_paused"
	CodeEffectPossible = "effect_possible"
	CodeWrongStatus    = "wrong_status"
	CodeAborting       = "aborting"
	CodeBadOutput      = "bad_output"
	CodeRetriable      = "retriable"
	CodeNoSuchStep     = "no_such_step"
	CodeNothingToDo    = "nothing_to_do"
	CodeBroken         = "invariant"
	CodeNoSuchVersion  = "no_such_version"
	CodeDoesNotFit     = "does_not_fit"
)
