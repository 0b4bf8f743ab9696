package sim

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/skaldhq/skald/participants/wire"
)

// names are the topics, in order: ranging over a map would make two runs differ.
func (k *kafka) names() []string { return slices.Sorted(maps.Keys(k.topics)) }

// disturb appends what comes along with a reply or in its place, and reports whether the reply itself is still to come.
func (k *kafka) disturb(r wire.Record) bool {
	w := k.w
	if w.hits(FaultReplyForged) {
		if forged, why := k.forge(r, w.nemesis.size(FaultReplyForged)); why != "" {
			k.append(forged, why)
		}
	}
	if w.hits(FaultTokenSpoiled) {
		spoiled, why := spoil(r, 3)
		k.append(spoiled, why)
		return false
	}
	if !w.hits(FaultReplySpoiled) {
		return true
	}
	much := w.nemesis.size(FaultReplySpoiled)
	spoiled, why := spoil(r, int(much*1e6))
	k.append(spoiled, why)
	return much < 0.5
}

// spoil damages a reply so that nobody may apply it.
func spoil(r wire.Record, which int) (wire.Record, string) {
	r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
	r.Headers = slices.Clone(r.Headers)
	drop := func(key string) {
		r.Headers = slices.DeleteFunc(r.Headers, func(h wire.Header) bool { return h.Key == key })
	}
	change := func(key string, to func(old []byte) []byte) {
		for i, h := range r.Headers {
			if h.Key == key {
				r.Headers[i].Value = to(bytes.Clone(h.Value))
			}
		}
	}
	flip := func(b []byte) []byte {
		if len(b) > 0 {
			b[which/16%len(b)] ^= 1 << (which % 5) // bit 5 only turns a letter into its capital
		}
		return b
	}
	switch which % 10 {
	case 0:
		if len(r.Value) > 0 {
			if r.Value[0] ^= 1 << (which % 7); !json.Valid(r.Value) {
				return r, "the value's first bit flipped"
			}
		}
		r.Value = []byte(`{"cut":`)
		return r, "a value that is cut off"
	case 1:
		drop(wire.HeaderSagaOutcome)
		return r, "no outcome"
	case 2:
		drop(wire.HeaderSagaToken)
		return r, "no token"
	case 3:
		change(wire.HeaderSagaToken, func(b []byte) []byte { b[0] ^= 1; return b })
		return r, "a bit of the token flipped"
	case 4:
		r.Headers = nil
		return r, "no headers"
	case 5:
		return wire.Record{Topic: r.Topic, Key: []byte{0xff, byte(which)}, Value: []byte{0, 0xfe, byte(which)}}, "garbage"
	case 6:
		r.Key = nil
		return r, "no key"
	case 7:
		change(wire.HeaderCausationID, flip)
		return r, "a bit of the command id flipped"
	case 8:
		r.Headers = append(r.Headers, wire.Header{Key: wire.HeaderSagaMessage, Value: []byte{0xff, 0xfe}})
		return r, "a header that is no text"
	default:
		r.Value = bytes.Repeat([]byte{'['}, 10_000)
		return r, "10,000 brackets"
	}
}

// forge makes another reply out of a good one, with a token that is right: one to a command that was never sent (S9). It has no
// reason where the record cannot be read.
func (k *kafka) forge(r wire.Record, much float64) (wire.Record, string) {
	reply, err := wire.DecodeReply(r)
	if err != nil {
		return r, ""
	}
	why := ""
	switch which := int(much * 1e6); which % 4 {
	case 0:
		why = "a saga that nobody started"
		reply.SagaID[15] ^= 0x55
		reply.SagaID[14] ^= 0xaa
	case 1:
		why = "another tenant"
		reply.Tenant = "mallory"
	case 2:
		why = "a step that is none"
		reply.Step = "nowhere"
	default:
		why = "an edition that was never sent"
		reply.Edition += 1000
	}
	reply.CausationID = wire.CommandID(reply.SagaID, reply.Step, reply.Verb, reply.Edition)
	reply.Token = k.ring.Sign(reply.Tenant, reply.SagaID, reply.CausationID, reply.Participant)
	return reply.Record(r.Topic), why
}
