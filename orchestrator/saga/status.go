package saga

// Status is where a saga is. Its names are those of the API and of the column.
type Status string

// The statuses of a saga. Completed, compensated and abandoned are terminal and final (S16).
const (
	Running      Status = "running"      // leaves by ending, by an abort, or by getting stuck
	Compensating Status = "compensating" // an abort has begun; leaves when every step is settled backwards
	Suspended    Status = "suspended"    // nothing can move without a person; an operator or a late reply moves it out
	Completed    Status = "completed"    // every step succeeded or was skipped
	Compensated  Status = "compensated"  // an abort has begun and every step is settled backwards
	Abandoned    Status = "abandoned"    // an operator closed it and accepted the residue
)

// Statuses lists every status in the order of a saga's life.
func Statuses() []Status {
	return []Status{Running, Compensating, Suspended, Completed, Compensated, Abandoned}
}

// Terminal reports whether a saga in this status has ended for good.
func (s Status) Terminal() bool { return s == Completed || s == Compensated || s == Abandoned }

// StepStatus is where a step is.
type StepStatus string

// The statuses of a step: first those of the way forward, then those of the way back.
const (
	Pending    StepStatus = "pending"     // leaves when its predecessors are settled (design rule 1)
	Held       StepStatus = "held"        // ready, not sent: a hold; leaves when that ends, or is skipped
	InFlight   StepStatus = "in_flight"   // a command is out; leaves by a reply, a timeout, or an operator
	BackingOff StepStatus = "backing_off" // waits to be sent again; leaves when the back-off ends
	Succeeded  StepStatus = "succeeded"   // leaves only when it is undone
	Rejected   StepStatus = "rejected"    // the participant said no, or an operator did; a late success undoes it (design rule 9)
	Unknown    StepStatus = "unknown"     // may have taken effect; leaves by an answer, or when it is undone
	Skipped    StepStatus = "skipped"     // its `when` was false, or an operator skipped it
	Stuck      StepStatus = "stuck"       // needs a person; leaves by an operator, a late answer, or an abort

	Undoing        StepStatus = "undoing"          // a compensation is out
	UndoBackingOff StepStatus = "undo_backing_off" // waits to send the compensation again
	Undone         StepStatus = "undone"           // the compensation succeeded
	UndoFailed     StepStatus = "undo_failed"      // needs a person; leaves by retry, complete, waive, or a late success
	Waived         StepStatus = "waived"           // an operator accepted what was left
)

// StepStatuses lists every status of a step.
func StepStatuses() []StepStatus {
	return []StepStatus{
		Pending, Held, InFlight, BackingOff, Succeeded, Rejected, Unknown, Skipped, Stuck,
		Undoing, UndoBackingOff, Undone, UndoFailed, Waived,
	}
}

// Effect is what is certain about a step's effect in the world.
type Effect string

// The certainties of an effect.
const (
	EffectNone       Effect = "none"        // no command was created, or the participant rejected the current edition
	EffectPossible   Effect = "possible"    // a command was created and not answered
	EffectCertain    Effect = "certain"     // the participant said so, or an operator did
	EffectUndone     Effect = "undone"      // the compensation succeeded
	EffectUndoFailed Effect = "undo_failed" // the compensation was refused
	EffectWaived     Effect = "waived"      // an operator accepted it
)

// Verdict is the one word a saga ends with.
type Verdict string

// The verdicts.
const (
	Committed      Verdict = "committed"
	CleanlyAborted Verdict = "cleanly_aborted"
	Residue        Verdict = "residue"
)

// Kind says what may happen to a step once it was asked.
type Kind string

// The kinds of a step.
const (
	Compensatable Kind = "compensatable" // the default: can be undone
	Pivot         Kind = "pivot"         // the point of no return; at most one
	Retriable     Kind = "retriable"     // after the pivot; retried until it succeeds
)

// Verb is what a command asks of a participant.
type Verb string

// The verbs of a command.
const (
	Execute    Verb = "execute"
	Compensate Verb = "compensate"
	Probe      Verb = "probe"
)

// ReplyOutcome is what a participant answers.
type ReplyOutcome string

// The outcomes of a reply.
const (
	ReplySucceeded  ReplyOutcome = "succeeded"
	ReplyRejected   ReplyOutcome = "rejected"   // business no; asserts no effect
	ReplyFailed     ReplyOutcome = "failed"     // technical; retried
	ReplyInProgress ReplyOutcome = "inprogress" // heartbeat
	ReplyUnknown    ReplyOutcome = "unknown"    // answer to a probe that cannot tell
)

// Codes of replies that mean something to the engine.
const (
	CodeNothingToUndo = "nothing_to_undo" // with succeeded, to a compensate: the barrier had seen no effect
	CodeNotFound      = "not_found"       // with rejected, to a probe: the execute had never arrived
)

// AbortReason says why an abort began.
type AbortReason string

// The reasons of an abort.
const (
	AbortStepRejected AbortReason = "step_rejected" // a compensatable step or the pivot was rejected
	AbortStepUnknown  AbortReason = "step_unknown"  // a compensatable step used up its attempts (design rule 4)
	AbortCancelled    AbortReason = "cancelled"     // an operator or the API asked
	AbortDeadline     AbortReason = "deadline"      // the deadline passed before the pivot
)

// AttentionReason says why a person should look at a saga.
type AttentionReason string

// The reasons of attention. Those about a step clear when the step moves; late_effect, reply.conflict and barrier are
// cleared by an operator's acknowledge.
const (
	AttentionExhausted     AttentionReason = "exhausted"      // a pivot, a retriable step or a compensation used up its attempts and goes on
	AttentionSlow          AttentionReason = "slow"           // ten timeouts' worth of heartbeats
	AttentionDeadline      AttentionReason = "deadline"       // the deadline passed where nothing is compensated for it
	AttentionBadOutput     AttentionReason = "bad_output"     // succeeded with an output that breaks `returns` or the limits
	AttentionExpression    AttentionReason = "expression"     // an expression failed at run time
	AttentionRejected      AttentionReason = "rejected"       // a retriable step was rejected, against its contract
	AttentionUnpublishable AttentionReason = "unpublishable"  // the broker refused the command for good
	AttentionUndoFailed    AttentionReason = "undo_failed"    // a compensation was rejected or could not be formed
	AttentionLateEffect    AttentionReason = "late_effect"    // an effect became certain where none was expected
	AttentionConflict      AttentionReason = "reply.conflict" // a participant contradicted itself or an operator
	AttentionBarrier       AttentionReason = "barrier"        // a participant undid nothing where there was an effect
	AttentionHeld          AttentionReason = "held"           // a hold is older than 15 minutes
	AttentionHistory       AttentionReason = "history"        // more than 10,000 facts
	AttentionInvariant     AttentionReason = "invariant"      // a broken invariant; only abandon is left
)
