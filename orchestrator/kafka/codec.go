package kafka

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// Why a record can never be applied: the codes of orchestrator.Quarantined.Reason that this package gives.
const (
	ReasonUnreadable = "unreadable" // a header or the value cannot be read as the protocol says
	ReasonNoOutcome  = "no_outcome" // there is no ce_sagaoutcome
	ReasonBadToken   = "bad_token"  // the token is missing, or does not fit saga, command and participant (S9)
	ReasonMismatch   = "mismatch"   // key, subject and command id do not agree with one another (S9)
)

// tokenRedacted stands in the place of a reply's token wherever the record is kept.
const tokenRedacted = "redacted"

// Codec translates between what a saga says and Kafka records. It is immutable and safe for concurrent use.
type Codec struct {
	topics wire.Topics
	keys   *wire.Keyring
	source string
	trace  func(saga.ID, *saga.Command) string // nil: commands have no traceparent
}

var (
	_ orchestrator.Encoder = (*Codec)(nil)
	_ orchestrator.Decoder = (*Codec)(nil)
)

// NewCodec returns a codec for the installation's topics that signs and verifies with keys; its records come from
// /skald/<cluster>.
func NewCodec(topics wire.Topics, cluster string, keys *wire.Keyring) *Codec {
	return &Codec{topics: topics, keys: keys, source: "/skald/" + cluster}
}

// Tracing is the codec with a traceparent in each command: what parent says of it. nil: none, as without.
func (c *Codec) Tracing(parent func(saga.ID, *saga.Command) string) *Codec {
	traced := *c
	traced.trace = parent
	return &traced
}

// Command is the record of one attempt of a command. Between the attempts of an edition only ce_sagaattempt, ce_time,
// ce_expirytime, ce_sagatoken and traceparent differ (S5). A payload of nil is sent as null.
func (c *Codec) Command(in *saga.Instance, cmd saga.Command, at time.Time) orchestrator.Record {
	sagaID := wire.ID(in.ID)
	id := wire.CommandID(sagaID, cmd.Step, wire.Verb(cmd.Verb), cmd.Edition)
	value := []byte(cmd.Payload)
	if len(value) == 0 {
		value = []byte("null")
	}
	command := wire.Command{
		ID:            id,
		Source:        c.source,
		Participant:   cmd.Participant,
		Name:          cmd.Name,
		SagaID:        sagaID,
		SagaType:      in.Saga,
		SagaVersion:   cmd.Version,
		Step:          cmd.Step,
		Verb:          wire.Verb(cmd.Verb),
		Tenant:        in.Tenant,
		Attempt:       cmd.Attempt,
		Edition:       cmd.Edition,
		Token:         c.keys.Sign(in.Tenant, sagaID, id, cmd.Participant),
		ReplyTo:       c.topics.Replies(),
		Time:          at,
		Expiry:        cmd.ExpiresAt,
		CorrelationID: correlation(in),
		Value:         value,
	}
	if c.trace != nil {
		attempt := cmd // a copy: without traces none leaves the stack
		command.TraceParent = c.trace(in.ID, &attempt)
	}
	record := command.Record(c.topics.Commands(cmd.Participant))
	return orchestrator.Record{
		Kind:    orchestrator.RecordCommand,
		Topic:   record.Topic,
		Key:     record.Key,
		Value:   record.Value,
		Headers: headers(record.Headers),
		Saga:    in.ID,
		Step:    cmd.Step,
		Verb:    cmd.Verb,
		Edition: cmd.Edition,
		Attempt: cmd.Attempt,
	}
}

// Event is a fact as a CloudEvent on skald.events, such as skald.saga.completed, keyed by saga id; its value is the fact as
// JSON. ce_id is <saga id>/<sequence>, so an event that is sent twice can be told.
func (c *Codec) Event(in *saga.Instance, fact saga.Fact) orchestrator.Record {
	value, err := json.Marshal(fact)
	if err != nil {
		// Only a payload that is no JSON can do this. The event is worth more than its payloads.
		fact.Payload, fact.Output = nil, nil
		if fact.Start != nil {
			start := *fact.Start
			start.Input = json.RawMessage("null")
			fact.Start = &start
		}
		value, _ = json.Marshal(fact)
	}
	id := in.ID.String()
	sequence := strconv.FormatInt(fact.Sequence, 10)
	var h headerWriter
	h.add(wire.HeaderContentType, wire.ContentType)
	h.add(wire.HeaderSpecVersion, wire.SpecVersion)
	h.add(wire.HeaderID, id+"/"+sequence)
	h.add(wire.HeaderSource, c.source)
	h.add(wire.HeaderType, "skald."+string(fact.Type))
	h.add(wire.HeaderSubject, id)
	h.add(wire.HeaderTime, fact.At.UTC().Format(time.RFC3339Nano))
	h.add(wire.HeaderSagaType, in.Saga)
	h.add(wire.HeaderSagaVersion, strconv.Itoa(in.Version))
	h.add(wire.HeaderSagaTenant, in.Tenant)
	h.add(wire.HeaderSequence, sequence)
	h.add(wire.HeaderCorrelationID, correlation(in))
	if fact.Step != "" {
		h.add(wire.HeaderSagaStep, fact.Step)
	}
	return orchestrator.Record{
		Kind:    orchestrator.RecordEvent,
		Topic:   c.topics.Events(),
		Key:     []byte(id),
		Value:   value,
		Headers: h.headers,
		Saga:    in.ID,
		Step:    fact.Step,
	}
}

// Decode reads a record of the reply topic. One that can never be applied has Poison set; its Saga and Tenant are then set
// only if its token proves them. It shares key, value and headers with the record.
func (c *Codec) Decode(msg *sarama.ConsumerMessage) orchestrator.Delivery {
	record := wire.Record{
		Topic: msg.Topic, Partition: msg.Partition, Offset: msg.Offset,
		Key: msg.Key, Value: msg.Value, Timestamp: msg.Timestamp,
		Headers: make([]wire.Header, len(msg.Headers)),
	}
	raw := orchestrator.Quarantined{
		Topic: msg.Topic, Partition: msg.Partition, Offset: msg.Offset, Timestamp: msg.Timestamp,
		Key: msg.Key, Value: msg.Value,
		Headers: make([]orchestrator.Header, len(msg.Headers)),
	}
	for i, h := range msg.Headers {
		key := wire.HeaderName(h.Key)
		record.Headers[i] = wire.Header{Key: key, Value: h.Value}
		raw.Headers[i] = orchestrator.Header{Key: key, Value: h.Value}
		if key == wire.HeaderSagaToken {
			sum := sha256.Sum256(h.Value)
			raw.Headers[i].Value, raw.TokenSHA256 = []byte(tokenRedacted), sum[:]
		}
	}
	reply, err := wire.DecodeReply(record)
	tokenErr := c.verify(&reply)
	if tokenErr == nil {
		raw.Saga, raw.Tenant = saga.ID(reply.SagaID), reply.Tenant
	}
	if reason, message := judge(&record, &reply, err, tokenErr); reason != "" {
		poison := raw
		poison.Reason, poison.Message = reason, message
		return orchestrator.Delivery{Saga: raw.Saga, Tenant: raw.Tenant, Poison: &poison, Raw: raw}
	}
	return orchestrator.Delivery{
		Saga: raw.Saga, Tenant: raw.Tenant, ID: reply.ID.String(), Raw: raw,
		Reply: replied(&reply, saga.Coordinates{Topic: msg.Topic, Partition: msg.Partition, Offset: msg.Offset}),
	}
}

// verify checks the token against the command that the reply's own fields name, not against the one that it says it answers.
func (c *Codec) verify(reply *wire.Reply) error {
	id := wire.CommandID(reply.SagaID, reply.Step, reply.Verb, reply.Edition)
	return c.keys.Verify(reply.Token, reply.Tenant, reply.SagaID, id, reply.Participant)
}

// judge says why a reply can never be applied; an empty reason: it can.
func judge(record *wire.Record, reply *wire.Reply, err, tokenErr error) (reason, message string) {
	var bad *wire.DecodeError
	switch {
	case errors.As(err, &bad):
		return reasonOf(record, bad), bad.Error()
	case err != nil:
		return ReasonUnreadable, err.Error()
	}
	want := wire.CommandID(reply.SagaID, reply.Step, reply.Verb, reply.Edition)
	if reply.CausationID != want {
		return ReasonMismatch, fmt.Sprintf("%s is %s, and the command of saga, step, verb and edition is %s",
			wire.HeaderCausationID, reply.CausationID, want)
	}
	if tokenErr != nil {
		return ReasonBadToken, tokenErr.Error()
	}
	return "", ""
}

// reasonOf picks the most telling of several problems.
func reasonOf(record *wire.Record, bad *wire.DecodeError) string {
	if outcome, _ := record.Header(wire.HeaderSagaOutcome); outcome == "" {
		return ReasonNoOutcome
	}
	reason := ReasonMismatch
	for _, p := range bad.Problems {
		switch p.Header {
		case wire.PartKey:
		case wire.HeaderSagaToken:
			reason = ReasonBadToken
		default:
			return ReasonUnreadable
		}
	}
	return reason
}

func replied(reply *wire.Reply, at saga.Coordinates) saga.Replied {
	r := saga.Replied{
		Step:       reply.Step,
		Verb:       saga.Verb(reply.Verb),
		Edition:    reply.Edition,
		Attempt:    reply.Attempt,
		Outcome:    saga.ReplyOutcome(reply.Outcome),
		Code:       reply.Code,
		Message:    reply.Message,
		RetryAfter: reply.RetryAfter,
		Value:      reply.Value,
		Record:     at,
	}
	if len(reply.Value) > saga.MaxReplyBytes {
		r.Value, r.Oversized = nil, true
	}
	return r
}

func correlation(in *saga.Instance) string {
	if in.Key != "" {
		return in.Key
	}
	return in.ID.String()
}

// headerWriter gathers headers; their values share memory.
type headerWriter struct {
	headers []orchestrator.Header
	values  []byte
}

func (w *headerWriter) add(key, value string) {
	if w.headers == nil {
		w.headers, w.values = make([]orchestrator.Header, 0, 13), make([]byte, 0, 384)
	}
	begin := len(w.values)
	w.values = append(w.values, value...)
	w.headers = append(w.headers, orchestrator.Header{Key: key, Value: w.values[begin:len(w.values):len(w.values)]})
}

func headers(list []wire.Header) []orchestrator.Header {
	out := make([]orchestrator.Header, len(list))
	for i, h := range list {
		out[i] = orchestrator.Header(h)
	}
	return out
}
