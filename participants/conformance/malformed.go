package conformance

import (
	"fmt"
	"slices"

	"github.com/skaldhq/skald/participants/wire"
)

// malformed are records that are no command: each is a check of its own, for a participant may stand one and stop at another.
func malformed() []scenario {
	kinds := []struct {
		name, what string
		change     func(*wire.Record)
	}{
		{"malformed-id", "no ce_id", drop(wire.HeaderID)},
		{"malformed-replyto", "no ce_replyto", drop(wire.HeaderReplyTo)},
		{"malformed-token", "no ce_sagatoken", drop(wire.HeaderSagaToken)},
		{"malformed-verb", "a ce_sagaverb that is none of the three", put(wire.HeaderSagaVerb, "undo")},
		{"malformed-attempt", "a ce_sagaattempt that is no number", put(wire.HeaderSagaAttempt, "first")},
		{"malformed-twice", "ce_sagastep twice", func(r *wire.Record) {
			r.Headers = append(slices.Clone(r.Headers), wire.Header{Key: wire.HeaderSagaStep, Value: []byte("another-step")})
		}},
		{"malformed-key", "a key that is not ce_subject", func(r *wire.Record) { r.Key = []byte(wire.RandomID().String()) }},
		{"malformed-value", "a value that is not JSON", func(r *wire.Record) { r.Value = []byte(`{"order_id": `) }},
		{"malformed-empty", "an empty value", func(r *wire.Record) { r.Value = nil }},
		{"malformed-participant", "another participant's ce_type", func(r *wire.Record) {
			put(wire.HeaderType, "another-"+header(r, wire.HeaderType))(r)
		}},
	}
	all := make([]scenario, len(kinds))
	for i, kind := range kinds {
		all[i] = scenario{
			Check{kind.name, sectionComes, kind.what + ": passed by, and the partition goes on"},
			nil,
			func(s *scene) { playMalformed(s, kind.change) },
		}
	}
	return all
}

// playMalformed sends a record that is no command and, behind it in the same partition, one that is.
func playMalformed(s *scene, change func(*wire.Record)) {
	bad := s.deliver(s.command(wire.RandomID(), s.Plan.Command, wire.Execute, 0, render(s.Plan.Payload, s.saga)))
	bad.malformed = true
	good := s.deliver(s.execute(0))
	change(&bad.record)
	bad.record.Partition = good.record.Partition
	if err := s.send(s.ctx, bad); err != nil {
		return
	}
	strays := len(s.strays)
	s.want(s.all(good)[0], wire.Succeeded, "")
	if s.over() {
		return
	}
	s.receive(s.ctx, s.Quiet, func() bool { return len(bad.answers) > 0 || len(s.strays) > strays })
	switch {
	case len(bad.answers) > 0:
		s.fail("the malformed record was answered %s", bad.answers[0])
	case len(s.strays) > strays:
		s.fail("a reply that fits no command: %s", s.strays[strays])
	default:
		s.seen = []string{fmt.Sprintf("no reply to it; the next command: %s", good.answers[0])}
	}
}

func drop(name string) func(*wire.Record) {
	return func(r *wire.Record) {
		r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h wire.Header) bool { return h.Key == name })
	}
}
