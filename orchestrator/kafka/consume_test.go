package kafka

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// replies are n good replies of one saga, and so of one partition.
func (b *testBundle) replies(id saga.ID, n int) []wire.Record {
	list := make([]wire.Record, n)
	for i := range list {
		list[i] = b.reply(id, "reserve-items", func(r *wire.Reply) { r.Attempt = i + 1 })
	}
	return list
}

func attempts(list []orchestrator.Delivery) []int {
	out := make([]int, len(list))
	for i, d := range list {
		out[i] = d.Reply.Attempt
	}
	return out
}

func TestClose_WaitsForMarks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, b.replies(sagaID(1), 3)...)
	first := b.open(t, func(c *Config) { c.revokeFor = patience })
	got := fetch(t, first, 3)
	var closing sync.WaitGroup
	closing.Go(func() { shut(t, first) })
	require.Eventually(t, func() bool { return first.Assigned() == 0 }, patience, time.Millisecond)
	first.Mark(got)
	closing.Wait()
	b.send(t, b.reply(sagaID(1), "reserve-items", func(r *wire.Reply) { r.Attempt = 4 }))
	require.Equal(t, []int{4}, attempts(fetch(t, b.open(t), 1)))
}

func TestFetch_TellsThatItWentBackToTheOldest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, b.replies(sagaID(1), 2)...)
	partition := wire.Partition([]byte(sagaID(1).String()), 3)
	before := b.open(t)
	before.Mark(fetch(t, before, 2))
	shut(t, before)
	b.commit(t, partition, 1000) // beyond the end: as after a truncation
	type reset struct {
		topic     string
		partition int32
	}
	resets := make(chan reset, 10)
	broker := b.open(t, func(c *Config) {
		c.Hooks.OffsetReset = func(topic string, partition int32) { resets <- reset{topic, partition} }
	})
	require.Equal(t, []int{1, 2}, attempts(fetch(t, broker, 2)))
	require.Len(t, resets, 1, "the alarm comes before the records")
	require.Equal(t, reset{b.cfg.Topics.Replies(), partition}, <-resets)
	require.Empty(t, resets, "partitions without an offset are no alarm")
}

// commit puts the group's offset somewhere.
func (b *testBundle) commit(t testing.TB, partition int32, offset int64) {
	t.Helper()
	b.commitTopic(t, b.cfg.Topics.Replies(), partition, offset)
}

func (b *testBundle) commitTopic(t testing.TB, topic string, partition int32, offset int64) {
	t.Helper()
	cfg := b.cfg
	cfg.setDefaults()
	client, err := sarama.NewClient(cfg.Brokers, cfg.consumer())
	require.NoError(t, err)
	manager, err := sarama.NewOffsetManagerFromClient(cfg.Group, client)
	require.NoError(t, err)
	p, err := manager.ManagePartition(topic, partition)
	require.NoError(t, err)
	p.MarkOffset(offset, "")
	manager.Commit()
	require.NoError(t, p.Close())
	require.NoError(t, errors.Join(manager.Close(), client.Close()))
}
