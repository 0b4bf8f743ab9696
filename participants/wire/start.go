package wire

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a start and its answer have beside the headers of commands and replies.
const (
	HeaderSagaKey    = "ce_sagakey"
	HeaderSagaLabels = "ce_sagalabels"

	// TypeStart is the ce_type of a start; its answer's has ReplySuffix behind it.
	TypeStart = "skald.start"
	// MaxStartID is the longest ce_id of a start, in bytes.
	MaxStartID = 255
)

// Start asks the engine for a new saga. Its tenant is that of the topic; no header says it.
type Start struct {
	ID            string            // the idempotency key: the same id and body is the same saga
	Source        string            // who asks, such as "/shop"
	SagaType      string            // the definition
	SagaVersion   int               // 0: the highest active one
	Key           string            // business key; only where the definition has none of its own; "": none
	Labels        map[string]string // nil: none
	ReplyTo       string            // topic for the answer; "": none is wanted
	Time          time.Time         // UTC; zero: not said
	CorrelationID string            // echoed in the answer; "": none
	TraceParent   string            // "": not traced
	TraceState    string            // "": none
	Value         []byte            // the saga's input, JSON
}

// Record encodes s for topic, with key as the record's key: starts with the same key are read in order, and none orders nothing.
// Headers come in a fixed order. The record shares key and Value.
func (s *Start) Record(topic string, key []byte) Record {
	var h headerWriter
	h.add(HeaderContentType, ContentType)
	h.add(HeaderSpecVersion, SpecVersion)
	h.add(HeaderID, s.ID)
	h.add(HeaderSource, s.Source)
	h.add(HeaderType, TypeStart)
	if !s.Time.IsZero() {
		h.add(HeaderTime, formatTime(s.Time))
	}
	h.add(HeaderSagaType, s.SagaType)
	if s.SagaVersion > 0 {
		h.add(HeaderSagaVersion, strconv.Itoa(s.SagaVersion))
	}
	h.addOptional(HeaderSagaKey, s.Key)
	if len(s.Labels) > 0 {
		labels, _ := json.Marshal(s.Labels) // a map of strings always has its JSON, keys sorted
		h.add(HeaderSagaLabels, string(labels))
	}
	h.addOptional(HeaderReplyTo, s.ReplyTo)
	h.addOptional(HeaderCorrelationID, s.CorrelationID)
	h.addOptional(HeaderTraceParent, s.TraceParent)
	h.addOptional(HeaderTraceState, s.TraceState)
	return Record{Topic: topic, Key: key, Value: s.Value, Headers: h.headers, Timestamp: s.Time}
}

// DecodeStart reads a start. When it fails the error is a *DecodeError with every problem, and the start holds what could be read,
// so that it may be answered. The start shares Value with the record, whose key it ignores.
func DecodeStart(record Record) (Start, error) {
	d := newDecoder(&record)
	s := Start{
		ID:            d.startID(),
		Source:        d.text(HeaderSource),
		SagaType:      d.name(HeaderSagaType),
		Key:           d.plain(HeaderSagaKey),
		Labels:        d.labels(),
		Time:          d.optionalTime(HeaderTime),
		CorrelationID: d.optional(HeaderCorrelationID),
		TraceParent:   d.optional(HeaderTraceParent),
		TraceState:    d.optional(HeaderTraceState),
		Value:         record.Value,
	}
	if _, given := record.Header(HeaderSagaVersion); given {
		s.SagaVersion = d.number(HeaderSagaVersion, 1)
	}
	if _, given := record.Header(HeaderReplyTo); given {
		s.ReplyTo = d.topic(HeaderReplyTo)
	}
	if t := d.text(HeaderType); t != "" && t != TypeStart {
		d.problem(HeaderType, "is not "+TypeStart+": "+strconv.Quote(clip(t)))
	}
	if v := d.text(HeaderSpecVersion); v != "" && v != SpecVersion {
		d.problem(HeaderSpecVersion, "is not "+SpecVersion+": "+strconv.Quote(clip(v)))
	}
	d.value(true)
	return s, d.err("start")
}

func (d *decoder) startID() string {
	s := d.text(HeaderID)
	if len(s) > MaxStartID || strings.ContainsFunc(s, isControl) {
		d.problem(HeaderID, "is not 1 to "+strconv.Itoa(MaxStartID)+" bytes without control characters: "+strconv.Quote(clip(s)))
		return ""
	}
	return s
}

// plain is an optional text without control characters.
func (d *decoder) plain(key string) string {
	s := d.optional(key)
	if strings.ContainsFunc(s, isControl) {
		d.problem(key, "has control characters: "+strconv.Quote(clip(s)))
		return ""
	}
	return s
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// labels takes a JSON object of strings.
func (d *decoder) labels() map[string]string {
	s := d.optional(HeaderSagaLabels)
	if s == "" {
		return nil
	}
	var out map[string]string
	dec := json.NewDecoder(bytes.NewReader([]byte(s)))
	if err := dec.Decode(&out); err != nil || out == nil || dec.More() {
		d.problem(HeaderSagaLabels, "is not a JSON object of strings: "+strconv.Quote(clip(s)))
		return nil
	}
	return out
}

// StartOutcome is what became of a start.
type StartOutcome string

const (
	Accepted StartOutcome = "accepted" // there is a saga: a new one, or the one that the id or the key has already
	Refused  StartOutcome = "refused"  // there is none
)

// StartAnswer answers a start.
type StartAnswer struct {
	ID            string // new for each answer
	Source        string // "/skald/<cluster>"
	Key           []byte // of the record: that of the start's record
	Time          time.Time
	CausationID   string // the start's ce_id
	CorrelationID string // echoed; "": none
	Outcome       StartOutcome
	SagaID        ID     // of Accepted
	SagaType      string // of Accepted
	SagaVersion   int    // of Accepted
	Code          string // of Refused
	Message       string // of Refused
	TraceParent   string // echoed; "": not traced
	TraceState    string // echoed; "": none
	Value         []byte // JSON
}

// Record encodes a for topic. Headers come in a fixed order.
func (a *StartAnswer) Record(topic string) Record {
	var h headerWriter
	h.add(HeaderContentType, ContentType)
	h.add(HeaderSpecVersion, SpecVersion)
	h.add(HeaderID, a.ID)
	h.add(HeaderSource, a.Source)
	h.add(HeaderType, TypeStart+ReplySuffix)
	if a.Outcome == Accepted {
		h.add(HeaderSubject, a.SagaID.String())
	}
	h.add(HeaderTime, formatTime(a.Time))
	if a.Outcome == Accepted {
		h.add(HeaderSagaType, a.SagaType)
		h.add(HeaderSagaVersion, strconv.Itoa(a.SagaVersion))
	}
	h.addOptional(HeaderCorrelationID, a.CorrelationID)
	h.add(HeaderCausationID, a.CausationID)
	h.add(HeaderSagaOutcome, string(a.Outcome))
	h.addOptional(HeaderSagaCode, a.Code)
	h.addOptional(HeaderSagaMessage, a.Message)
	h.addOptional(HeaderTraceParent, a.TraceParent)
	h.addOptional(HeaderTraceState, a.TraceState)
	return Record{Topic: topic, Key: slices.Clone(a.Key), Value: a.Value, Headers: h.headers, Timestamp: a.Time}
}
