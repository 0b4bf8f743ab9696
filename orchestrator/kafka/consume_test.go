package kafka

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded"
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

func TestFetch_ContinuesAtTheMarksAfterARestart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, b.replies(sagaID(1), 5)...) // before there is a group: the oldest record counts
	first := b.open(t)
	got := fetch(t, first, 5)
	require.Equal(t, []int{1, 2, 3, 4, 5}, attempts(got))
	first.Mark(got[:3])
	first.Mark(got[:3]) // twice is harmless
	shut(t, first)

	second := b.open(t)
	got = fetch(t, second, 2)
	require.Equal(t, []int{4, 5}, attempts(got))
	second.Mark(got)
	shut(t, second)

	b.send(t, b.reply(sagaID(1), "reserve-items", func(r *wire.Reply) { r.Attempt = 6 }))
	require.Equal(t, []int{6}, attempts(fetch(t, b.open(t), 1)))
}

func TestFetch_ReadsAgainFromTheLowestUnmarked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, b.replies(sagaID(1), 6)...)
	first := b.open(t, func(c *Config) { c.revokeFor = time.Millisecond })
	got := fetch(t, first, 6)
	first.Mark(got[3:])
	first.Mark(got[:2]) // the third is left out: 4 to 6 must come again
	shut(t, first)
	require.Equal(t, []int{3, 4, 5, 6}, attempts(fetch(t, b.open(t), 4)))
}

func TestFetch_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	got, err := b.open(t).Fetch(ctx)
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestFetch_StopsReadingAPartitionFarAheadOfItsMarks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	broker := b.open(t, func(c *Config) { c.maxAhead = 4 })
	b.send(t, b.replies(sagaID(1), 10)...)
	got := fetch(t, broker, 4)
	other := sagaID(2)
	for n := 3; wire.Partition([]byte(other.String()), 3) == got[0].Raw.Partition; n++ {
		other = sagaID(n)
	}
	b.send(t, b.reply(other, "reserve-items"))
	next := fetch(t, broker, 1)
	require.Equal(t, other, next[0].Saga, "another partition is read on; this one is not")
	broker.Mark(got[1:]) // the first is still in the way
	b.send(t, b.reply(other, "reserve-items"))
	require.Equal(t, other, fetch(t, broker, 1)[0].Saga)
	broker.Mark(got[:1])
	require.Equal(t, []int{5, 6, 7, 8}, attempts(fetch(t, broker, 4)))
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

func TestFetch_MembersShareThePartitions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one := b.open(t)
	require.Eventually(t, func() bool { return one.Assigned() == 3 }, patience, time.Millisecond)
	b.send(t, b.replies(sagaID(1), 3)...)
	old := fetch(t, one, 3) // in hand over the rebalance
	two := b.open(t)
	require.Eventually(t, func() bool { return one.Assigned()+two.Assigned() == 3 && two.Assigned() > 0 && one.Assigned() > 0 },
		patience, time.Millisecond)
	one.Mark(old) // of a generation that is over

	const sagas = 30
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	type read struct {
		member   int
		delivery orchestrator.Delivery
	}
	reads := make(chan read, 10*sagas)
	var members sync.WaitGroup
	for i, broker := range []*Broker{one, two} {
		members.Go(func() {
			for ctx.Err() == nil {
				list, err := broker.Fetch(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				for _, d := range list {
					reads <- read{i, d}
				}
				broker.Mark(list)
			}
		})
	}
	for n := range sagas {
		b.send(t, b.reply(sagaID(100+n), "reserve-items"))
	}
	seen := map[saga.ID]bool{}
	owner := map[int32]int{}
	again := 0
	for len(seen) < sagas || again < len(old) {
		select {
		case r := <-reads:
			if r.delivery.Saga == sagaID(1) {
				again++ // its marks came too late: it is read again, by whoever has the partition
				continue
			}
			seen[r.delivery.Saga] = true
			if before, ok := owner[r.delivery.Raw.Partition]; ok {
				require.Equal(t, before, r.member, "a partition belongs to one member")
			}
			owner[r.delivery.Raw.Partition] = r.member
		case <-ctx.Done():
			require.FailNow(t, "replies are missing", "%d of %d, %d again", len(seen), sagas, again)
		}
	}
	require.Len(t, owner, 3)
	cancel()
	members.Wait()
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
func (b *testBundle) commit(t *testing.T, partition int32, offset int64) {
	t.Helper()
	b.commitTopic(t, b.cfg.Topics.Replies(), partition, offset)
}

func (b *testBundle) commitTopic(t *testing.T, topic string, partition int32, offset int64) {
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

func TestFetch_GoesOnAfterABrokerOutage(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	kafka, err := embedded.StartBroker(within(t), embedded.BrokerConfig{DataDir: data})
	require.NoError(t, err)
	addr := kafka.Addrs()[0]
	b := setup(t, addr)
	failures := make(chan error, 1000)
	broker := b.open(t, func(c *Config) {
		c.Hooks.ConsumerFailed = func(err error) {
			select {
			case failures <- err:
			default:
			}
		}
	})
	b.send(t, b.replies(sagaID(1), 1)...)
	broker.Mark(fetch(t, broker, 1))
	require.NoError(t, kafka.Stop())
	require.Error(t, <-failures)
	kafka, err = embedded.StartBroker(within(t), embedded.BrokerConfig{DataDir: data, Addr: addr})
	require.NoError(t, err)
	t.Cleanup(func() { shut(t, broker); require.NoError(t, kafka.Stop()) })
	b.send(t, b.reply(sagaID(1), "reserve-items", func(r *wire.Reply) { r.Attempt = 2 }))
	got := fetch(t, broker, 1)
	if got[0].Reply.Attempt == 1 { // its offset may not have been committed any more
		got = fetch(t, broker, 1)
	}
	require.Equal(t, []int{2}, attempts(got))
}
