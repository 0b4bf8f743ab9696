package kafka_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/kafka"
	"github.com/skaldhq/skald/participants/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Sarama's meters share one goroutine that never ends.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
		// Its breaker before a topic without leader sleeps for ten seconds, closed or not.
		goleak.IgnoreAnyFunction("github.com/eapache/go-resiliency/breaker.(*Breaker).timer"))
}

const patience = 30 * time.Second

// bundle is a broker with topics of the test's own.
type bundle struct {
	t         testing.TB
	brokers   []string
	topics    wire.Topics
	transport *kafka.Transport
}

func setup(t testing.TB, config kafka.Config) *bundle {
	t.Helper()
	b := &bundle{
		t: t, brokers: embeddedtest.Kafka(t),
		topics: wire.Topics{Prefix: "t" + wire.RandomID().String()[:8] + "."},
	}
	b.transport = b.open(config)
	require.NoError(t, b.transport.EnsureTopics(t.Context(), 6, b.topics.Commands("tester"), b.topics.Replies()))
	return b
}

func (b *bundle) open(config kafka.Config) *kafka.Transport {
	b.t.Helper()
	config.Brokers = b.brokers
	transport, err := kafka.New(config)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, transport.Close()) })
	return transport
}

// run starts a participant with Do.v1 and returns what ends it. transport nil is the bundle's.
func (b *bundle) run(barrier participants.Barrier, transport participants.Transport, do participants.HandlerFunc) (stop func()) {
	b.t.Helper()
	if transport == nil {
		transport = b.transport
	}
	p := participants.New("tester", barrier, participants.Config{Topics: b.topics, DrainTimeout: time.Second})
	p.Handle("Do.v1", do, nil)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, transport) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			require.NoError(b.t, err)
		case <-time.After(patience):
			require.Fail(b.t, "the participant did not end")
		}
	})
	b.t.Cleanup(stop)
	return stop
}

func (b *bundle) command(saga wire.ID, step string) wire.Record {
	c := wire.Command{
		ID: wire.CommandID(saga, step, wire.Execute, 0), Source: "/skald/test", Participant: "tester", Name: "Do.v1",
		SagaID: saga, SagaType: "test", SagaVersion: 1, Step: step, Verb: wire.Execute, Tenant: "default", Attempt: 1,
		Token: "x.y", ReplyTo: b.topics.Replies(), Time: time.Now(), Expiry: time.Now().Add(time.Minute),
		CorrelationID: "c", Value: []byte(`{}`),
	}
	return c.Record(b.topics.Commands("tester"))
}

func (b *bundle) send(records ...wire.Record) {
	b.t.Helper()
	errs := make(chan error, len(records))
	for _, r := range records {
		b.transport.Send(r, func(err error) { errs <- err })
	}
	for range records {
		require.NoError(b.t, <-errs)
	}
}

// replies reads the reply topic from its start, until the test ends.
func (b *bundle) replies() <-chan wire.Record {
	b.t.Helper()
	config := sarama.NewConfig()
	config.Consumer.MaxWaitTime = 10 * time.Millisecond
	consumer, err := sarama.NewConsumer(b.brokers, config)
	require.NoError(b.t, err)
	partitions, err := consumer.Partitions(b.topics.Replies())
	require.NoError(b.t, err)
	out := make(chan wire.Record, 10_000)
	var group sync.WaitGroup
	var closers []sarama.PartitionConsumer
	for _, partition := range partitions {
		var pc sarama.PartitionConsumer
		require.Eventually(b.t, func() bool { // a broker leads a new partition somewhat later than it says so
			pc, err = consumer.ConsumePartition(b.topics.Replies(), partition, sarama.OffsetOldest)
			return err == nil
		}, patience, 50*time.Millisecond)
		closers = append(closers, pc)
		group.Go(func() {
			for m := range pc.Messages() {
				r := wire.Record{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Key: m.Key, Value: m.Value}
				for _, h := range m.Headers {
					r.Headers = append(r.Headers, wire.Header{Key: string(h.Key), Value: h.Value})
				}
				out <- r
			}
		})
	}
	b.t.Cleanup(func() {
		for _, pc := range closers {
			pc.AsyncClose()
		}
		group.Wait()
		require.NoError(b.t, consumer.Close())
	})
	return out
}

func (b *bundle) await(replies <-chan wire.Record) (wire.Record, wire.Reply) {
	b.t.Helper()
	select {
	case record := <-replies:
		reply, err := wire.DecodeReply(record)
		require.NoError(b.t, err)
		return record, reply
	case <-time.After(patience):
		require.Fail(b.t, "no reply")
		return wire.Record{}, wire.Reply{}
	}
}

// committed is the group's offsets, by partition, where there is one.
func (b *bundle) committed() map[int32]int64 {
	b.t.Helper()
	admin, err := sarama.NewClusterAdmin(b.brokers, sarama.NewConfig())
	require.NoError(b.t, err)
	defer admin.Close()
	response, err := admin.ListConsumerGroupOffsets(b.topics.Prefix+"tester", nil)
	require.NoError(b.t, err)
	offsets := map[int32]int64{}
	for partition, block := range response.Blocks[b.topics.Commands("tester")] {
		if block.Offset >= 0 {
			offsets[partition] = block.Offset
		}
	}
	return offsets
}

func (b *bundle) awaitCommitted(want int64) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		sum := int64(0)
		for _, offset := range b.committed() {
			sum += offset
		}
		return sum == want
	}, patience, 50*time.Millisecond, "offsets committed: %v", fmt.Sprint(b.committed()))
}

// effects counts what a handler did per command, in the barrier's transaction.
type effects struct {
	mu     sync.Mutex
	counts map[string]int // guarded by mu
}

func (e *effects) handle(_ context.Context, req *participants.Request) (participants.Result, error) {
	req.Tx.(*participants.MemoryEffects).OnCommit(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.counts == nil {
			e.counts = map[string]int{}
		}
		e.counts[req.SagaID.String()+req.Step]++
	})
	return participants.Succeed(nil)
}

func (e *effects) wantOnceEach(t testing.TB, n int) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	require.Len(t, e.counts, n)
	for key, count := range e.counts {
		require.Equal(t, 1, count, key)
	}
}
