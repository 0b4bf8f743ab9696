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
	"github.com/skaldhq/skald/orchestrator/brokertest"
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
		Step: "reserve-items", Participant: "inventory", Name: "ReserveItems.v1", Version: 2, Verb: saga.Execute, Attempt: 1,
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

// With traces off there is no header, with them on it is there and nothing else differs (S5).
func TestCodec_TraceParent(t *testing.T) {
	t.Parallel()
	const parent = "00-019aa00000007abc8123456789abcdef-b7ad6b7169203331-01"
	in, cmd := sampleInstance(), sampleCommand()
	plain := sampleCodec(t).Command(in, cmd, sampleTime)
	traced := sampleCodec(t).Tracing(func(id saga.ID, of *saga.Command) string {
		require.Equal(t, in.ID, id)
		require.Equal(t, cmd, *of)
		return parent
	}).Command(in, cmd, sampleTime)
	require.Empty(t, headerOf(plain, wire.HeaderTraceParent))
	require.Equal(t, parent, headerOf(traced, wire.HeaderTraceParent))
	traced.Headers = slices.DeleteFunc(traced.Headers, func(h orchestrator.Header) bool { return h.Key == wire.HeaderTraceParent })
	require.Equal(t, plain, traced)
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

func TestCodec_DecodePoison(t *testing.T) {
	t.Parallel()
	b := &testBundle{cfg: Config{Topics: wire.Topics{Prefix: "staging."}}, keys: testKeys(t), codec: sampleCodec(t)}
	for _, c := range brokertest.PoisonCases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			r := b.reply(sagaID(1), "reserve-items")
			token, _ := r.Header(wire.HeaderSagaToken)
			c.Spoil(&r)
			spoiledToken, _ := r.Header(wire.HeaderSagaToken)
			d := b.codec.Decode(incoming(r))
			require.NotNil(t, d.Poison)
			brokertest.Poisoned{PoisonCase: c, Record: r}.Check(t, d)
			for _, secret := range []string{token, spoiledToken} {
				if secret != "" {
					require.NotContains(t, fmt.Sprintf("%+v %s", d, d.Poison.Message), secret)
				}
			}
		})
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
