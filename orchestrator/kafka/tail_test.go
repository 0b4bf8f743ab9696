package kafka

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

func (b *testBundle) tail(t *testing.T) *Tail {
	t.Helper()
	tail, err := NewTail(b.cfg)
	require.NoError(t, err)
	return tail
}

// event puts events on a partition of skald.events.
func (b *testBundle) event(t *testing.T, partition int32, texts ...string) {
	t.Helper()
	cfg := b.cfg
	cfg.setDefaults()
	conf := cfg.producer(0)
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	client, err := sarama.NewClient(cfg.Brokers, conf)
	require.NoError(t, err)
	require.Eventually(t, func() bool { // a partition that was just added is not in every broker's metadata yet
		list, err := client.WritablePartitions(cfg.Topics.Events())
		if err == nil && slices.Contains(list, partition) {
			return true
		}
		_ = client.RefreshMetadata(cfg.Topics.Events()) // looked at the next time round
		return false
	}, patience, 10*time.Millisecond)
	producer, err := sarama.NewSyncProducerFromClient(client)
	require.NoError(t, err)
	for _, text := range texts {
		_, _, err = producer.SendMessage(&sarama.ProducerMessage{
			Topic: cfg.Topics.Events(), Partition: partition, Key: sarama.StringEncoder("key"), Value: sarama.StringEncoder(text),
		})
		require.NoError(t, err)
	}
	require.NoError(t, producer.Close())
	require.NoError(t, client.Close())
}

// noise is text that does not pack.
func noise(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(rand.Text())
	}
	return b.String()
}

var errEnough = errors.New("enough")

// tailed reads n events and answers them as partition:offset:value by partition.
func tailed(t *testing.T, tail *Tail, from map[int32]int64, n int) map[int32][]string {
	t.Helper()
	got := map[int32][]string{}
	err := tail.Tail(within(t), from, func(partition int32, offset int64, event orchestrator.Record) error {
		got[partition] = append(got[partition], fmt.Sprintf("%d:%s", offset, event.Value))
		if n--; n == 0 {
			return errEnough
		}
		return nil
	})
	require.ErrorIs(t, err, errEnough, "%v", got)
	return got
}

func TestTail_ReadsAllPartitionsFromOffsets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for p := range int32(3) {
		b.event(t, p, "0", "1", "2")
	}
	tail := b.tail(t)
	ends, err := tail.Ends(within(t))
	require.NoError(t, err)
	require.Equal(t, map[int32]int64{0: 3, 1: 3, 2: 3}, ends)
	got := tailed(t, tail, map[int32]int64{0: 1, 1: 3}, 5)
	require.Equal(t, map[int32][]string{0: {"1:1", "2:2"}, 2: {"0:0", "1:1", "2:2"}}, got,
		"a partition that is not named is read from its first event")
}

func TestTail_HandsOnRecordsAsTheyWereSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := saga.Instance{ID: sagaID(1), Saga: "order", Version: 3, Tenant: "acme", Key: "A-1"}
	sent := b.codec.Event(&in, saga.Fact{Type: saga.SagaStarted, Sequence: 1, At: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)})
	published := b.open(t).Publish(within(t), []orchestrator.Record{sent})
	require.Equal(t, orchestrator.PublishAcked, published[0].Outcome, "%v", published[0].Err)
	require.ErrorIs(t, b.tail(t).Tail(within(t), nil, func(partition int32, offset int64, event orchestrator.Record) error {
		require.Equal(t, wire.Partition(sent.Key, 3), partition)
		require.Zero(t, offset)
		require.Equal(t, orchestrator.Record{Kind: sent.Kind, Topic: sent.Topic, Key: sent.Key, Value: sent.Value, Headers: sent.Headers}, event)
		return errEnough
	}), errEnough)
}

func TestTail_GoesOnFromItsEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.event(t, 1, "before")
	tail := b.tail(t)
	ends, err := tail.Ends(within(t))
	require.NoError(t, err)
	b.event(t, 1, "meanwhile")
	b.event(t, 0, "meanwhile")
	require.Equal(t, map[int32][]string{0: {"0:meanwhile"}, 1: {"1:meanwhile"}}, tailed(t, tail, ends, 2))
}

func TestTail_BeginsAtTheOldestWhereOffsetsAreGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.event(t, 0, "0", "1", "2")
	b.event(t, 1, "0", "1", "2")
	require.NoError(t, b.admin.with(within(t), func(admin sarama.ClusterAdmin) error {
		return admin.DeleteRecords(b.cfg.Topics.Events(), map[int32]int64{0: 2})
	}))
	got := tailed(t, b.tail(t), map[int32]int64{0: 0, 1: 1000, 2: 0}, 4)
	require.Equal(t, map[int32][]string{0: {"2:2"}, 1: {"0:0", "1:1", "2:2"}}, got, "cut off, and beyond the end")
}

func TestTail_FindsOffsetsThatGoWhileItReads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const last = 39
	events := make([]string, last+1)
	for n := range events {
		events[n] = noise(tailFetch / 4) // a fetch brings a few of them, packed or not
	}
	b.event(t, 0, events...)
	at, read := int64(-1), 0
	err := b.tail(t).Tail(within(t), nil, func(_ int32, offset int64, _ orchestrator.Record) error {
		require.Greater(t, offset, at, "in order, nothing twice")
		at = offset
		if read++; read == 1 {
			require.NoError(t, b.admin.with(within(t), func(admin sarama.ClusterAdmin) error {
				return admin.DeleteRecords(b.cfg.Topics.Events(), map[int32]int64{0: last})
			}))
		}
		if offset == last {
			return errEnough
		}
		return nil
	})
	require.ErrorIs(t, err, errEnough)
	require.Less(t, read, last, "some were gone before they were fetched")
}

func TestTail_ReadsPartitionsThatAreAdded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.event(t, 0, "first")
	tail := b.tail(t)
	tail.growth = 10 * time.Millisecond
	got := 0
	require.ErrorIs(t, tail.Tail(within(t), map[int32]int64{0: 0, 1: 0, 2: 0}, func(partition int32, offset int64, _ orchestrator.Record) error {
		if got++; got == 1 {
			require.NoError(t, b.admin.with(within(t), func(admin sarama.ClusterAdmin) error {
				return admin.CreatePartitions(b.cfg.Topics.Events(), 4, nil, false)
			}))
			b.event(t, 3, "added")
			return nil
		}
		require.EqualValues(t, 3, partition)
		require.Zero(t, offset)
		return errEnough
	}), errEnough)
}

func TestTail_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.event(t, 0, "one")
	ctx, cancel := context.WithCancel(within(t))
	calls := 0
	require.ErrorIs(t, b.tail(t).Tail(ctx, nil, func(int32, int64, orchestrator.Record) error {
		calls++
		cancel()
		return nil
	}), context.Canceled)
	require.Equal(t, 1, calls)
	require.ErrorIs(t, b.tail(t).Tail(ctx, nil, nil), context.Canceled)
	_, err := b.tail(t).Ends(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestTail_SaysThatThereIsNoTopic(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.Topics.Prefix += "none."
	err := b.tail(t).Tail(within(t), nil, func(int32, int64, orchestrator.Record) error { return nil })
	require.ErrorIs(t, err, sarama.ErrUnknownTopicOrPartition)
	_, err = b.tail(t).Ends(within(t))
	require.ErrorIs(t, err, sarama.ErrUnknownTopicOrPartition)
}

func TestTail_RidesOutABrokerOutage(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	kafka, err := embedded.StartBroker(within(t), embedded.BrokerConfig{DataDir: data})
	require.NoError(t, err)
	addr := kafka.Addrs()[0]
	b := setup(t, addr)
	b.event(t, 0, "before")
	events := make(chan string)
	ctx, cancel := context.WithCancel(within(t))
	ended := make(chan error, 1)
	tail := b.tail(t)
	go func() {
		ended <- tail.Tail(ctx, nil, func(_ int32, _ int64, event orchestrator.Record) error {
			events <- string(event.Value)
			return nil
		})
	}()
	require.Equal(t, "before", <-events)
	require.NoError(t, kafka.Stop())
	kafka, err = embedded.StartBroker(within(t), embedded.BrokerConfig{DataDir: data, Addr: addr})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, kafka.Stop()) })
	b.event(t, 0, "after")
	select {
	case got := <-events:
		require.Equal(t, "after", got)
	case err := <-ended:
		require.FailNow(t, "the reading ended", "%v", err)
	}
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestTrouble_IsARowOfErrorsWithoutACalm(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	tr := trouble{limit: 30 * time.Second}
	for _, seconds := range []int{0, 10, 20, 30, 50, 60, 80} { // 30 to 50 and 60 to 80 are calms
		require.False(t, tr.tooLong(at.Add(time.Duration(seconds)*time.Second)), "after %d s", seconds)
	}
	require.False(t, tr.tooLong(at.Add(95*time.Second)))
	require.False(t, tr.tooLong(at.Add(110*time.Second)))
	require.True(t, tr.tooLong(at.Add(111*time.Second)), "31 s of errors")
}
