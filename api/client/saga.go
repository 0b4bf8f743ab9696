package client

import (
	"encoding/json"
	"time"
)

// Status is where a saga is.
type Status string

// The statuses of a saga. Completed, compensated and abandoned are final.
const (
	Running      Status = "running"
	Compensating Status = "compensating"
	Suspended    Status = "suspended" // nothing can move without a person
	Completed    Status = "completed"
	Compensated  Status = "compensated"
	Abandoned    Status = "abandoned"
)

// Terminal reports whether a saga in this status has ended for good.
func (s Status) Terminal() bool { return s == Completed || s == Compensated || s == Abandoned }

// Saga is one running or ended saga. What does not apply is absent. Lists leave out Input, Output and the outputs of steps.
type Saga struct {
	ID      string `json:"id" format:"uuid"`
	Saga    string `json:"saga" doc:"The definition's name"`
	Version int    `json:"version"`
	Key     string `json:"key,omitempty" doc:"The business key"`
	Tenant  string `json:"tenant"`
	Status  Status `json:"status" enum:"running,compensating,suspended,completed,compensated,abandoned"`
	Paused  bool   `json:"paused"`
	Pause   *Pause `json:"pause,omitempty"`
	// Revision grows by one with each change; it is the ETag.
	Revision  int64             `json:"revision"`
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
	EndedAt   *time.Time        `json:"ended_at,omitempty"`
	BlankedAt *time.Time        `json:"blanked_at,omitempty" doc:"When retention took its payloads away"`
	Deadline  *time.Time        `json:"deadline,omitempty"`
	Link      string            `json:"link,omitempty" doc:"The ended saga that this one runs again"`
	Labels    map[string]string `json:"labels,omitempty"`
	Input     json.RawMessage   `json:"input,omitempty"`
	Output    json.RawMessage   `json:"output,omitempty"`
	Abort     *Abort            `json:"abort,omitempty"`
	Cancel    *Cancel           `json:"cancel,omitempty" doc:"A cancel that waits for the pivot's answer"`
	Steps     []Step            `json:"steps" nullable:"false"`
	BlockedOn []BlockedOn       `json:"blocked_on,omitempty" nullable:"false" doc:"Why it waits"`
	Attention []Attention       `json:"attention,omitempty" nullable:"false" doc:"What a person should look at"`
	// Quarantined are the newest of the records that came for it, could not be applied, and wait for a person.
	Quarantined []QuarantinedRecord `json:"quarantined,omitempty" nullable:"false" doc:"Of one saga that has not ended: the newest records that came for it and could not be applied; at most 5"`
	Certificate *Certificate        `json:"certificate,omitempty"`
	Links       *Links              `json:"links,omitempty" doc:"Of one saga: where other systems show it"`
	Broken      string              `json:"broken,omitempty" doc:"The invariant that broke; only abandon is left"`
}

// Links lead to what other systems show of a saga.
type Links struct {
	Trace string `json:"trace,omitempty" doc:"The page of its trace"`
}

// Pause says who stopped a saga and why.
type Pause struct {
	Since  time.Time `json:"since"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// Abort says why a saga is being undone.
type Abort struct {
	Reason  string    `json:"reason" enum:"step_rejected,step_unknown,cancelled,deadline"`
	Step    string    `json:"step,omitempty"`
	Code    string    `json:"code,omitempty"`
	Message string    `json:"message,omitempty"`
	By      string    `json:"by,omitempty"`
	At      time.Time `json:"at"`
}

// Cancel is a cancel that waits for the pivot's answer.
type Cancel struct {
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Step is one step of a saga.
type Step struct {
	Name         string          `json:"name"`
	Participant  string          `json:"participant"`
	Kind         string          `json:"kind" enum:"compensatable,pivot,retriable"`
	Status       string          `json:"status" enum:"pending,held,in_flight,backing_off,succeeded,rejected,unknown,skipped,stuck,undoing,undo_backing_off,undone,undo_failed,waived"`
	Effect       string          `json:"effect" enum:"none,possible,certain,undone,undo_failed,waived" doc:"What is certain about its effect in the world"`
	Attempts     int             `json:"attempts,omitempty" doc:"Sends of the command, over all editions"`
	UndoAttempts int             `json:"undo_attempts,omitempty" doc:"Sends of the compensation"`
	StartedAt    *time.Time      `json:"started_at,omitempty"`
	EndedAt      *time.Time      `json:"ended_at,omitempty"`
	RetryAt      *time.Time      `json:"retry_at,omitempty" doc:"End of the back-off"`
	ExpiresAt    *time.Time      `json:"expires_at,omitempty" doc:"When the attempt that is out times out"`
	Output       json.RawMessage `json:"output,omitempty"`
	Error        *StepError      `json:"error,omitempty" doc:"The last thing that went wrong"`
	Why          string          `json:"why,omitempty" doc:"The reason of a stuck step"`
	ByOperator   bool            `json:"by_operator,omitempty" doc:"Status and effect were set by a person"`
	Disputed     bool            `json:"disputed,omitempty" doc:"The participant contradicted the operator"`
}

// StepError is the last thing that went wrong with a step.
type StepError struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// BlockedOn is one thing that a saga waits for.
type BlockedOn struct {
	Cause       string     `json:"cause" enum:"reply,backoff,hold,attention,unpublished"`
	Step        string     `json:"step,omitempty"`
	Participant string     `json:"participant,omitempty"`
	Verb        string     `json:"verb,omitempty" enum:"execute,compensate,probe"`
	Attempt     int        `json:"attempt,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	Message     string     `json:"message,omitempty"`
	Since       time.Time  `json:"since"`
	Until       *time.Time `json:"until,omitempty" doc:"Absent: no time ends it"`
	// Of a command: which, and where its newest attempt stands in Kafka once that is acknowledged.
	Command     string       `json:"command,omitempty"`
	Edition     int          `json:"edition,omitempty"`
	SentAt      *time.Time   `json:"sent_at,omitempty" doc:"When the newest attempt was decided on"`
	Record      *Coordinates `json:"record,omitempty"`
	HeartbeatAt *time.Time   `json:"heartbeat_at,omitempty" doc:"When the attempt's timeout last began anew: its participant said that it is at it, or had not reached it"`
	// Queued, Lag and Consumers tell of the participant's consumer group; they are seconds old.
	Queued    bool   `json:"queued,omitempty" doc:"The group has not reached the record: the attempt is neither sent again nor counted"`
	Lag       *int64 `json:"lag,omitempty" doc:"How many records the group has before this one; absent: not known"`
	Consumers *int   `json:"consumers,omitempty" doc:"Members of the group; absent: not known"`
	// Of a hold: what is held, and who holds it.
	Held    string `json:"held,omitempty" doc:"Such as participant payments"`
	By      string `json:"by,omitempty"`
	Limited bool   `json:"limited,omitempty" doc:"It is a limit that has no room; message says how far it is"`
}

// Attention is one thing that a person should look at.
type Attention struct {
	Reason string    `json:"reason"`
	Step   string    `json:"step,omitempty"`
	Since  time.Time `json:"since"`
}

// QuarantinedRecord names a record in quarantine.
type QuarantinedRecord struct {
	ID     int64     `json:"id"`
	Reason string    `json:"reason" doc:"A stable code, such as unreadable"`
	At     time.Time `json:"at"`
}

// Certificate is what is certain at the end, per step, and one verdict.
type Certificate struct {
	Verdict string       `json:"verdict" enum:"committed,cleanly_aborted,residue"`
	Effects []StepEffect `json:"effects" nullable:"false"`
	Residue []StepEffect `json:"residue" nullable:"false" doc:"What was left"`
	Amended bool         `json:"amended,omitempty" doc:"A late answer changed it"`
}

// StepEffect is one line of a certificate.
type StepEffect struct {
	Step       string `json:"step"`
	Effect     string `json:"effect" enum:"none,possible,certain,undone,undo_failed,waived"`
	ByOperator bool   `json:"by_operator,omitempty"`
	Disputed   bool   `json:"disputed,omitempty"`
}
