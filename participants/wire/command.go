package wire

import (
	"strconv"
	"time"
)

// Command is one delivery of a command. Between deliveries of the same command only Attempt, Time, Expiry, Token and
// the trace fields change [S5].
type Command struct {
	ID            ID        // CommandID(SagaID, Step, Verb, Edition)
	Source        string    // "/skald/<cluster>"
	Participant   string    // who is asked; first part of ce_type
	Name          string    // the command, such as "ReserveItems.v1"; rest of ce_type
	SagaID        ID        // also the record's key
	SagaType      string    // the definition's name
	SagaVersion   int       // its version, 1 or more
	Step          string    //
	Verb          Verb      //
	Tenant        string    //
	Attempt       int       // 1, 2, ... within the edition
	Edition       int       // 0, 1, ...
	Token         string    // opaque to participants; to be echoed
	ReplyTo       string    // topic to reply to
	Time          time.Time // when this attempt was created; UTC
	Expiry        time.Time // when this attempt times out; UTC
	CorrelationID string    // business key, else saga id
	TraceParent   string    // "": not traced
	TraceState    string    // "": none
	Value         []byte    // the payload, JSON, exactly as it was stored [S22]
}

// Type is ce_type: "<participant>.<Command>".
func (c *Command) Type() string { return c.Participant + "." + c.Name }

// Record encodes c for topic. Headers come in a fixed order. The record shares Value with c.
func (c *Command) Record(topic string) Record {
	var h headerWriter
	h.add(HeaderContentType, ContentType)
	h.add(HeaderSpecVersion, SpecVersion)
	h.add(HeaderID, c.ID.String())
	h.add(HeaderSource, c.Source)
	h.add(HeaderType, c.Type())
	h.add(HeaderSubject, c.SagaID.String())
	h.add(HeaderTime, formatTime(c.Time))
	h.add(HeaderSagaType, c.SagaType)
	h.add(HeaderSagaVersion, strconv.Itoa(c.SagaVersion))
	h.add(HeaderSagaStep, c.Step)
	h.add(HeaderSagaVerb, string(c.Verb))
	h.add(HeaderSagaTenant, c.Tenant)
	h.add(HeaderSagaAttempt, strconv.Itoa(c.Attempt))
	h.add(HeaderSagaEdition, strconv.Itoa(c.Edition))
	h.add(HeaderSagaToken, c.Token)
	h.add(HeaderReplyTo, c.ReplyTo)
	h.add(HeaderExpiryTime, formatTime(c.Expiry))
	h.add(HeaderCorrelationID, c.CorrelationID)
	h.addOptional(HeaderTraceParent, c.TraceParent)
	h.addOptional(HeaderTraceState, c.TraceState)
	return Record{Topic: topic, Key: []byte(c.SagaID.String()), Value: c.Value, Headers: h.headers, Timestamp: c.Time}
}

// DecodeCommand reads a command. When it fails the error is a *DecodeError with every problem, and the command holds
// the fields that could be read, for the log. The command shares Value with the record.
func DecodeCommand(record Record) (Command, error) {
	d := newDecoder(&record)
	c := Command{
		ID:            d.id(HeaderID),
		Source:        d.text(HeaderSource),
		SagaID:        d.id(HeaderSubject),
		SagaType:      d.name(HeaderSagaType),
		SagaVersion:   d.number(HeaderSagaVersion, 1),
		Step:          d.name(HeaderSagaStep),
		Verb:          d.verb(),
		Tenant:        d.text(HeaderSagaTenant),
		Attempt:       d.number(HeaderSagaAttempt, 1),
		Edition:       d.number(HeaderSagaEdition, 0),
		Token:         d.text(HeaderSagaToken),
		ReplyTo:       d.topic(HeaderReplyTo),
		Time:          d.time(HeaderTime),
		Expiry:        d.time(HeaderExpiryTime),
		CorrelationID: d.text(HeaderCorrelationID),
		TraceParent:   d.optional(HeaderTraceParent),
		TraceState:    d.optional(HeaderTraceState),
		Value:         record.Value,
	}
	c.Participant, c.Name = d.eventType("")
	d.envelope(c.SagaID)
	d.value(true)
	return c, d.err("command")
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
