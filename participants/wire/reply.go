package wire

import (
	"strconv"
	"time"
)

// Reply answers one delivery of a command.
type Reply struct {
	ID            ID            // new for each reply
	Source        string        // "/<participant>"
	Participant   string        // first part of ce_type
	Name          string        // the command that is answered; ce_type without participant and ".reply"
	SagaID        ID            // also the record's key
	Step          string        // echoed
	Verb          Verb          // echoed
	Tenant        string        // echoed
	Attempt       int           // echoed
	Edition       int           // echoed
	Token         string        // echoed
	Time          time.Time     // when it was made; UTC; zero: not said
	CorrelationID string        // echoed; "": not said
	CausationID   ID            // the command id
	Outcome       Outcome       //
	Code          string        // machine code; "": none
	Message       string        // human text; "": none
	RetryAfter    time.Duration // with Failed: wait at least so long, in whole milliseconds; zero: not said
	TraceParent   string        // "": not traced
	TraceState    string        // "": none
	Value         []byte        // the output, JSON; empty: none
}

// ReplyTo returns a reply to c by its participant with everything echoed; the caller sets the rest: Outcome, and
// where they apply Code, Message, RetryAfter, Value and the trace fields.
func ReplyTo(c *Command, id ID, at time.Time) Reply {
	return Reply{
		ID:            id,
		Source:        "/" + c.Participant,
		Participant:   c.Participant,
		Name:          c.Name,
		SagaID:        c.SagaID,
		Step:          c.Step,
		Verb:          c.Verb,
		Tenant:        c.Tenant,
		Attempt:       c.Attempt,
		Edition:       c.Edition,
		Token:         c.Token,
		Time:          at,
		CorrelationID: c.CorrelationID,
		CausationID:   c.ID,
	}
}

// Type is ce_type: "<participant>.<Command>.reply".
func (r *Reply) Type() string { return r.Participant + "." + r.Name + ReplySuffix }

// Record encodes r for topic. Headers come in a fixed order. The record shares Value with r.
func (r *Reply) Record(topic string) Record {
	var h headerWriter
	h.add(HeaderContentType, ContentType)
	h.add(HeaderSpecVersion, SpecVersion)
	h.add(HeaderID, r.ID.String())
	h.add(HeaderSource, r.Source)
	h.add(HeaderType, r.Type())
	h.add(HeaderSubject, r.SagaID.String())
	if !r.Time.IsZero() {
		h.add(HeaderTime, formatTime(r.Time))
	}
	h.add(HeaderSagaStep, r.Step)
	h.add(HeaderSagaVerb, string(r.Verb))
	h.add(HeaderSagaTenant, r.Tenant)
	h.add(HeaderSagaAttempt, strconv.Itoa(r.Attempt))
	h.add(HeaderSagaEdition, strconv.Itoa(r.Edition))
	h.add(HeaderSagaToken, r.Token)
	h.addOptional(HeaderCorrelationID, r.CorrelationID)
	h.add(HeaderCausationID, r.CausationID.String())
	h.add(HeaderSagaOutcome, string(r.Outcome))
	h.addOptional(HeaderSagaCode, r.Code)
	h.addOptional(HeaderSagaMessage, r.Message)
	if ms := r.RetryAfter.Milliseconds(); ms > 0 {
		h.add(HeaderRetryAfter, strconv.FormatInt(ms, 10))
	}
	h.addOptional(HeaderTraceParent, r.TraceParent)
	h.addOptional(HeaderTraceState, r.TraceState)
	return Record{Topic: topic, Key: []byte(r.SagaID.String()), Value: r.Value, Headers: h.headers, Timestamp: r.Time}
}

// DecodeReply reads a reply. When it fails the error is a *DecodeError with every problem, and the reply holds the
// fields that could be read, for the quarantine. It does not verify the token. The reply shares Value with the record.
func DecodeReply(record Record) (Reply, error) {
	d := newDecoder(&record)
	r := Reply{
		ID:            d.id(HeaderID),
		Source:        d.text(HeaderSource),
		SagaID:        d.id(HeaderSubject),
		Step:          d.name(HeaderSagaStep),
		Verb:          d.verb(),
		Tenant:        d.text(HeaderSagaTenant),
		Attempt:       d.number(HeaderSagaAttempt, 1),
		Edition:       d.number(HeaderSagaEdition, 0),
		Token:         d.text(HeaderSagaToken),
		Time:          d.optionalTime(HeaderTime),
		CorrelationID: d.optional(HeaderCorrelationID),
		CausationID:   d.id(HeaderCausationID),
		Outcome:       d.outcome(),
		Code:          d.optional(HeaderSagaCode),
		Message:       d.optional(HeaderSagaMessage),
		RetryAfter:    d.milliseconds(HeaderRetryAfter),
		TraceParent:   d.optional(HeaderTraceParent),
		TraceState:    d.optional(HeaderTraceState),
		Value:         record.Value,
	}
	r.Participant, r.Name = d.eventType(ReplySuffix)
	d.envelope(r.SagaID)
	d.value(false)
	return r, d.err("reply")
}
