package wire

import (
	"encoding/json"
	"math"
	"mime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// What a Problem is about when it is not a header.
const (
	PartKey   = "key"
	PartValue = "value"
)

// Problem is one thing that is wrong with a record.
type Problem struct {
	Header string `json:"header"` // the header's name, or PartKey or PartValue
	Why    string `json:"why"`    // such as "is missing"; holds at most 80 bytes of what was sent, and never a token
}

// DecodeError lists everything that is wrong with a record, in the order of the header table.
type DecodeError struct {
	Kind     string // "command" or "reply"
	Problems []Problem
}

// Error is all problems on one line.
func (e *DecodeError) Error() string {
	var b strings.Builder
	b.WriteString("decode ")
	b.WriteString(e.Kind)
	for i, p := range e.Problems {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(p.Header)
		b.WriteString(" ")
		b.WriteString(p.Why)
	}
	return b.String()
}

// decoder reads headers and gathers problems; a field with a problem is left zero.
type decoder struct {
	record   *Record
	problems []Problem
}

func newDecoder(record *Record) *decoder { return &decoder{record: record} }

func (d *decoder) err(kind string) error {
	if len(d.problems) == 0 {
		return nil
	}
	return &DecodeError{Kind: kind, Problems: d.problems}
}

func (d *decoder) problem(header, why string) {
	d.problems = append(d.problems, Problem{Header: header, Why: why})
}

// optional returns "" for a header that is absent. One that appears twice is a problem: readers would disagree on
// which counts.
func (d *decoder) optional(key string) string {
	var value []byte
	found := 0
	for i := range d.record.Headers {
		if d.record.Headers[i].Key == key {
			if found++; found == 1 {
				value = d.record.Headers[i].Value
			}
		}
	}
	if found > 1 {
		d.problem(key, "appears "+strconv.Itoa(found)+" times")
		return ""
	}
	if !utf8.Valid(value) {
		d.problem(key, "is not UTF-8")
		return ""
	}
	return string(value)
}

func (d *decoder) text(key string) string {
	before := len(d.problems)
	s := d.optional(key)
	if s == "" && len(d.problems) == before {
		if _, ok := d.record.Header(key); ok {
			d.problem(key, "is empty")
		} else {
			d.problem(key, "is missing")
		}
	}
	return s
}

func (d *decoder) id(key string) ID {
	s := d.text(key)
	if s == "" {
		return ID{}
	}
	id, err := ParseID(s)
	if err != nil {
		d.problem(key, "is not a UUID: "+strconv.Quote(clip(s)))
	}
	return id
}

func (d *decoder) name(key string) string {
	s := d.text(key)
	if s != "" && !ValidName(s) {
		d.problem(key, "is not a name: "+strconv.Quote(clip(s)))
		return ""
	}
	return s
}

func (d *decoder) topic(key string) string {
	s := d.text(key)
	if s != "" && !ValidTopic(s) {
		d.problem(key, "is not a topic: "+strconv.Quote(clip(s)))
		return ""
	}
	return s
}

// number takes plain decimal only: no sign, no leading zero, at most 2^31-1.
func (d *decoder) number(key string, least int) int {
	s := d.text(key)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || strconv.FormatInt(n, 10) != s || n < int64(least) {
		d.problem(key, "is not a whole number of "+strconv.Itoa(least)+" or more: "+strconv.Quote(clip(s)))
		return 0
	}
	return int(n)
}

func (d *decoder) milliseconds(key string) time.Duration {
	s := d.optional(key)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(time.Millisecond) {
		d.problem(key, "is not a number of milliseconds: "+strconv.Quote(clip(s)))
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

func (d *decoder) time(key string) time.Time { return d.parseTime(key, d.text(key)) }

func (d *decoder) optionalTime(key string) time.Time { return d.parseTime(key, d.optional(key)) }

func (d *decoder) parseTime(key, s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		d.problem(key, "is not an RFC 3339 time: "+strconv.Quote(clip(s)))
		return time.Time{}
	}
	return t.UTC()
}

func (d *decoder) verb() Verb {
	s := Verb(d.text(HeaderSagaVerb))
	if s != "" && !s.Valid() {
		d.problem(HeaderSagaVerb, "is not execute, compensate or probe: "+strconv.Quote(clip(string(s))))
		return ""
	}
	return s
}

func (d *decoder) outcome() Outcome {
	s := Outcome(d.text(HeaderSagaOutcome))
	if s != "" && !s.Valid() {
		d.problem(HeaderSagaOutcome, "is not an outcome: "+strconv.Quote(clip(string(s))))
		return ""
	}
	return s
}

// eventType splits ce_type into participant and command.
func (d *decoder) eventType(suffix string) (participant, command string) {
	s := d.text(HeaderType)
	if s == "" {
		return "", ""
	}
	rest, ok := strings.CutSuffix(s, suffix)
	participant, command, _ = strings.Cut(rest, ".")
	if !ok || !ValidName(participant) || !ValidCommandName(command) {
		d.problem(HeaderType, "is not <participant>.<Command>.v<n>"+suffix+": "+strconv.Quote(clip(s)))
		return "", ""
	}
	return participant, command
}

// envelope checks what carries no data: the CloudEvents version and the record's key.
func (d *decoder) envelope(sagaID ID) {
	if s := d.text(HeaderSpecVersion); s != "" && s != SpecVersion {
		d.problem(HeaderSpecVersion, "is not "+SpecVersion+": "+strconv.Quote(clip(s)))
	}
	if key, err := ParseID(string(d.record.Key)); err != nil {
		d.problem(PartKey, "is not a UUID: "+strconv.Quote(clip(string(d.record.Key))))
	} else if !sagaID.IsZero() && key != sagaID {
		d.problem(PartKey, "is not the saga id in "+HeaderSubject)
	}
}

// value checks that the value is JSON and said to be. An empty value needs no content type.
func (d *decoder) value(required bool) {
	if len(d.record.Value) == 0 {
		if required {
			d.problem(PartValue, "is empty")
		}
		return
	}
	if s := d.text(HeaderContentType); s != "" && s != ContentType {
		if media, _, err := mime.ParseMediaType(s); err != nil || media != ContentType {
			d.problem(HeaderContentType, "is not "+ContentType+": "+strconv.Quote(clip(s)))
		}
	}
	if !utf8.Valid(d.record.Value) {
		d.problem(PartValue, "is not UTF-8")
	} else if !json.Valid(d.record.Value) {
		d.problem(PartValue, "is not JSON")
	}
}
