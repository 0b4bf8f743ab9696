package outage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/stack"
)

const (
	repliesTopic = "skald.replies"
	replyGroup   = "skald"
	ringText     = "test:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	tenMegabytes = 10 << 20
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
	cmd := wire.Command{ID: id, Participant: "nobody", Name: "Wait.v1", SagaID: sagaID, Step: step, Verb: wire.Execute, Tenant: "default",
		Attempt: 1, Token: ring.Sign("default", sagaID, id, "nobody"), CorrelationID: sagaID.String()}
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

// rubbishBench is a site whose reply topic takes records of 10 MB.
type rubbishBench struct {
	*stack.Replica
	ring   *wire.Keyring
	client sarama.Client
	admin  sarama.ClusterAdmin
	out    sarama.SyncProducer
	next   int32 // partition
}

func newRubbishBench(t *testing.T) *rubbishBench {
	t.Helper()
	kafka := newBroker(t, map[string]string{"message.max.bytes": "33554432"}).start()
	s := newSite(t, kafka.addr())
	s.participants()
	b := &rubbishBench{Replica: s.serve("SKALD_REPLY_KEYS=" + ringText).Ready(t), client: kafka.connect()}
	register(t, b.Client)
	registerWaiting(t, b.Client)
	var err error
	b.ring, err = wire.ParseKeyring(ringText)
	require.NoError(t, err)
	b.admin, err = sarama.NewClusterAdminFromClient(b.client)
	require.NoError(t, err)
	b.out, err = sarama.NewSyncProducerFromClient(b.client)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.out.Close()) })
	b.configure(t, "max.message.bytes", "33554432")
	return b
}

func (b *rubbishBench) configure(t *testing.T, key, value string) {
	t.Helper()
	require.NoError(t, b.admin.IncrementalAlterConfig(sarama.TopicResource, repliesTopic, map[string]sarama.IncrementalAlterConfigsEntry{
		key: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
	}, false))
}

func (b *rubbishBench) wait(t *testing.T) (text string, id wire.ID) {
	t.Helper()
	text, err := startWaiting(t.Context(), b.Client)
	require.NoError(t, err)
	id, err = wire.ParseID(text)
	require.NoError(t, err)
	return text, id
}

// send writes a record, to one partition after the other, and returns where it stands.
func (b *rubbishBench) send(t *testing.T, r wire.Record) (partition int32, offset int64) {
	t.Helper()
	partition, offset, err := b.out.SendMessage(b.message(r))
	require.NoError(t, err)
	return partition, offset
}

func (b *rubbishBench) message(r wire.Record) *sarama.ProducerMessage {
	msg := &sarama.ProducerMessage{Topic: repliesTopic, Partition: b.next, Timestamp: time.Now()}
	b.next = (b.next + 1) % partitions
	if r.Key != nil {
		msg.Key = sarama.ByteEncoder(r.Key)
	}
	if r.Value != nil {
		msg.Value = sarama.ByteEncoder(r.Value)
	}
	for _, h := range r.Headers {
		msg.Headers = append(msg.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	return msg
}

// place is where a record stands.
type place struct {
	partition int32
	offset    int64
}

// TestRubbishReplies: what can never be applied is kept as it came, by its coordinates, and delays nobody (L5).
func TestRubbishReplies(t *testing.T) {
	t.Parallel()
	b := newRubbishBench(t)
	target, targetID := b.wait(t)
	l := startLoad(b.Client, 100*time.Millisecond, "tok_ok", "tok_ok", "tok_declined")
	t.Cleanup(func() { _, _ = l.finish() }) // asked for its error below
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error { return completed(ctx, b.Client, 5) })

	sent := map[place]wire.Record{}
	want := map[place]rubbish{}
	for _, c := range allRubbish(b.ring) {
		r := goodReply(b.ring, targetID, "wait")
		c.spoil(&r)
		partition, offset := b.send(t, r)
		at := place{partition, offset}
		sent[at], want[at] = r, c
	}
	bomb := b.bomb(t, sent)
	want[bomb] = rubbish{name: "Bomb", reason: "unreadable"}

	var got map[place]client.Quarantined
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error {
		list, err := b.Client.Quarantine(ctx, "", 500)
		if err != nil {
			return err
		}
		got = map[place]client.Quarantined{}
		for _, q := range list.Items {
			got[place{q.Partition, q.Offset}] = q
		}
		for at, c := range want {
			if _, ok := got[at]; !ok {
				return fmt.Errorf("%s at %v is not in quarantine; %d are", c.name, at, len(list.Items))
			}
		}
		return nil
	})
	require.Len(t, got, len(want), "each record once, and nothing else")
	for at, c := range want {
		if at == bomb {
			require.Equal(t, "unreadable", got[at].Reason)
			require.Contains(t, got[at].Message, "cannot be unpacked")
			continue
		}
		requireKept(t, c, sent[at], got[at])
	}
	b.movesOn(t, want)

	orders, err := l.finish()
	require.NoError(t, err)
	for _, o := range orders {
		requireOnTime(t, b.Client, o)
	}
	// None of the rubbish was taken for an answer; a good one still is.
	sg, err := b.Client.Saga(t.Context(), target)
	require.NoError(t, err)
	require.Equal(t, client.Running, sg.Status)
	require.Equal(t, "reply", sg.BlockedOn[0].Cause)
	b.send(t, goodReply(b.ring, targetID, "wait"))
	stack.Eventually(t, 10*time.Second, func(ctx context.Context) error { return ended(ctx, b.Client, target) })
}

// bomb sends what unpacks to more than the engine takes, among the replies of sagas. The reply topic as the engine makes it
// refuses that; only a misconfigured one lets it in.
func (b *rubbishBench) bomb(t *testing.T, sent map[place]wire.Record) place {
	t.Helper()
	cfg := *b.client.Config()
	cfg.Producer.Compression = sarama.CompressionGZIP
	bomber, err := sarama.NewSyncProducer([]string{b.client.Brokers()[0].Addr()}, &cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, bomber.Close()) }()
	value := make([]byte, 40<<20)
	_, _, err = bomber.SendMessage(b.message(wire.Record{Value: value}))
	require.ErrorIs(t, err, sarama.ErrMessageSizeTooLarge, "the broker looks at the size after unpacking")

	b.configure(t, "compression.type", "producer")
	var at place
	stack.Eventually(t, 10*time.Second, func(context.Context) error { // the setting reaches the log a little later
		at.partition, at.offset, err = bomber.SendMessage(b.message(wire.Record{Value: value}))
		return err
	})
	return at
}

// requireKept: the record stands in quarantine as it came, but for its token.
func requireKept(t *testing.T, c rubbish, sent wire.Record, q client.Quarantined) {
	t.Helper()
	require.Equal(t, c.reason, q.Reason, "%s: %s", c.name, q.Message)
	require.Equal(t, repliesTopic, q.Topic)
	require.Equal(t, len(sent.Value), q.Bytes, c.name)
	sum := sha256.Sum256(sent.Value)
	require.Equal(t, hex.EncodeToString(sum[:]), q.SHA256, c.name)
	require.True(t, bytes.Equal(sent.Value, q.Value), c.name)
	require.True(t, bytes.Equal(sent.Key, q.Key), c.name)
	require.False(t, q.Timestamp.IsZero())
	require.Len(t, q.Headers, len(sent.Headers), c.name)
	for i, h := range sent.Headers {
		require.Equal(t, h.Key, q.Headers[i].Key)
		if h.Key == wire.HeaderSagaToken {
			require.Equal(t, "redacted", string(q.Headers[i].Value), c.name)
			require.NotContains(t, q.Message, string(h.Value), c.name)
			continue
		}
		require.True(t, bytes.Equal(h.Value, q.Headers[i].Value), "%s: %s", c.name, h.Key)
	}
}

// movesOn waits until the group's committed offsets are behind all of the rubbish.
func (b *rubbishBench) movesOn(t *testing.T, rubbish map[place]rubbish) {
	t.Helper()
	stack.Eventually(t, 15*time.Second, func(context.Context) error {
		offsets, err := b.admin.ListConsumerGroupOffsets(replyGroup, nil)
		if err != nil {
			return err
		}
		for at, c := range rubbish {
			block := offsets.GetBlock(repliesTopic, at.partition)
			if block == nil || block.Offset <= at.offset {
				return fmt.Errorf("%s at %v: partition is at %+v", c.name, at, block)
			}
		}
		return nil
	})
}

// requireOnTime: the saga ended as it should, each command sent once.
func requireOnTime(t *testing.T, c *client.Client, o order) {
	t.Helper()
	stack.Eventually(t, 20*time.Second, func(ctx context.Context) error { return ended(ctx, c, o.id) })
	sg, err := c.Saga(t.Context(), o.id)
	require.NoError(t, err)
	status := client.Completed
	if o.token == "tok_declined" {
		status = client.Compensated
	}
	require.Equal(t, status, sg.Status, o.key)
	require.Empty(t, sg.Attention)
	for _, step := range sg.Steps {
		require.LessOrEqual(t, step.Attempts, 1, "%s: %s had to be sent again", o.key, step.Name)
		require.LessOrEqual(t, step.UndoAttempts, 1, "%s: %s had to be sent again", o.key, step.Name)
	}
	require.Less(t, sg.EndedAt.Sub(sg.CreatedAt), stepTimeout, o.key)
}

func ended(ctx context.Context, c *client.Client, id string) error {
	sg, err := c.Saga(ctx, id)
	if err == nil && !sg.Status.Terminal() {
		err = fmt.Errorf("saga %s is %s, blocked on %+v", id, sg.Status, sg.BlockedOn)
	}
	return err
}
