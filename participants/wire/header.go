package wire

// The headers of commands and replies. Names are lower case and compared byte by byte.
const (
	HeaderContentType   = "content-type"
	HeaderSpecVersion   = "ce_specversion"
	HeaderID            = "ce_id"
	HeaderSource        = "ce_source"
	HeaderType          = "ce_type"
	HeaderSubject       = "ce_subject"
	HeaderTime          = "ce_time"
	HeaderSagaType      = "ce_sagatype"
	HeaderSagaVersion   = "ce_sagaversion"
	HeaderSagaStep      = "ce_sagastep"
	HeaderSagaVerb      = "ce_sagaverb"
	HeaderSagaTenant    = "ce_sagatenant"
	HeaderSagaAttempt   = "ce_sagaattempt"
	HeaderSagaEdition   = "ce_sagaedition"
	HeaderSagaToken     = "ce_sagatoken"
	HeaderReplyTo       = "ce_replyto"
	HeaderExpiryTime    = "ce_expirytime"
	HeaderCorrelationID = "ce_correlationid"
	HeaderCausationID   = "ce_causationid"
	HeaderSagaOutcome   = "ce_sagaoutcome"
	HeaderSagaCode      = "ce_sagacode"
	HeaderSagaMessage   = "ce_sagamessage"
	HeaderRetryAfter    = "ce_retryafter"
	HeaderSequence      = "ce_sequence"
	HeaderTraceParent   = "traceparent"
	HeaderTraceState    = "tracestate"
)

// HeaderName is the name in b; one of the protocol's costs no memory.
func HeaderName(b []byte) string {
	switch string(b) {
	case HeaderContentType:
		return HeaderContentType
	case HeaderSpecVersion:
		return HeaderSpecVersion
	case HeaderID:
		return HeaderID
	case HeaderSource:
		return HeaderSource
	case HeaderType:
		return HeaderType
	case HeaderSubject:
		return HeaderSubject
	case HeaderTime:
		return HeaderTime
	case HeaderSagaType:
		return HeaderSagaType
	case HeaderSagaVersion:
		return HeaderSagaVersion
	case HeaderSagaStep:
		return HeaderSagaStep
	case HeaderSagaVerb:
		return HeaderSagaVerb
	case HeaderSagaTenant:
		return HeaderSagaTenant
	case HeaderSagaAttempt:
		return HeaderSagaAttempt
	case HeaderSagaEdition:
		return HeaderSagaEdition
	case HeaderSagaToken:
		return HeaderSagaToken
	case HeaderReplyTo:
		return HeaderReplyTo
	case HeaderExpiryTime:
		return HeaderExpiryTime
	case HeaderCorrelationID:
		return HeaderCorrelationID
	case HeaderCausationID:
		return HeaderCausationID
	case HeaderSagaOutcome:
		return HeaderSagaOutcome
	case HeaderSagaCode:
		return HeaderSagaCode
	case HeaderSagaMessage:
		return HeaderSagaMessage
	case HeaderRetryAfter:
		return HeaderRetryAfter
	case HeaderSequence:
		return HeaderSequence
	case HeaderTraceParent:
		return HeaderTraceParent
	case HeaderTraceState:
		return HeaderTraceState
	}
	return string(b)
}

const (
	// SpecVersion is the CloudEvents version of every record.
	SpecVersion = "1.0"
	// ContentType is the media type of every value.
	ContentType = "application/json"

	// ReplySuffix is put behind a command's type in its reply.
	ReplySuffix = ".reply"
)

// Verb is what a command asks for.
type Verb string

const (
	Execute    Verb = "execute"    // take the step's effect
	Compensate Verb = "compensate" // undo it
	Probe      Verb = "probe"      // say what became of it; asks, never acts
)

// Valid reports whether v is one of the three verbs.
func (v Verb) Valid() bool { return v == Execute || v == Compensate || v == Probe }

// Outcome is what a reply says.
type Outcome string

const (
	Succeeded  Outcome = "succeeded"  // done; settles the command
	Rejected   Outcome = "rejected"   // a business no that asserts no effect; settles the command
	Failed     Outcome = "failed"     // a technical failure; the command is sent again
	InProgress Outcome = "inprogress" // a heartbeat; restarts the attempt's timeout
	Unknown    Outcome = "unknown"    // a probe that cannot tell
)

// Valid reports whether o is one of the five outcomes.
func (o Outcome) Valid() bool {
	switch o {
	case Succeeded, Rejected, Failed, InProgress, Unknown:
		return true
	}
	return false
}

// Machine codes that the protocol gives a meaning to. Participants add their own beside them.
const (
	CodeAlreadyCompensated = "already_compensated" // rejected: the step was compensated before this execute came
	CodeSuperseded         = "superseded"          // rejected: a higher edition of the command is known
	CodeNothingToUndo      = "nothing_to_undo"     // succeeded, to a compensate: there is no effect, and there will be none
	CodeNotFound           = "not_found"           // rejected, to a probe: never executed, and this edition never will be
	CodeExecuteOpen        = "execute_open"        // failed: the execute is claimed at a provider, its fate not known yet
	CodeExpired            = "expired"             // failed: the attempt's expiry had passed when it was read
	CodeTimeout            = "timeout"             // failed: the handler was stopped at the attempt's expiry
	CodeError              = "error"               // failed: an error without a code of its own
	CodePanic              = "panic"               // failed: the handler panicked
	CodeUnknownCommand     = "unknown_command"     // failed: this version of the participant has no such command
	CodeBarrierUnavailable = "barrier_unavailable" // failed: the barrier's database did not answer
	CodeOutputTooLarge     = "output_too_large"    // failed: the output is above what a reply may carry; nothing was committed
	CodeInvalidPayload     = "invalid_payload"     // rejected: the payload is not what the command takes
)
