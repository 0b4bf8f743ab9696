package saga

import "time"

// Cause says why a saga waits.
type Cause string

// The causes, in the order in which they are shown.
const (
	CauseAttention   Cause = "attention"   // a stuck or undo_failed step: a person
	CauseHold        Cause = "hold"        // a pause, a hold, a limit
	CauseUnpublished Cause = "unpublished" // the command is still in the outbox
	CauseReply       Cause = "reply"       // a participant
	CauseBackoff     Cause = "backoff"     // time
)

// BlockedOn is one thing that a saga waits for. A saga that is not terminal always waits for something.
type BlockedOn struct {
	Cause       Cause           `json:"cause"`
	Step        string          `json:"step,omitempty"`
	Participant string          `json:"participant,omitempty"`
	Verb        Verb            `json:"verb,omitempty"`
	Attempt     int             `json:"attempt,omitempty"`
	Reason      AttentionReason `json:"reason,omitempty"`
	Message     string          `json:"message,omitempty"`
	Since       time.Time       `json:"since"`
	Until       time.Time       `json:"until,omitzero"` // zero: no time ends it
}
