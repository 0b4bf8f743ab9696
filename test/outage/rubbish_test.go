package outage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

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

// TestRubbishReplies: what can never be applied is kept as it came, by its coordinates, and delays nobody (L5).
func TestRubbishReplies(t *testing.T) {
	t.Parallel()
	b := newRubbishBench(t)
	target, targetID := b.wait(t)
	l := startLoad(b.Client, "rubbish", 100*time.Millisecond, "tok_ok", "tok_ok", "tok_declined")
	t.Cleanup(func() { _, _ = l.finish() }) // asked for its error below
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error { return completed(ctx, b.Client, 5) })

	sent := map[place]wire.Record{}
	want := map[place]string{}
	for _, c := range allRubbish(b.ring) {
		r := goodReply(b.ring, targetID, "wait")
		c.spoil(&r)
		behind, behindID := b.wait(t)
		at := b.send(t, b.next(), r)
		b.send(t, at.partition, goodReply(b.ring, behindID, "wait"))
		stack.Eventually(t, 20*time.Second, func(ctx context.Context) error { return ended(ctx, b.Client, behind) })
		sent[at], want[at] = r, c.name
		got, err := b.Client.QuarantinedRecord(t.Context(), b.quarantined(t, want)[at].ID)
		require.NoError(t, err)
		require.Equal(t, c.reason, got.Reason, "%s: %s", c.name, got.Message)
		requireKept(t, c.name, &r, &got)
	}
	b.movesOn(t, want)
	orders, err := l.finish()
	require.NoError(t, err)
	require.NotEmpty(t, orders)
	for _, o := range orders {
		sg := endsWell(t, b.Client, o)
		for _, step := range sg.Steps {
			if stack.Raced { // everything is several times as slow, the timeouts are not
				break
			}
			require.LessOrEqual(t, step.Attempts, 1, "%s: %s was not answered within its timeout", o.key, step.Name)
			require.LessOrEqual(t, step.UndoAttempts, 1, "%s: %s was not answered within its timeout", o.key, step.Name)
		}
	}
	b.bomb(t, want)
	b.hostile(t)

	// None of the rubbish was taken for an answer; a good one still is.
	sg, err := b.Client.Saga(t.Context(), target)
	require.NoError(t, err)
	require.Equal(t, client.Running, sg.Status)
	require.Equal(t, "reply", sg.BlockedOn[0].Cause)
	b.send(t, 0, goodReply(b.ring, targetID, "wait"))
	stack.Eventually(t, 10*time.Second, func(ctx context.Context) error { return ended(ctx, b.Client, target) })
	b.quarantined(t, want)
}

// quarantined waits until the records that want names have their rows, and requires that there are no others.
func (b *rubbishBench) quarantined(t *testing.T, want map[place]string) map[place]client.Quarantined {
	t.Helper()
	got := map[place]client.Quarantined{}
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error {
		list, err := b.Client.Quarantine(ctx, client.QuarantineFilter{Limit: 500})
		if err != nil {
			return err
		}
		for _, q := range list.Items {
			got[place{q.Partition, q.Offset}] = q
		}
		for at, name := range want {
			if _, ok := got[at]; !ok {
				return fmt.Errorf("%s at %v is not in quarantine; %d are", name, at, len(list.Items))
			}
		}
		require.Len(t, list.Items, len(want), "each record once, and nothing else")
		return nil
	})
	return got
}

// requireKept: the record stands in quarantine as it came, but for its token.
func requireKept(t *testing.T, name string, sent *wire.Record, q *client.Quarantined) {
	t.Helper()
	require.Equal(t, repliesTopic, q.Topic)
	require.Equal(t, len(sent.Value), q.Bytes, name)
	sum := sha256.Sum256(sent.Value)
	require.Equal(t, hex.EncodeToString(sum[:]), q.SHA256, name)
	require.True(t, bytes.Equal(sent.Value, q.Value), name)
	require.True(t, bytes.Equal(sent.Key, q.Key), name)
	require.False(t, q.Timestamp.IsZero())
	require.Len(t, q.Headers, len(sent.Headers), name)
	for i, h := range sent.Headers {
		require.Equal(t, h.Key, q.Headers[i].Key)
		if h.Key == wire.HeaderSagaToken {
			require.Equal(t, "redacted", string(q.Headers[i].Value), name)
			require.NotContains(t, q.Message, string(h.Value), name)
			continue
		}
		require.True(t, bytes.Equal(h.Value, q.Headers[i].Value), "%s: %s", name, h.Key)
	}
}

// movesOn waits until the group's committed offsets are behind all of the rubbish.
func (b *rubbishBench) movesOn(t *testing.T, places map[place]string) {
	t.Helper()
	stack.Eventually(t, 15*time.Second, func(context.Context) error {
		offsets, err := b.admin.ListConsumerGroupOffsets(replyGroup, nil)
		if err != nil {
			return err
		}
		for at, name := range places {
			block := offsets.GetBlock(repliesTopic, at.partition)
			if block == nil || block.Offset <= at.offset {
				return fmt.Errorf("%s at %v: partition is at %+v", name, at, block)
			}
		}
		return nil
	})
}

// endsWell waits for the end that the order asked for.
func endsWell(t *testing.T, c *client.Client, o order) client.Saga {
	t.Helper()
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error { return ended(ctx, c, o.id) })
	sg, err := c.Saga(t.Context(), o.id)
	require.NoError(t, err)
	status := client.Completed
	if o.token == "tok_declined" {
		status = client.Compensated
	}
	require.Equal(t, status, sg.Status, o.key)
	require.Empty(t, sg.Attention)
	return sg
}

func ended(ctx context.Context, c *client.Client, id string) error {
	sg, err := c.Saga(ctx, id)
	if err == nil && !sg.Status.Terminal() {
		err = fmt.Errorf("saga %s is %s, blocked on %+v", id, sg.Status, sg.BlockedOn)
	}
	return err
}
