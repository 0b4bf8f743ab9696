package conformance

import (
	"encoding/json"
	"fmt"
	"mime"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/skaldhq/skald/participants/wire"
)

const (
	maxOutput  = 256 << 10 // bytes of a reply's value
	maxMessage = 1 << 10   // bytes of ce_sagamessage
)

// rule is a check about every reply of the run.
type rule struct {
	Check
	about func(*wire.Record) bool // which replies; nil: all
	// judge says what is wrong with a reply to a delivery; "": nothing. nil: the rule is about replies that fit no delivery.
	judge func(*session, *delivery, *wire.Record) string
}

const (
	sectionReplies = "Replies"
	sectionTopics  = "Topics, keys, partitions"
)

func rules() []rule {
	says := func(name, section, says string) Check { return Check{name, section, says} }
	return []rule{
		{Check: says("reply-asked", "The token", "a participant can answer only what it was asked")},
		{Check: says("reply-key", sectionTopics, "the key of every record is the saga id as text"), judge: replyKey},
		{Check: says("reply-partition", sectionTopics, "murmur2 of the key, the sign bit cleared, modulo the number of partitions"), judge: replyPartition},
		{Check: says("reply-headers", "Records", "header names are lower case; no header comes twice; values are UTF-8"), judge: replyHeaders},
		{Check: says("reply-specversion", sectionReplies, "ce_specversion is 1.0"), judge: exactly(wire.HeaderSpecVersion, func(*wire.Command) string { return wire.SpecVersion })},
		{Check: says("reply-id", sectionReplies, "ce_id is a UUID, a new one for each reply"), judge: replyID},
		{Check: says("reply-source", sectionReplies, "ce_source is /<participant>"), judge: exactly(wire.HeaderSource, func(c *wire.Command) string { return "/" + c.Participant })},
		{Check: says("reply-type", sectionReplies, "ce_type is the command's + .reply"), judge: exactly(wire.HeaderType, func(c *wire.Command) string { return c.Type() + wire.ReplySuffix })},
		{Check: says("reply-subject", sectionReplies, "ce_subject is the saga id"), judge: exactly(wire.HeaderSubject, func(c *wire.Command) string { return c.SagaID.String() })},
		{Check: says("reply-step", sectionReplies, "ce_sagastep is echoed"), judge: exactly(wire.HeaderSagaStep, func(c *wire.Command) string { return c.Step })},
		{Check: says("reply-verb", sectionReplies, "ce_sagaverb is echoed"), judge: exactly(wire.HeaderSagaVerb, func(c *wire.Command) string { return string(c.Verb) })},
		{Check: says("reply-tenant", sectionReplies, "ce_sagatenant is echoed"), judge: exactly(wire.HeaderSagaTenant, func(c *wire.Command) string { return c.Tenant })},
		{Check: says("reply-attempt", sectionReplies, "ce_sagaattempt is echoed, from the attempt that is answered"), judge: exactly(wire.HeaderSagaAttempt, func(c *wire.Command) string { return strconv.Itoa(c.Attempt) })},
		{Check: says("reply-edition", sectionReplies, "ce_sagaedition is echoed"), judge: exactly(wire.HeaderSagaEdition, func(c *wire.Command) string { return strconv.Itoa(c.Edition) })},
		{Check: says("reply-token", "The token", "ce_sagatoken is echoed, from the attempt that is answered"), judge: exactly(wire.HeaderSagaToken, func(c *wire.Command) string { return c.Token })},
		{Check: says("reply-causation", sectionReplies, "ce_causationid is the command's ce_id"), judge: exactly(wire.HeaderCausationID, func(c *wire.Command) string { return c.ID.String() })},
		{Check: says("reply-correlation", sectionReplies, "ce_correlationid is echoed"), about: has(wire.HeaderCorrelationID), judge: exactly(wire.HeaderCorrelationID, func(c *wire.Command) string { return c.CorrelationID })},
		{Check: says("reply-time", sectionReplies, "ce_time is RFC 3339, written in UTC"), about: has(wire.HeaderTime), judge: replyTime},
		{Check: says("reply-outcome", "Outcomes and codes", "succeeded, rejected, failed or inprogress; unknown to a probe alone"), judge: replyOutcome},
		{Check: says("reply-content-type", sectionReplies, "content-type is application/json where there is a value"), about: hasValue, judge: replyContentType},
		{Check: says("reply-value", sectionReplies, "the value is JSON of at most 256 KiB, or empty"), about: hasValue, judge: replyValue},
		{Check: says("reply-message", "Records", "messages are of at most 1 KiB, without control characters"), about: has(wire.HeaderSagaMessage), judge: replyMessage},
		{Check: says("reply-retryafter", sectionReplies, "ce_retryafter is whole milliseconds, with failed"), about: has(wire.HeaderRetryAfter), judge: replyRetryAfter},
	}
}

func has(name string) func(*wire.Record) bool {
	return func(r *wire.Record) bool { return header(r, name) != "" }
}

func hasValue(r *wire.Record) bool { return len(r.Value) > 0 }

// exactly judges a header that is known from the command.
func exactly(name string, want func(*wire.Command) string) func(*session, *delivery, *wire.Record) string {
	return func(_ *session, d *delivery, r *wire.Record) string {
		got, ok := r.Header(name)
		switch want := want(&d.command); {
		case !ok:
			return "there is no " + name
		case got != want:
			return fmt.Sprintf("%s is %s, want %s", name, quote([]byte(got)), quote([]byte(want)))
		}
		return ""
	}
}

func replyKey(_ *session, d *delivery, r *wire.Record) string {
	if want := d.command.SagaID.String(); string(r.Key) != want {
		return fmt.Sprintf("the key is %s, want %q", quote(r.Key), want)
	}
	return ""
}

func replyPartition(s *session, _ *delivery, r *wire.Record) string {
	n := s.spread[r.Topic]
	if n < 1 {
		return ""
	}
	if want := wire.Partition(r.Key, n); r.Partition != want {
		return fmt.Sprintf("it is in partition %d of %d, want %d", r.Partition, n, want)
	}
	return ""
}

func replyHeaders(_ *session, _ *delivery, r *wire.Record) string {
	seen := map[string]bool{}
	for _, h := range r.Headers {
		switch {
		case seen[h.Key]:
			return h.Key + " comes twice"
		case h.Key != strings.ToLower(h.Key):
			return quote([]byte(h.Key)) + " is not lower case"
		case !utf8.Valid(h.Value):
			return h.Key + " is not UTF-8"
		}
		seen[h.Key] = true
	}
	return ""
}

func replyID(s *session, _ *delivery, r *wire.Record) string {
	text := header(r, wire.HeaderID)
	if _, err := wire.ParseID(text); err != nil {
		return fmt.Sprintf("ce_id is %s, want a UUID", quote([]byte(text)))
	}
	if s.ids[strings.ToLower(text)] {
		return fmt.Sprintf("ce_id %s was that of an earlier reply", text)
	}
	return ""
}

func replyTime(_ *session, _ *delivery, r *wire.Record) string {
	text := header(r, wire.HeaderTime)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return fmt.Sprintf("ce_time is %s", quote([]byte(text)))
	}
	if _, offset := at.Zone(); offset != 0 {
		return fmt.Sprintf("ce_time is %s, which is not UTC", text)
	}
	return ""
}

func replyOutcome(_ *session, d *delivery, r *wire.Record) string {
	outcome := wire.Outcome(header(r, wire.HeaderSagaOutcome))
	switch {
	case !outcome.Valid():
		return fmt.Sprintf("ce_sagaoutcome is %s", quote([]byte(outcome)))
	case outcome == wire.Unknown && d.command.Verb != wire.Probe:
		return fmt.Sprintf("it says unknown, to %s", d.command.Verb)
	}
	return ""
}

func replyContentType(_ *session, _ *delivery, r *wire.Record) string {
	text := header(r, wire.HeaderContentType)
	if media, _, err := mime.ParseMediaType(text); err != nil || media != wire.ContentType {
		return fmt.Sprintf("content-type is %s", quote([]byte(text)))
	}
	return ""
}

func replyValue(_ *session, _ *delivery, r *wire.Record) string {
	switch {
	case len(r.Value) > maxOutput:
		return fmt.Sprintf("the value has %d bytes", len(r.Value))
	case !utf8.Valid(r.Value) || !json.Valid(r.Value):
		return "the value is " + quote(r.Value)
	}
	return ""
}

func replyMessage(_ *session, _ *delivery, r *wire.Record) string {
	text := header(r, wire.HeaderSagaMessage)
	switch {
	case len(text) > maxMessage:
		return fmt.Sprintf("ce_sagamessage has %d bytes", len(text))
	case strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Sprintf("ce_sagamessage is %s", quote([]byte(text)))
	}
	return ""
}

func replyRetryAfter(_ *session, _ *delivery, r *wire.Record) string {
	text, outcome := header(r, wire.HeaderRetryAfter), header(r, wire.HeaderSagaOutcome)
	ms, err := strconv.ParseUint(text, 10, 63)
	switch {
	case err != nil || strconv.FormatUint(ms, 10) != text:
		return fmt.Sprintf("ce_retryafter is %s", quote([]byte(text)))
	case outcome != string(wire.Failed):
		return fmt.Sprintf("ce_retryafter comes with %s", quote([]byte(outcome)))
	}
	return ""
}
