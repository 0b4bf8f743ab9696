package outage

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/stack"
)

// bomb sends what unpacks to more than the engine takes, among the replies of sagas. The reply topic as the engine makes it
// refuses that; only a misconfigured one lets it in. Then reading begins anew behind it, which may take some time.
func (b *rubbishBench) bomb(t *testing.T, want map[place]string) {
	t.Helper()
	l := startLoad(b.Client, "bomb", 100*time.Millisecond, "tok_ok", "tok_ok", "tok_declined")
	t.Cleanup(func() { _, _ = l.finish() }) // asked for its error below
	cfg := *b.kafka.Config()
	cfg.Producer.Compression = sarama.CompressionGZIP
	bomber, err := sarama.NewSyncProducer([]string{b.kafka.Brokers()[0].Addr()}, &cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, bomber.Close()) }()
	bomb := &wire.Record{Value: make([]byte, 40<<20)}
	_, _, err = bomber.SendMessage(message(b.next(), bomb))
	require.ErrorIs(t, err, sarama.ErrMessageSizeTooLarge, "the broker looks at the size after unpacking")

	b.configure(t, "compression.type", "producer")
	var at place
	stack.Eventually(t, 10*time.Second, func(context.Context) error { // the setting reaches the log a little later
		at.partition, at.offset, err = bomber.SendMessage(message(b.next(), bomb))
		return err
	})
	want[at] = "Bomb"
	got := b.quarantined(t, want)[at]
	require.Equal(t, "unreadable", got.Reason)
	require.Contains(t, got.Message, "cannot be unpacked")
	b.movesOn(t, want)
	orders, err := l.finish()
	require.NoError(t, err)
	for _, o := range orders {
		endsWell(t, b.Client, o)
	}
}

// hostile sends replies that are rightly signed and well formed, and as unpleasant as that allows. They are no rubbish: each
// is applied, to its own saga alone.
func (b *rubbishBench) hostile(t *testing.T) {
	t.Helper()
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	for _, c := range []struct {
		name      string
		spoil     func(*wire.Record)
		status    client.Status
		attention string
	}{
		{"DeepOutput", func(r *wire.Record) { r.Value = []byte(deep) }, client.Completed, ""},
		{"NULInOutput", func(r *wire.Record) { r.Value = []byte(`{"a":"\u0000"}`) }, client.Completed, ""},
		{"NULInMessage", func(r *wire.Record) {
			setHeader(r, wire.HeaderSagaOutcome, []byte(wire.Rejected))
			setHeader(r, wire.HeaderSagaMessage, []byte("no\x00"))
			setHeader(r, wire.HeaderSagaCode, []byte("\x00"))
		}, client.Compensated, ""},
		{"LongMessage", func(r *wire.Record) {
			setHeader(r, wire.HeaderSagaOutcome, []byte(wire.Rejected))
			setHeader(r, wire.HeaderSagaMessage, bytes.Repeat([]byte("m"), 2<<20))
		}, client.Compensated, ""},
		{"TenMegabytes", func(r *wire.Record) { r.Value = []byte(`{"a":"` + strings.Repeat("x", tenMegabytes) + `"}`) }, client.Suspended, "bad_output"},
	} {
		id, wireID := b.wait(t)
		r := goodReply(b.ring, wireID, "wait")
		c.spoil(&r)
		b.send(t, b.next(), r)
		stack.Eventually(t, 20*time.Second, func(ctx context.Context) error {
			sg, err := b.Client.Saga(ctx, id)
			if err == nil && sg.Status != c.status {
				err = fmt.Errorf("%s: saga %s is %s, blocked on %+v, attention %+v", c.name, id, sg.Status, sg.BlockedOn, sg.Attention)
			}
			if err == nil && c.attention != "" {
				require.Equal(t, c.attention, sg.Attention[0].Reason)
			}
			return err
		})
		for _, err := range b.Client.AllHistory(t.Context(), id) {
			require.NoError(t, err, c.name)
		}
	}
}
