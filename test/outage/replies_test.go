package outage

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/skaldhq/skald/participants/wire"
)

// rubbish is a record that can never be applied: a good reply to a command that waits for one, spoiled.
type rubbish struct {
	name   string
	spoil  func(*wire.Record)
	reason string
}

func allRubbish(ring *wire.Keyring) []rubbish {
	set := func(header, value string) func(*wire.Record) {
		return func(r *wire.Record) { setHeader(r, header, []byte(value)) }
	}
	value := func(v []byte) func(*wire.Record) { return func(r *wire.Record) { r.Value = v } }
	signed := func(sagaID wire.ID, step string) func(*wire.Record) {
		return func(r *wire.Record) { *r = goodReply(ring, sagaID, step) }
	}
	unknown := wire.RandomID()
	large := append(bytes.Repeat([]byte("x"), tenMegabytes), '"')
	large[0] = '"'
	return []rubbish{
		{"NoOutcome", drop(wire.HeaderSagaOutcome), "no_outcome"},
		{"UnknownOutcome", set(wire.HeaderSagaOutcome, "exploded"), "unreadable"},
		{"WrongToken", set(wire.HeaderSagaToken, ring.Sign("default", unknown, unknown, "nobody")), "bad_token"},
		{"TokenOfOtherRing", set(wire.HeaderSagaToken, strings.Replace(ring.Sign("default", unknown, unknown, "nobody"), "test.", "other.", 1)), "bad_token"},
		{"NoToken", drop(wire.HeaderSagaToken), "bad_token"},
		{"UnknownSaga", signed(unknown, "wait"), "unknown_saga"},
		{"OtherKey", func(r *wire.Record) { r.Key = []byte(unknown.String()) }, "mismatch"},
		{"NoKey", func(r *wire.Record) { r.Key = nil }, "mismatch"},
		{"OtherCommand", set(wire.HeaderCausationID, unknown.String()), "mismatch"},
		{"HeaderNotUTF8", set(wire.HeaderSagaCode, "\xff\xfe"), "unreadable"},
		{"ValueNotUTF8", value([]byte("\"\xff\xfe\"")), "unreadable"},
		{"NULInVerb", set(wire.HeaderSagaVerb, "exe\x00cute"), "unreadable"},
		{"UnknownVerb", set(wire.HeaderSagaVerb, "explode"), "unreadable"},
		{"TruncatedJSON", value([]byte(`{"payment_id": "p-1`)), "unreadable"},
		{"TooDeepJSON", value([]byte(strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000))), "unreadable"},
		{"HeaderTwice", func(r *wire.Record) {
			r.Headers = append(r.Headers, wire.Header{Key: wire.HeaderSagaOutcome, Value: []byte("rejected")})
		}, "unreadable"},
		{"TenMegabytes", func(r *wire.Record) { r.Value = large; setHeader(r, wire.HeaderSagaToken, []byte("test.wrong")) }, "bad_token"},
		{"NothingAtAll", func(r *wire.Record) { *r = wire.Record{} }, "no_outcome"},
	}
}

// goodReply answers the command of a step of the participant that nobody runs.
func goodReply(ring *wire.Keyring, sagaID wire.ID, step string) wire.Record {
	id := wire.CommandID(sagaID, step, wire.Execute, 0)
	cmd := wire.Command{
		ID: id, Participant: "nobody", Name: "Wait.v1", SagaID: sagaID, Step: step, Verb: wire.Execute, Tenant: "default",
		Attempt: 1, Token: ring.Sign("default", sagaID, id, "nobody"), CorrelationID: sagaID.String(),
	}
	reply := wire.ReplyTo(&cmd, wire.RandomID(), time.Now())
	reply.Outcome, reply.Value = wire.Succeeded, []byte(`{}`)
	return reply.Record(repliesTopic)
}

func setHeader(r *wire.Record, key string, value []byte) {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			r.Headers[i].Value = value
			return
		}
	}
	r.Headers = append(r.Headers, wire.Header{Key: key, Value: value})
}

func drop(key string) func(*wire.Record) {
	return func(r *wire.Record) {
		r.Headers = slices.DeleteFunc(r.Headers, func(h wire.Header) bool { return h.Key == key })
	}
}
