package kafka

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

func sampleInstance() *saga.Instance {
	return &saga.Instance{
		ID: sagaID(7), Tenant: "default", Saga: "order-placement", Version: 2, Key: "A-1001", Status: saga.Running,
		Input: json.RawMessage(`{"order_id":"A-1001"}`),
	}
}

func sampleCommand() saga.Command {
	return saga.Command{
		Step: "reserve-items", Participant: "inventory", Name: "ReserveItems.v1", Verb: saga.Execute, Attempt: 1,
		Payload:   json.RawMessage(`{ "sku" : "a",  "n": 1.0 }`),
		ExpiresAt: time.Date(2026, 11, 1, 12, 0, 5, 0, time.UTC),
	}
}

var sampleTime = time.Date(2026, 11, 1, 12, 0, 0, 123456000, time.UTC)

func sampleCodec(t *testing.T) *Codec {
	return NewCodec(wire.Topics{Prefix: "staging."}, "test", testKeys(t))
}

func TestCodec_Golden(t *testing.T) {
	t.Parallel()
	codec, in := sampleCodec(t), sampleInstance()
	undo := sampleCommand()
	undo.Verb, undo.Name, undo.Edition, undo.Attempt = saga.Compensate, "ReleaseItems.v1", 1, 3
	unkeyed := sampleInstance()
	unkeyed.Key = ""
	for name, record := range map[string]orchestrator.Record{
		"command-execute":    codec.Command(in, sampleCommand(), sampleTime),
		"command-compensate": codec.Command(unkeyed, undo, sampleTime),
		"event-completed": codec.Event(in, saga.Fact{
			Seq: 9, At: sampleTime, Type: saga.SagaCompleted, Sequence: 2, Output: json.RawMessage(`{"ok":true}`),
		}),
		"event-attention": codec.Event(unkeyed, saga.Fact{
			Seq: 5, At: sampleTime, Type: saga.AttentionRaised, Sequence: 3, Step: "reserve-items", Reason: saga.AttentionSlow,
		}),
	} {
		golden(t, name, dump(record))
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), got), "the format on the wire changed: participants rely on it")
}

var update = flag.Bool("update", false, "write the golden files")

func dump(r orchestrator.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s to %s\nkey %s\n", r.Kind, r.Topic, r.Key)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\n", h.Key, h.Value)
	}
	fmt.Fprintf(&b, "\n%s\n", r.Value)
	return b.String()
}

// S5: between deliveries of one command only these headers change.
func TestCodec_AttemptsDifferOnlyWhereTheyMay(t *testing.T) {
	t.Parallel()
	first := sampleCommand()
	again := first
	again.Attempt, again.ExpiresAt, again.Index = 4, first.ExpiresAt.Add(time.Minute), 17
	in := sampleInstance()
	later := sampleInstance()
	later.Status, later.Revision, later.UpdatedAt = saga.Suspended, 40, sampleTime
	rotated, err := wire.NewKeyring(wire.Key{ID: "k2", Secret: []byte("another-secret-of-32-bytes-------")})
	require.NoError(t, err)
	a := sampleCodec(t).Command(in, first, sampleTime)
	b := NewCodec(wire.Topics{Prefix: "staging."}, "test", rotated).Command(later, again, sampleTime.Add(time.Hour))
	require.Equal(t, a.Key, b.Key)
	require.Equal(t, a.Topic, b.Topic)
	require.Equal(t, a.Value, b.Value)
	require.Equal(t, []byte(first.Payload), a.Value, "S22: as it was stored, to the byte")
	var changed []string
	require.Len(t, b.Headers, len(a.Headers))
	for i, h := range a.Headers {
		require.Equal(t, h.Key, b.Headers[i].Key)
		if string(h.Value) != string(b.Headers[i].Value) {
			changed = append(changed, h.Key)
		}
	}
	slices.Sort(changed)
	require.Equal(t, []string{"ce_expirytime", "ce_sagaattempt", "ce_sagatoken", "ce_time"}, changed)

	next := first
	next.Edition = 1
	c := sampleCodec(t).Command(in, next, sampleTime)
	require.NotEqual(t, headerOf(a, wire.HeaderID), headerOf(c, wire.HeaderID), "an edition is a command of its own")
}

func headerOf(r orchestrator.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func TestCodec_EventOfAPayloadThatIsNoJSON(t *testing.T) {
	t.Parallel()
	r := sampleCodec(t).Event(sampleInstance(), saga.Fact{
		Seq: 1, Type: saga.SagaStarted, Sequence: 1, Output: json.RawMessage(`{`),
		Start: &saga.Start{Saga: "order-placement", Input: json.RawMessage(`{`)},
	})
	require.True(t, json.Valid(r.Value))
	require.Contains(t, string(r.Value), `"order-placement"`)
}

func TestCodec_Decode(t *testing.T) {
	t.Parallel()
	b := &testBundle{cfg: Config{Topics: wire.Topics{Prefix: "staging."}}, keys: testKeys(t), codec: sampleCodec(t)}
	record := b.reply(sagaID(1), "reserve-items", func(r *wire.Reply) {
		r.Outcome, r.Code, r.Message, r.RetryAfter, r.Attempt = wire.Failed, "busy", "später", 1500*time.Millisecond, 3
	})
	d := b.codec.Decode(incoming(record))
	require.Nil(t, d.Poison)
	id, _ := record.Header(wire.HeaderID)
	require.Equal(t, id, d.ID)
	require.Equal(t, sagaID(1), d.Saga)
	require.Equal(t, "default", d.Tenant)
	require.Empty(t, cmp.Diff(saga.Replied{
		Step: "reserve-items", Verb: saga.Execute, Attempt: 3, Outcome: saga.ReplyFailed, Code: "busy", Message: "später",
		RetryAfter: 1500 * time.Millisecond, Value: json.RawMessage(`{"ok":true}`),
		Record: saga.Coordinates{Topic: "staging.skald.replies", Partition: 4, Offset: 99},
	}, d.Reply))
	require.Equal(t, []byte("redacted"), d.Raw.Headers[slices.IndexFunc(d.Raw.Headers, func(h orchestrator.Header) bool { return h.Key == wire.HeaderSagaToken })].Value)
	require.Equal(t, record.Value, d.Raw.Value)
	require.Equal(t, sagaID(1), d.Raw.Saga)
	require.EqualValues(t, 99, d.Raw.Offset)
}

func TestCodec_DecodeOversized(t *testing.T) {
	t.Parallel()
	b := &testBundle{keys: testKeys(t), codec: sampleCodec(t)}
	of := func(size int) orchestrator.Delivery {
		return b.codec.Decode(incoming(b.reply(sagaID(1), "reserve-items", func(r *wire.Reply) {
			r.Value = []byte(`"` + strings.Repeat("x", size-2) + `"`)
		})))
	}
	fits := of(saga.MaxReplyBytes)
	require.False(t, fits.Reply.Oversized)
	require.Len(t, fits.Reply.Value, saga.MaxReplyBytes)
	over := of(saga.MaxReplyBytes + 1)
	require.Nil(t, over.Poison, "design section 4: a larger succeeded counts")
	require.True(t, over.Reply.Oversized)
	require.Nil(t, over.Reply.Value, "its output is not kept")
}

func incoming(r wire.Record) *sarama.ConsumerMessage {
	msg := &sarama.ConsumerMessage{Topic: r.Topic, Partition: 4, Offset: 99, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}
	for _, h := range r.Headers {
		msg.Headers = append(msg.Headers, &sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	return msg
}

func setHeader(r *wire.Record, key, value string) {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			r.Headers[i].Value = []byte(value)
		}
	}
}

func dropHeader(r *wire.Record, key string) {
	r.Headers = slices.DeleteFunc(r.Headers, func(h wire.Header) bool { return h.Key == key })
}

// poisonCase is a reply that was spoiled, and what it is quarantined for.
type poisonCase struct {
	name   string
	reason string
	known  bool // its token proves saga and tenant
	spoil  func(t *testing.T, r *wire.Record)
}

func poisonCases() []poisonCase {
	sagaOf := func(n int) string { return sagaID(n).String() }
	return []poisonCase{
		{"NoOutcome", ReasonNoOutcome, true, func(_ *testing.T, r *wire.Record) { dropHeader(r, wire.HeaderSagaOutcome) }},
		{"EmptyOutcome", ReasonNoOutcome, true, func(_ *testing.T, r *wire.Record) { setHeader(r, wire.HeaderSagaOutcome, "") }},
		{"UnknownOutcome", ReasonUnreadable, true, func(_ *testing.T, r *wire.Record) { setHeader(r, wire.HeaderSagaOutcome, "maybe") }},
		{"UnknownVerb", ReasonUnreadable, false, func(_ *testing.T, r *wire.Record) { setHeader(r, wire.HeaderSagaVerb, "undo") }},
		{"NotJSON", ReasonUnreadable, true, func(_ *testing.T, r *wire.Record) { r.Value = []byte(`{"ok":`) }},
		{"ValueNotUTF8", ReasonUnreadable, true, func(_ *testing.T, r *wire.Record) { r.Value = []byte("\"\xff\"") }},
		{"HeaderNotUTF8", ReasonUnreadable, true, func(_ *testing.T, r *wire.Record) {
			r.Headers = append(r.Headers, wire.Header{Key: wire.HeaderSagaMessage, Value: []byte{0xff, 0xfe}})
		}},
		{"HeaderTwice", ReasonUnreadable, true, func(_ *testing.T, r *wire.Record) {
			r.Headers = append(r.Headers, wire.Header{Key: wire.HeaderSagaAttempt, Value: []byte("2")})
		}},
		{"NoHeadersAtAll", ReasonNoOutcome, false, func(_ *testing.T, r *wire.Record) { r.Headers = nil }},
		{"WrongToken", ReasonBadToken, false, func(t *testing.T, r *wire.Record) {
			other, err := wire.NewKeyring(wire.Key{ID: "k1", Secret: []byte("not-the-right-secret")})
			require.NoError(t, err)
			setHeader(r, wire.HeaderSagaToken, commandOf(other, sagaID(1), "reserve-items").Token)
		}},
		{"TokenOfAnotherSaga", ReasonBadToken, false, func(t *testing.T, r *wire.Record) {
			setHeader(r, wire.HeaderSagaToken, commandOf(testKeys(t), sagaID(2), "reserve-items").Token)
		}},
		{"OtherParticipant", ReasonBadToken, false, func(_ *testing.T, r *wire.Record) {
			setHeader(r, wire.HeaderType, "payments.ReserveItems.v1.reply")
		}},
		{"OtherTenant", ReasonBadToken, false, func(_ *testing.T, r *wire.Record) { setHeader(r, wire.HeaderSagaTenant, "acme") }},
		{"NoToken", ReasonBadToken, false, func(_ *testing.T, r *wire.Record) { dropHeader(r, wire.HeaderSagaToken) }},
		{"OtherKey", ReasonMismatch, true, func(_ *testing.T, r *wire.Record) { r.Key = []byte(sagaOf(2)) }},
		{"NoKey", ReasonMismatch, true, func(_ *testing.T, r *wire.Record) { r.Key = nil }},
		{"OtherStep", ReasonMismatch, false, func(_ *testing.T, r *wire.Record) { setHeader(r, wire.HeaderSagaStep, "charge-payment") }},
		{"OtherEdition", ReasonMismatch, false, func(_ *testing.T, r *wire.Record) { setHeader(r, wire.HeaderSagaEdition, "1") }},
		{"OtherCommand", ReasonMismatch, true, func(_ *testing.T, r *wire.Record) {
			setHeader(r, wire.HeaderCausationID, wire.RandomID().String())
		}},
		{"OtherSaga", ReasonMismatch, false, func(_ *testing.T, r *wire.Record) {
			setHeader(r, wire.HeaderSubject, sagaOf(2))
			r.Key = []byte(sagaOf(2))
		}},
	}
}

func TestCodec_DecodePoison(t *testing.T) {
	t.Parallel()
	b := &testBundle{cfg: Config{Topics: wire.Topics{Prefix: "staging."}}, keys: testKeys(t), codec: sampleCodec(t)}
	for _, c := range poisonCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := b.reply(sagaID(1), "reserve-items")
			token, _ := r.Header(wire.HeaderSagaToken)
			c.spoil(t, &r)
			spoiledToken, _ := r.Header(wire.HeaderSagaToken)
			d := b.codec.Decode(incoming(r))
			require.NotNil(t, d.Poison)
			requirePoison(t, c, r, d)
			for _, secret := range []string{token, spoiledToken} {
				if secret != "" {
					require.NotContains(t, fmt.Sprintf("%+v %s", d, d.Poison.Message), secret)
				}
			}
		})
	}
}

// requirePoison checks that the record is kept byte for byte but for its token.
func requirePoison(t *testing.T, c poisonCase, r wire.Record, d orchestrator.Delivery) {
	t.Helper()
	require.NotNil(t, d.Poison, "%s was let through", c.name)
	require.Equal(t, c.reason, d.Poison.Reason, "%s: %s", c.name, d.Poison.Message)
	require.NotEmpty(t, d.Poison.Message)
	wantSaga, wantTenant := saga.ID{}, ""
	if c.known {
		wantSaga, wantTenant = sagaID(1), "default"
	}
	require.Equal(t, wantSaga, d.Poison.Saga, "%s: a claim that nothing proves is not taken for true", c.name)
	require.Equal(t, wantTenant, d.Poison.Tenant)
	require.Equal(t, string(r.Key), string(d.Poison.Key))
	require.Equal(t, string(r.Value), string(d.Poison.Value))
	require.Len(t, d.Poison.Headers, len(r.Headers))
	for i, h := range d.Poison.Headers {
		require.Equal(t, r.Headers[i].Key, h.Key)
		if h.Key == wire.HeaderSagaToken {
			require.Equal(t, "redacted", string(h.Value))
		} else {
			require.Equal(t, r.Headers[i].Value, h.Value)
		}
	}
}

func FuzzCodec_Decode(f *testing.F) {
	keys, err := wire.NewKeyring(wire.Key{ID: "k1", Secret: []byte("0123456789abcdef")})
	if err != nil {
		f.Fatal(err)
	}
	codec := NewCodec(wire.Topics{}, "test", keys)
	f.Add([]byte("key"), []byte("ce_sagaoutcome"), []byte("succeeded"), []byte(`{}`))
	f.Fuzz(func(t *testing.T, key, name, header, value []byte) {
		d := codec.Decode(&sarama.ConsumerMessage{Key: key, Value: value, Headers: []*sarama.RecordHeader{{Key: name, Value: header}}})
		if d.Poison == nil {
			t.Fatal("a reply without a token was let through")
		}
	})
}
