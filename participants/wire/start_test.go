package wire_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/stretchr/testify/require"
)

func sampleStart() wire.Start {
	return wire.Start{
		ID: "checkout-7f3a", Source: "/shop", SagaType: "order-placement", SagaVersion: 1, Key: "A-1001", Labels: map[string]string{"channel": "web", "a": "b"},
		ReplyTo: "shop.answers", Time: time.Date(2026, 10, 1, 12, 0, 0, 123456000, time.UTC), CorrelationID: "cart-9",
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Value: []byte(`{"order_id":"A-1001"}`),
	}
}

func TestStart_Golden(t *testing.T) {
	t.Parallel()
	record := func() wire.Record { s := sampleStart(); return s.Record("skald.starts", []byte("A-1001")) }()
	golden(t, "starts/start", dump(record))
	back, err := wire.DecodeStart(record)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(sampleStart(), back))
	least := wire.Start{ID: "1", Source: "/shop", SagaType: "errand", Value: []byte("null")}
	back, err = wire.DecodeStart(least.Record("skald.starts", nil))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(least, back))
}

func TestStartAnswer_Golden(t *testing.T) {
	t.Parallel()
	a := wire.StartAnswer{
		ID: "0d0c0b0a-1111-4222-8333-444455556666", Source: "/skald/dev", Key: []byte("A-1001"), Time: time.Date(2026, 10, 1, 12, 0, 1, 0, time.UTC),
		CausationID: "checkout-7f3a", CorrelationID: "cart-9", Outcome: wire.Accepted, SagaID: sagaID(t), SagaType: "order-placement", SagaVersion: 1,
		Value: []byte(`{"id":"019a0b0c-0d0e-7f10-9112-131415161718"}`),
	}
	golden(t, "starts/accepted", dump(a.Record("shop.answers")))
	a.Outcome, a.Code, a.Message, a.Value = wire.Refused, "invalid", "the input does not fit order-placement version 1", []byte(`{"code":"invalid"}`)
	golden(t, "starts/refused", dump(a.Record("shop.answers")))
}

// Everything that is wrong is said at once, and what could be read is there to be answered.
func TestDecodeStart_Problems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*wire.Record)
		wrong  []string
	}{
		"no id":              {remove("ce_id"), []string{"ce_id"}},
		"empty id":           {set("ce_id", ""), []string{"ce_id"}},
		"long id":            {set("ce_id", strings.Repeat("x", 256)), []string{"ce_id"}},
		"id with a control":  {set("ce_id", "a\x00b"), []string{"ce_id"}},
		"id that is no text": {set("ce_id", "\xff"), []string{"ce_id"}},
		"two ids":            {func(r *wire.Record) { r.Headers = append(r.Headers, wire.Header{Key: "ce_id", Value: []byte("x")}) }, []string{"ce_id"}},
		"other type":         {set("ce_type", "skald.stop"), []string{"ce_type"}},
		"no type":            {remove("ce_type"), []string{"ce_type"}},
		"no source":          {remove("ce_source"), []string{"ce_source"}},
		"no definition":      {remove("ce_sagatype"), []string{"ce_sagatype"}},
		"bad definition":     {set("ce_sagatype", "Order"), []string{"ce_sagatype"}},
		"version 0":          {set("ce_sagaversion", "0"), []string{"ce_sagaversion"}},
		"key with a control": {set("ce_sagakey", "a\nb"), []string{"ce_sagakey"}},
		"labels of numbers":  {set("ce_sagalabels", `{"a":1}`), []string{"ce_sagalabels"}},
		"labels twice":       {set("ce_sagalabels", `{} {}`), []string{"ce_sagalabels"}},
		"null labels":        {set("ce_sagalabels", `null`), []string{"ce_sagalabels"}},
		"bad topic":          {set("ce_replyto", "a b"), []string{"ce_replyto"}},
		"other spec":         {set("ce_specversion", "0.3"), []string{"ce_specversion"}},
		"no value":           {func(r *wire.Record) { r.Value = nil }, []string{"value"}},
		"no JSON":            {func(r *wire.Record) { r.Value = []byte("{") }, []string{"value"}},
		"several":            {func(r *wire.Record) { remove("ce_id")(r); remove("ce_type")(r); r.Value = nil }, []string{"ce_id", "ce_type", "value"}},
		"a tenant is no one's to say": {func(r *wire.Record) {
			r.Headers = append(r.Headers, wire.Header{Key: "ce_sagatenant", Value: []byte("acme")})
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sampleStart()
			record := s.Record("skald.starts", nil)
			c.change(&record)
			_, err := wire.DecodeStart(record)
			if len(c.wrong) == 0 {
				require.NoError(t, err)
				return
			}
			var bad *wire.DecodeError
			require.ErrorAs(t, err, &bad)
			var got []string
			for _, p := range bad.Problems {
				got = append(got, p.Header)
			}
			require.Equal(t, c.wrong, got)
		})
	}
}

func set(header, value string) func(*wire.Record) {
	return func(r *wire.Record) {
		for i := range r.Headers {
			if r.Headers[i].Key == header {
				r.Headers[i].Value = []byte(value)
			}
		}
	}
}

func remove(header string) func(*wire.Record) {
	return func(r *wire.Record) {
		var kept []wire.Header
		for _, h := range r.Headers {
			if h.Key != header {
				kept = append(kept, h)
			}
		}
		r.Headers = kept
	}
}
