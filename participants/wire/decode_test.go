package wire_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/stretchr/testify/require"
)

func with(r wire.Record, key, value string) wire.Record {
	r.Headers = slices.Clone(r.Headers)
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			r.Headers[i].Value = []byte(value)
			return r
		}
	}
	r.Headers = append(r.Headers, wire.Header{Key: key, Value: []byte(value)})
	return r
}

func without(r wire.Record, key string) wire.Record {
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h wire.Header) bool { return h.Key == key })
	return r
}

func problems(t *testing.T, err error) []wire.Problem {
	t.Helper()
	var decode *wire.DecodeError
	require.ErrorAs(t, err, &decode)
	return decode.Problems
}

func TestDecodeCommand_EveryHeaderIsRequired(t *testing.T) {
	t.Parallel()
	c := sampleCommand(t)
	record := c.Record("inventory.commands")
	for _, h := range record.Headers {
		_, err := wire.DecodeCommand(without(record, h.Key))
		if h.Key == wire.HeaderTraceParent || h.Key == wire.HeaderTraceState {
			require.NoError(t, err, "%s is optional", h.Key)
			continue
		}
		require.Equal(t, []wire.Problem{{Header: h.Key, Why: "is missing"}}, problems(t, err))
	}
}

func TestDecodeReply_OptionalHeaders(t *testing.T) {
	t.Parallel()
	r := sampleReply(t, wire.Failed)
	r.Code, r.Message, r.RetryAfter = "x", "y", 1e9
	r.Value = []byte(`{}`)
	optional := []string{
		wire.HeaderTime, wire.HeaderCorrelationID, wire.HeaderSagaCode, wire.HeaderSagaMessage, wire.HeaderRetryAfter,
		wire.HeaderTraceParent, wire.HeaderTraceState,
	}
	record := r.Record("skald.replies")
	for _, h := range record.Headers {
		_, err := wire.DecodeReply(without(record, h.Key))
		if slices.Contains(optional, h.Key) {
			require.NoError(t, err, "%s is optional", h.Key)
			continue
		}
		require.Equal(t, []wire.Problem{{Header: h.Key, Why: "is missing"}}, problems(t, err))
	}
	record.Value = nil
	_, err := wire.DecodeReply(without(record, wire.HeaderContentType))
	require.NoError(t, err, "an empty value needs no content type")
}

func TestDecodeCommand_EachHeaderSaysWhy(t *testing.T) {
	t.Parallel()
	c := sampleCommand(t)
	record := c.Record("inventory.commands")
	long := strings.Repeat("x", 300)
	cases := []struct{ header, value, why string }{
		{wire.HeaderContentType, "text/plain", `is not application/json: "text/plain"`},
		{wire.HeaderSpecVersion, "0.3", `is not 1.0: "0.3"`},
		{wire.HeaderID, "nope", `is not a UUID: "nope"`},
		{wire.HeaderID, "00000000-0000-0000-0000-000000000000", `is not a UUID: "00000000-0000-0000-0000-000000000000"`},
		{wire.HeaderSource, "", "is empty"},
		{wire.HeaderType, "inventory", `is not <participant>.<Command>.v<n>: "inventory"`},
		{wire.HeaderType, "inventory.ReserveItems.v1.reply", `is not <participant>.<Command>.v<n>: "inventory.ReserveItems.v1.reply"`},
		{wire.HeaderTime, "yesterday", `is not an RFC 3339 time: "yesterday"`},
		{wire.HeaderSagaType, "Order", `is not a name: "Order"`},
		{wire.HeaderSagaVersion, "0", `is not a whole number of 1 or more: "0"`},
		{wire.HeaderSagaVersion, "+1", `is not a whole number of 1 or more: "+1"`},
		{wire.HeaderSagaAttempt, "01", `is not a whole number of 1 or more: "01"`},
		{wire.HeaderSagaEdition, "-1", `is not a whole number of 0 or more: "-1"`},
		{wire.HeaderSagaEdition, "99999999999", `is not a whole number of 0 or more: "99999999999"`},
		{wire.HeaderSagaStep, long, `is not a name: "` + long[:80] + `..."`},
		{wire.HeaderSagaVerb, "undo", `is not execute, compensate or probe: "undo"`},
		{wire.HeaderReplyTo, "a b", `is not a topic: "a b"`},
		{wire.HeaderExpiryTime, "5s", `is not an RFC 3339 time: "5s"`},
		{wire.HeaderCorrelationID, "\xff", "is not UTF-8"},
	}
	for _, tc := range cases {
		_, err := wire.DecodeCommand(with(record, tc.header, tc.value))
		require.Equal(t, []wire.Problem{{Header: tc.header, Why: tc.why}}, problems(t, err))
	}
}

func TestDecodeReply_EachHeaderSaysWhy(t *testing.T) {
	t.Parallel()
	r := sampleReply(t, wire.Succeeded)
	r.Value = []byte(`{}`)
	record := r.Record("skald.replies")
	cases := []struct{ header, value, why string }{
		{wire.HeaderType, "inventory.ReserveItems.v1", `is not <participant>.<Command>.v<n>.reply: "inventory.ReserveItems.v1"`},
		{wire.HeaderSagaOutcome, "ok", `is not an outcome: "ok"`},
		{wire.HeaderCausationID, "x", `is not a UUID: "x"`},
		{wire.HeaderRetryAfter, "-5", `is not a number of milliseconds: "-5"`},
		{wire.HeaderRetryAfter, "9223372036854775807", `is not a number of milliseconds: "9223372036854775807"`},
	}
	for _, tc := range cases {
		_, err := wire.DecodeReply(with(record, tc.header, tc.value))
		require.Equal(t, []wire.Problem{{Header: tc.header, Why: tc.why}}, problems(t, err))
	}
}

func TestDecode_KeyAndValue(t *testing.T) {
	t.Parallel()
	c := sampleCommand(t)
	good := c.Record("inventory.commands")
	cases := map[string]struct {
		change func(*wire.Record)
		want   wire.Problem
	}{
		"NoKey":      {func(r *wire.Record) { r.Key = nil }, wire.Problem{Header: "key", Why: `is not a UUID: ""`}},
		"OtherKey":   {func(r *wire.Record) { r.Key = []byte(replyID(t).String()) }, wire.Problem{Header: "key", Why: "is not the saga id in ce_subject"}},
		"Empty":      {func(r *wire.Record) { r.Value = nil }, wire.Problem{Header: "value", Why: "is empty"}},
		"Truncated":  {func(r *wire.Record) { r.Value = []byte(`{"a":`) }, wire.Problem{Header: "value", Why: "is not JSON"}},
		"TwoValues":  {func(r *wire.Record) { r.Value = []byte(`{}{}`) }, wire.Problem{Header: "value", Why: "is not JSON"}},
		"NotUTF8":    {func(r *wire.Record) { r.Value = []byte("\"\xff\"") }, wire.Problem{Header: "value", Why: "is not UTF-8"}},
		"DeepNested": {func(r *wire.Record) { r.Value = []byte(strings.Repeat("[", 20000) + strings.Repeat("]", 20000)) }, wire.Problem{Header: "value", Why: "is not JSON"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := good
			tc.change(&record)
			_, err := wire.DecodeCommand(record)
			require.Equal(t, []wire.Problem{tc.want}, problems(t, err))
		})
	}
}

func TestDecode_AllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := wire.DecodeReply(wire.Record{})
	var headers []string
	for _, p := range problems(t, err) {
		headers = append(headers, p.Header)
	}
	require.Equal(t, []string{
		"ce_id", "ce_source", "ce_subject", "ce_sagastep", "ce_sagaverb", "ce_sagatenant", "ce_sagaattempt",
		"ce_sagaedition", "ce_sagatoken", "ce_causationid", "ce_sagaoutcome", "ce_type", "ce_specversion", "key",
	}, headers)
	require.ErrorContains(t, err, "decode reply: ce_id is missing; ce_source is missing")
}

func TestDecode_KeepsWhatCouldBeRead(t *testing.T) {
	t.Parallel()
	r := sampleReply(t, wire.Succeeded)
	got, err := wire.DecodeReply(with(r.Record("skald.replies"), wire.HeaderSagaOutcome, "maybe"))
	require.Error(t, err)
	want := r
	want.Outcome = ""
	require.Empty(t, cmp.Diff(want, got), "the quarantine shows the saga of a reply that cannot be read")
}

func TestDecode_TwiceTheSameHeader(t *testing.T) {
	t.Parallel()
	r := sampleReply(t, wire.Rejected)
	record := r.Record("skald.replies")
	record.Headers = append(record.Headers, wire.Header{Key: wire.HeaderSagaOutcome, Value: []byte("succeeded")})
	_, err := wire.DecodeReply(record)
	require.Equal(t, []wire.Problem{{Header: wire.HeaderSagaOutcome, Why: "appears 2 times"}}, problems(t, err))
}

func TestDecode_UnknownHeadersAreIgnored(t *testing.T) {
	t.Parallel()
	r := sampleReply(t, wire.Succeeded)
	_, err := wire.DecodeReply(with(r.Record("skald.replies"), "ce_fromthefuture", "1"))
	require.NoError(t, err)
}

func TestDecode_ContentTypeWithParameter(t *testing.T) {
	t.Parallel()
	c := sampleCommand(t)
	_, err := wire.DecodeCommand(with(c.Record("inventory.commands"), wire.HeaderContentType, "application/json; charset=utf-8"))
	require.NoError(t, err)
}
