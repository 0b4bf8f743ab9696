package conformance

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/skaldhq/skald/participants/wire"
)

// wrongHeaders change one thing of each reply.
func wrongHeaders() []wrong {
	var all []wrong
	add := func(name, check string, reply func(*wire.Command, *wire.Record)) {
		all = append(all, wrong{name: name, fails: []string{check}, reply: reply})
	}
	add("KeyedByStep", "reply-key", func(c *wire.Command, r *wire.Record) { r.Key = []byte(c.Step) })
	add("AnotherPartitioner", "reply-partition", func(_ *wire.Command, r *wire.Record) {
		r.Partition = (wire.Partition(r.Key, testPartitions) + 1) % testPartitions
	})
	add("HeaderTwice", "reply-headers", func(_ *wire.Command, r *wire.Record) {
		r.Headers = append(r.Headers, wire.Header{Key: wire.HeaderSagaStep, Value: []byte(step)})
	})
	add("UpperCase", "reply-headers", func(_ *wire.Command, r *wire.Record) {
		r.Headers = append(r.Headers, wire.Header{Key: "X-Trace", Value: []byte("1")})
	})
	add("NotUTF8", "reply-headers", func(_ *wire.Command, r *wire.Record) {
		r.Headers = append(r.Headers, wire.Header{Key: "x-trace", Value: []byte{0xff}})
	})
	for _, h := range []struct{ header, check, value string }{
		{wire.HeaderSpecVersion, "reply-specversion", "0.3"},
		{wire.HeaderSource, "reply-source", "tester"},
		{wire.HeaderType, "reply-type", "tester.Done.v1"},
		{wire.HeaderSubject, "reply-subject", "00000000-0000-4000-8000-000000000000"},
		{wire.HeaderSagaStep, "reply-step", "another-step"},
		{wire.HeaderSagaTenant, "reply-tenant", "default"},
		{wire.HeaderSagaEdition, "reply-edition", "9"},
		{wire.HeaderSagaToken, "reply-token", "none"},
		{wire.HeaderCausationID, "reply-causation", "00000000-0000-4000-8000-000000000000"},
		{wire.HeaderCorrelationID, "reply-correlation", "another"},
		{wire.HeaderID, "reply-id", "1"},
		{wire.HeaderTime, "reply-time", "2026-10-01 12:00:00"},
		{wire.HeaderContentType, "reply-content-type", "text/plain"},
	} {
		reply := sets(h.header, constantly(h.value))
		w := wrong{name: "Sets_" + h.header, fails: []string{h.check}, reply: reply}
		if h.check == "reply-token" {
			w.fails = []string{"token-opaque", "reply-token"}
		}
		all = append(all, w)
		if h.check != "reply-correlation" && h.check != "reply-time" { // which SHOULD be there
			gone := w
			gone.name, gone.reply = "Drops_"+h.header, func(_ *wire.Command, r *wire.Record) { drop(h.header)(r) }
			all = append(all, gone)
		}
	}
	add("OneIDForAll", "reply-id", sets(wire.HeaderID, constantly("00000000-0000-4000-8000-000000000001")))
	add("EchoesTheCommandsID", "reply-id", sets(wire.HeaderID, func(c *wire.Command) string { return c.ID.String() }))
	add("FirstAttempt", "reply-attempt", sets(wire.HeaderSagaAttempt, constantly("1")))
	add("ExecuteForAll", "reply-verb", sets(wire.HeaderSagaVerb, constantly("execute")))
	add("LocalTime", "reply-time", sets(wire.HeaderTime, constantly("2026-10-01T14:00:00+02:00")))
	add("NotJSON", "reply-value", func(_ *wire.Command, r *wire.Record) {
		if len(r.Value) > 0 {
			r.Value = append([]byte("ok: "), r.Value...)
		}
	})
	add("TooLarge", "reply-value", func(_ *wire.Command, r *wire.Record) {
		if len(r.Value) > 0 {
			r.Value, _ = json.Marshal(strings.Repeat("x", maxOutput))
		}
	})
	add("LongMessage", "reply-message", message(strings.Repeat("x", maxMessage+1)))
	add("MessageOfLines", "reply-message", message("one\ntwo"))
	add("RetryAfterInSeconds", "reply-retryafter", sets(wire.HeaderRetryAfter, constantly("1.5")))
	add("RetryAfterSuccess", "reply-retryafter", func(_ *wire.Command, r *wire.Record) {
		if header(r, wire.HeaderSagaOutcome) == "succeeded" {
			r.Headers = append(r.Headers, wire.Header{Key: wire.HeaderRetryAfter, Value: []byte("1000")})
		}
	})
	all = append(all, wrong{
		name: "UnknownToUnknown", fails: []string{"unknown-command", "reply-outcome"}, reply: func(c *wire.Command, r *wire.Record) {
			if c.Name == unknownName {
				put(wire.HeaderSagaOutcome, "unknown")(r)
			}
		},
	}, wrong{
		name: "AnOutcomeOfItsOwn", fails: []string{"unknown-command", "reply-outcome"}, reply: func(c *wire.Command, r *wire.Record) {
			if c.Name == unknownName {
				put(wire.HeaderSagaOutcome, "failure")(r)
			}
		},
	}, wrong{
		name: "TellsOthers", fails: []string{"reply-asked"}, duringRun: func(w *world, c *wire.Command) {
			if bytes.Contains(c.Value, []byte("flaky")) {
				made := says(c, wire.Succeeded, "", "")
				made.SagaID, made.CausationID, made.Token = wire.RandomID(), wire.RandomID(), "made"
				record := made.Record(testReplies)
				record.Partition = wire.Partition(record.Key, testPartitions)
				w.replies = append(w.replies, record)
			}
		},
	})
	return all
}

func message(text string) func(*wire.Command, *wire.Record) {
	return func(_ *wire.Command, r *wire.Record) {
		if header(r, wire.HeaderSagaOutcome) == "rejected" {
			drop(wire.HeaderSagaMessage)(r)
			r.Headers = append(r.Headers, wire.Header{Key: wire.HeaderSagaMessage, Value: []byte(text)})
		}
	}
}

// sets changes a header of each reply, where there is one.
func sets(name string, value func(*wire.Command) string) func(*wire.Command, *wire.Record) {
	return func(c *wire.Command, r *wire.Record) { put(name, value(c))(r) }
}

func constantly(text string) func(*wire.Command) string {
	return func(*wire.Command) string { return text }
}
