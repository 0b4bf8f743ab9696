package saga

import (
	"encoding/json"
	"time"
)

// FactType names what happened, in the past tense.
type FactType string

// The facts of a saga's history. Those marked (lifecycle) are published on skald.events at the default level.
const (
	SagaStarted     FactType = "saga.started" // (lifecycle)
	SagaPaused      FactType = "saga.paused"
	SagaResumed     FactType = "saga.resumed"
	SagaSuspended   FactType = "saga.suspended"   // (lifecycle)
	SagaUnsuspended FactType = "saga.unsuspended" // (lifecycle)
	SagaCompleted   FactType = "saga.completed"   // (lifecycle)
	SagaCompensated FactType = "saga.compensated" // (lifecycle)
	SagaAbandoned   FactType = "saga.abandoned"   // (lifecycle)
	SagaBroken      FactType = "saga.broken"      // (lifecycle) an invariant broke
	SagaRebound     FactType = "saga.rebound"     // it goes on by another version of its definition

	AbortStarted    FactType = "abort.started" // (lifecycle)
	CancelRequested FactType = "cancel.requested"
	CancelRefused   FactType = "cancel.refused"
	DeadlinePassed  FactType = "deadline.passed"
	TimersShifted   FactType = "timers.shifted"

	AttentionRaised  FactType = "attention.raised"  // (lifecycle)
	AttentionCleared FactType = "attention.cleared" // (lifecycle)

	CertificateAmended FactType = "certificate.amended" // (lifecycle)

	StepHeld      FactType = "step.held"
	StepStarted   FactType = "step.started" // an edition of the command was created, and its first attempt
	StepSent      FactType = "step.sent"    // a further attempt of the same command, or a probe
	StepBackedOff FactType = "step.backed_off"
	StepSucceeded FactType = "step.succeeded"
	StepRejected  FactType = "step.rejected"
	StepUnknown   FactType = "step.unknown"
	StepSkipped   FactType = "step.skipped"
	StepStuck     FactType = "step.stuck"

	UndoStarted   FactType = "undo.started"
	UndoSent      FactType = "undo.sent"
	UndoBackedOff FactType = "undo.backed_off"
	UndoSucceeded FactType = "undo.succeeded"
	UndoRefused   FactType = "undo.failed"
	StepWaived    FactType = "step.waived"

	EffectChanged FactType = "effect.changed" // a late answer, or an operator, changed what is certain
	ReplyConflict FactType = "reply.conflict" // another outcome than the one that settled the command
	ReplyRecorded FactType = "reply.recorded" // an answer that is noted and changes no status
	ReplyIgnored  FactType = "reply.ignored"  // duplicate, late or stale
	PublishFailed FactType = "publish.refused"
)

// Fact is one line of a saga's history. Which fields are set depends on Type; folding all facts of a saga in order gives its
// stored state (S4).
type Fact struct {
	Seq      int64     `json:"seq"`
	At       time.Time `json:"at"`
	Type     FactType  `json:"type"`
	EventID  string    `json:"event_id,omitempty"` // of the event it came from
	Sequence int64     `json:"sequence,omitempty"` // ce_sequence where it is published; 0: it is not
	Step     string    `json:"step,omitempty"`

	Verb       Verb            `json:"verb,omitempty"`
	Edition    int             `json:"edition,omitempty"`
	Attempt    int             `json:"attempt,omitempty"`
	Renewed    bool            `json:"renewed,omitempty"` // the budget of attempts began anew
	Batch      BatchID         `json:"batch,omitzero"`    // of a command: its place in the outbox, and so its receipt
	Index      int             `json:"index,omitempty"`
	Payload    json.RawMessage `json:"payload,omitempty"`
	Output     json.RawMessage `json:"output,omitempty"`
	ExpiresAt  time.Time       `json:"expires_at,omitzero"`
	RetryAt    time.Time       `json:"retry_at,omitzero"`
	Outcome    ReplyOutcome    `json:"outcome,omitempty"`
	Code       string          `json:"code,omitempty"`
	Message    string          `json:"message,omitempty"`
	Effect     Effect          `json:"effect,omitempty"`
	Reply      *Coordinates    `json:"reply,omitempty"` // where the reply stands
	ByOperator bool            `json:"by_operator,omitempty"`
	Disputed   bool            `json:"disputed,omitempty"`
	Anomaly    bool            `json:"anomaly,omitempty"`

	Reason  AttentionReason `json:"reason,omitempty"` // of attention, or why a step is stuck
	Abort   *Abort          `json:"abort,omitempty"`
	By      string          `json:"by,omitempty"`   // who did it
	Wish    string          `json:"wish,omitempty"` // the operator's reason
	Shift   *Shift          `json:"shift,omitempty"`
	Start   *Start          `json:"start,omitempty"`
	End     *Certificate    `json:"certificate,omitempty"`
	Rebound *Rebound        `json:"rebound,omitempty"`
	Why     string          `json:"why,omitempty"` // one sentence for people
}

// Start is what a saga began with.
type Start struct {
	ID       ID                `json:"id"`
	Tenant   string            `json:"tenant"`
	Saga     string            `json:"saga"`
	Version  int               `json:"version"`
	Key      string            `json:"key,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Link     ID                `json:"link,omitzero"`
	Input    json.RawMessage   `json:"input"`
	Deadline time.Time         `json:"deadline,omitzero"`
}

// Shift moves timers by the time that they stood still, in microseconds.
type Shift struct {
	Deadline int64   `json:"deadline_us,omitempty"`
	Grace    int64   `json:"grace_us,omitempty"`
	Steps    []int64 `json:"steps_us,omitempty"` // by step; nil: none moves
}

// lifecycle reports whether the fact is published at the level `lifecycle`.
func (t FactType) lifecycle() bool {
	switch t {
	case SagaStarted, SagaSuspended, SagaUnsuspended, SagaCompleted, SagaCompensated, SagaAbandoned, SagaBroken,
		AbortStarted, AttentionRaised, AttentionCleared, CertificateAmended:
		return true
	case SagaPaused, SagaResumed, SagaRebound, CancelRequested, CancelRefused, DeadlinePassed, TimersShifted, StepHeld, StepStarted,
		StepSent, StepBackedOff, StepSucceeded, StepRejected, StepUnknown, StepSkipped, StepStuck, UndoStarted, UndoSent,
		UndoBackedOff, UndoSucceeded, UndoRefused, StepWaived, EffectChanged, ReplyConflict, ReplyRecorded, ReplyIgnored, PublishFailed:
		return false
	}
	return false
}
