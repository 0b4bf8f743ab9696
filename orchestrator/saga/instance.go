package saga

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Instance is one running saga. The zero value is a saga that has not started. Decide never changes the one it was given;
// payloads are shared, and nobody writes into them.
type Instance struct {
	ID        ID                `json:"id"`
	Tenant    string            `json:"tenant"`
	Saga      string            `json:"saga"`
	Version   int               `json:"version"`
	Key       string            `json:"key,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Link      ID                `json:"link,omitzero"` // the ended saga that this one runs again; zero: none
	Status    Status            `json:"status"`
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"` // of the newest fact
	EndedAt   time.Time         `json:"ended_at,omitzero"`
	// Revision grows by one with each stored transition; every write expects the one it read (S17).
	Revision int64           `json:"revision"`
	Seq      int64           `json:"seq"`                 // facts so far: 1..Seq without holes (S4)
	EventSeq int64           `json:"event_seq,omitempty"` // lifecycle events so far (ce_sequence)
	Ignored  int             `json:"ignored,omitempty"`   // replies recorded without a change; past 100 they leave no trace
	Input    json.RawMessage `json:"input"`
	Output   json.RawMessage `json:"output,omitempty"` // nil: none
	Pause    *Pause          `json:"pause,omitempty"`  // nil: not paused
	Aborting bool            `json:"aborting,omitempty"`
	Abort    *Abort          `json:"abort,omitempty"` // set exactly when Aborting
	// CancelBy is who asked to cancel while the pivot's command was out; nil: nobody (design rule 8).
	CancelBy *Cancel `json:"cancel,omitempty"`
	// Deadline moves by the time that a hold, a pause or a suspension before the pivot lasted; zero: none.
	Deadline       time.Time    `json:"deadline,omitzero"`
	DeadlinePassed bool         `json:"deadline_passed,omitempty"`
	Steps          []StepState  `json:"steps"` // as in the definition
	Attention      []Attention  `json:"attention,omitempty"`
	Certificate    *Certificate `json:"certificate,omitempty"` // set exactly when terminal
	Broken         string       `json:"broken,omitempty"`      // the invariant that broke; only abandon is left
	// ClockAt is up to when the timers have been moved by what stood still. Not part of what the facts fold to.
	ClockAt time.Time `json:"clock_at"`
	// BlankedAt is when retention took the payloads away (Blank); zero: they are there. Not part of what the facts fold to.
	BlankedAt time.Time `json:"blanked_at,omitzero"`
}

// Pause says who stopped a saga and why.
type Pause struct {
	Since  time.Time `json:"since"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// Abort says why a saga is being undone.
type Abort struct {
	Reason  AbortReason `json:"reason"`
	Step    string      `json:"step,omitempty"`
	Code    string      `json:"code,omitempty"`
	Message string      `json:"message,omitempty"`
	By      string      `json:"by,omitempty"`
	At      time.Time   `json:"at"`
	// GraceUntil is when steps still in flight become unknown at the latest (design rule 6).
	GraceUntil time.Time `json:"grace_until"`
}

// Cancel is a cancel that waits for the pivot.
type Cancel struct {
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Attention is one thing that a person should look at.
type Attention struct {
	Reason AttentionReason `json:"reason"`
	Step   string          `json:"step,omitempty"` // empty: the saga as a whole
	Since  time.Time       `json:"since"`
}

// Failure is the last thing that went wrong with a step.
type Failure struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// StepState is one step of a running saga.
type StepState struct {
	Status   StepStatus      `json:"status"`
	Effect   Effect          `json:"effect"`
	Forward  Leg             `json:"forward,omitzero"`
	Backward Leg             `json:"backward,omitzero"`
	Output   json.RawMessage `json:"output,omitempty"` // nil: none
	Error    *Failure        `json:"error,omitempty"`
	// Why is the reason of a stuck step; empty otherwise.
	Why AttentionReason `json:"why,omitempty"`
	// BadOutput: the step was answered with an output that breaks `returns` or the limits (design rule 5).
	BadOutput bool `json:"bad_output,omitempty"`
	// ByOperator: status and effect were set by a person; Disputed: the participant then said otherwise (design rule 12).
	ByOperator bool `json:"by_operator,omitempty"`
	Disputed   bool `json:"disputed,omitempty"`
	// Anomaly: the step succeeded after it had been rejected; it is undone out of order (design rule 9).
	Anomaly bool `json:"anomaly,omitempty"`
	// GraceUntil is when a step that was in flight as the abort began becomes unknown at the latest (design rule 6).
	GraceUntil time.Time `json:"grace_until,omitzero"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
	// LimitedAt is since when a held step waits for a limit; zero: it does not.
	LimitedAt time.Time `json:"limited_at,omitzero"`
}

// Leg is the command of one direction: what was sent, how often, and what came of it.
type Leg struct {
	Created  bool            `json:"created,omitempty"` // a command exists; its Payload never changes within an edition (S5)
	Payload  json.RawMessage `json:"payload,omitempty"`
	Edition  int             `json:"edition,omitempty"`
	Version  int             `json:"version,omitempty"`  // of the definition that the edition was created under; 0: the saga's
	Attempt  int             `json:"attempt,omitempty"`  // of the newest send; never repeats within an edition
	Sends    int             `json:"sends,omitempty"`    // on the present budget
	Attempts int             `json:"attempts,omitempty"` // over all editions, for people
	Refused  int             `json:"refused,omitempty"`  // attempts of this edition that the broker refused unseen
	Probing  bool            `json:"probing,omitempty"`  // the newest send was a probe; a next one is too
	SentAt   time.Time       `json:"sent_at,omitzero"`   // of the newest send
	// ExpiresAt ends the newest attempt, or later if it was published late or a heartbeat came.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Heartbeat time.Time `json:"heartbeat,omitzero"` // of the newest attempt; no fact tells of it
	RetryAt   time.Time `json:"retry_at,omitzero"`  // end of the back-off
	// Answer is the newest answer to the edition: succeeded or rejected; empty: none. Contradicted: both were given.
	Answer       ReplyOutcome `json:"answer,omitempty"`
	AnswerCode   string       `json:"answer_code,omitempty"`
	Contradicted bool         `json:"contradicted,omitempty"`
	// Batch and Index name the newest send's place in the outbox.
	Batch BatchID `json:"batch,omitzero"`
	Index int     `json:"index,omitempty"`
}

// Certificate is what is certain at the end, per step, and one verdict.
type Certificate struct {
	Verdict Verdict      `json:"verdict"`
	Effects []StepEffect `json:"effects"`
	// Residue is what was left: empty but for the verdict residue, and for a step of a committed saga that an operator skipped and
	// that took effect after all (design rule 9).
	Residue []StepEffect `json:"residue"`
	Amended bool         `json:"amended,omitempty"`
}

// StepEffect is one line of a certificate.
type StepEffect struct {
	Step       string `json:"step"`
	Effect     Effect `json:"effect"`
	ByOperator bool   `json:"by_operator,omitempty"`
	Disputed   bool   `json:"disputed,omitempty"`
}

// clone copies what Decide may change; payloads stay shared.
func (in Instance) clone() Instance {
	in.Labels = maps.Clone(in.Labels)
	in.Steps = slices.Clone(in.Steps)
	in.Attention = slices.Clone(in.Attention)
	if in.Pause != nil {
		p := *in.Pause
		in.Pause = &p
	}
	if in.Abort != nil {
		a := *in.Abort
		in.Abort = &a
	}
	return in
}

// HasAttention reports whether a person should look at the saga for that reason; an empty step matches any.
func (in *Instance) HasAttention(reason AttentionReason, step string) bool {
	return slices.ContainsFunc(in.Attention, func(a Attention) bool {
		return a.Reason == reason && (step == "" || a.Step == step)
	})
}

// OpenLeg is a command that is out and not answered: what lists of open batches are made of.
type OpenLeg struct {
	Step  int
	Verb  Verb // Execute (probes too) or Compensate
	Batch BatchID
	Index int
}

// Open lists the commands that are out, in the order of the steps.
func (in *Instance) Open() []OpenLeg {
	var out []OpenLeg
	for i := range in.Steps {
		switch s := &in.Steps[i]; s.Status {
		case InFlight:
			out = append(out, OpenLeg{i, Execute, s.Forward.Batch, s.Forward.Index})
		case Undoing:
			out = append(out, OpenLeg{i, Compensate, s.Backward.Batch, s.Backward.Index})
		case Pending, Held, BackingOff, Succeeded, Rejected, Unknown, Skipped, Stuck, UndoBackingOff, Undone, UndoFailed, Waived:
		}
	}
	return out
}
