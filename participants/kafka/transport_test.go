package kafka_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/kafka"
	"github.com/skaldhq/skald/participants/wire"
)

func TestTransport_AnswersCommands(t *testing.T) {
	t.Parallel()
	b := setup(t, kafka.Config{})
	replies := b.replies()
	var done effects
	stop := b.run(&participants.Memory{}, nil, done.handle)
	var records []wire.Record
	for range 20 {
		records = append(records, b.command(wire.RandomID(), "a"))
	}
	b.send(records...)
	for range records {
		record, reply := b.await(replies)
		require.Equal(t, wire.Succeeded, reply.Outcome)
		require.Equal(t, reply.SagaID.String(), string(record.Key))
		require.Equal(t, wire.Partition(record.Key, 6), record.Partition, "replies are partitioned as Java's clients do")
	}
	stop()
	done.wantOnceEach(t, 20)
	b.awaitCommitted(20)
}

func TestTransport_ReadsFromTheOldestRecord(t *testing.T) {
	t.Parallel()
	b := setup(t, kafka.Config{})
	b.send(b.command(wire.RandomID(), "a"), b.command(wire.RandomID(), "a"))
	replies := b.replies()
	b.run(&participants.Memory{}, nil, new(effects).handle)
	b.await(replies)
	b.await(replies)
}

func TestTransport_WaitsForItsTopic(t *testing.T) {
	t.Parallel()
	b := setup(t, kafka.Config{})
	b.topics.Prefix += "later."
	b.run(&participants.Memory{}, nil, new(effects).handle)
	require.NoError(t, b.transport.EnsureTopics(t.Context(), 3, b.topics.Replies()))
	replies := b.replies()
	require.NoError(t, b.transport.EnsureTopics(t.Context(), 3, b.topics.Commands("tester")))
	require.NoError(t, b.transport.EnsureTopics(t.Context(), 3, b.topics.Commands("tester")), "what is there stays")
	b.send(b.command(wire.RandomID(), "a"))
	b.await(replies)
}

func TestTransport_PoisonIsPassedBy(t *testing.T) {
	t.Parallel()
	b := setup(t, kafka.Config{})
	saga := wire.RandomID()
	poison := b.command(saga, "a")
	poison.Headers, poison.Value = nil, []byte{0xff}
	b.send(poison, b.command(saga, "b"))
	replies := b.replies()
	stop := b.run(&participants.Memory{}, nil, new(effects).handle)
	_, reply := b.await(replies)
	require.Equal(t, "b", reply.Step)
	stop()
	b.awaitCommitted(2)
}

// S18: a command that was begun and not answered is read again by the next process.
func TestTransport_UnfinishedIsReadAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, kafka.Config{})
	saga := wire.RandomID()
	b.send(b.command(saga, "a"), b.command(saga, "b"), b.command(saga, "c"))
	replies := b.replies()
	entered := make(chan struct{})
	first := b.run(&participants.Memory{}, nil, func(ctx context.Context, req *participants.Request) (participants.Result, error) {
		if req.Step == "b" {
			close(entered)
			<-ctx.Done()
			return participants.Result{}, ctx.Err()
		}
		return participants.Succeed(nil)
	})
	_, reply := b.await(replies)
	require.Equal(t, "a", reply.Step)
	<-entered
	first()
	b.awaitCommitted(1)
	b.run(&participants.Memory{}, nil, new(effects).handle)
	for _, step := range []string{"b", "c"} {
		_, reply := b.await(replies)
		require.Equal(t, step, reply.Step)
	}
}

// flaky fails the first sends of replies, as a broker does that went away.
type flaky struct {
	*kafka.Transport
	left atomic.Int32
}

func (f *flaky) Send(record wire.Record, done func(error)) {
	if f.left.Add(-1) >= 0 {
		done(errors.New("broker is away"))
		return
	}
	f.Transport.Send(record, done)
}

func TestTransport_LostReplyIsAnsweredAfterRedelivery(t *testing.T) {
	t.Parallel()
	b := setup(t, kafka.Config{})
	replies := b.replies()
	f := &flaky{Transport: b.open(kafka.Config{})}
	f.left.Store(2)
	var done effects
	stop := b.run(&participants.Memory{}, f, done.handle)
	b.send(b.command(wire.RandomID(), "a"))
	_, reply := b.await(replies)
	require.Equal(t, wire.Succeeded, reply.Outcome)
	stop()
	done.wantOnceEach(t, 1)
	b.awaitCommitted(1)
}

func TestTransport_RefusedReplyDoesNotStopThePartition(t *testing.T) {
	t.Parallel()
	b := setup(t, kafka.Config{})
	saga := wire.RandomID()
	nowhere := b.command(saga, "a")
	for i := range nowhere.Headers {
		if nowhere.Headers[i].Key == wire.HeaderReplyTo {
			nowhere.Headers[i].Value = []byte("no-such-topic")
		}
	}
	b.send(nowhere, b.command(saga, "b"))
	replies := b.replies()
	stop := b.run(&participants.Memory{}, nil, new(effects).handle)
	_, reply := b.await(replies)
	require.Equal(t, "b", reply.Step)
	stop()
	b.awaitCommitted(2)
}

func TestTransport_RecordTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, kafka.Config{})
	record := b.command(wire.RandomID(), "a")
	record.Value = []byte(`"` + strings.Repeat("x", 2<<20) + `"`)
	errs := make(chan error, 1)
	b.transport.Send(record, func(err error) { errs <- err })
	require.ErrorIs(t, <-errs, participants.ErrReplyRefused)
}

func TestTransport_RebalanceLosesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, kafka.Config{})
	replies := b.replies()
	barrier := &participants.Memory{}
	var done effects
	const sagas, steps = 60, 4
	stopFirst := b.run(barrier, b.open(kafka.Config{}), done.handle)
	var ids []wire.ID
	for range sagas {
		ids = append(ids, wire.RandomID())
	}
	answered := map[string]bool{}
	for i, step := range []string{"a", "b", "c", "d"} {
		for _, id := range ids {
			b.send(b.command(id, step))
		}
		switch i {
		case 0:
			b.run(barrier, b.open(kafka.Config{}), done.handle)
		case 2:
			stopFirst()
		}
	}
	for len(answered) < sagas*steps {
		_, reply := b.await(replies)
		require.Equal(t, wire.Succeeded, reply.Outcome)
		answered[reply.SagaID.String()+reply.Step] = true
	}
	done.wantOnceEach(t, sagas*steps)
	b.awaitCommitted(sagas * steps)
}

func TestTransport_Closed(t *testing.T) {
	t.Parallel()
	b := setup(t, kafka.Config{})
	transport := b.open(kafka.Config{})
	require.NoError(t, transport.Close())
	require.NoError(t, transport.Close())
	transport.Send(b.command(wire.RandomID(), "a"), func(err error) { require.ErrorIs(t, err, kafka.ErrClosed) })
	require.ErrorIs(t, transport.Consume(t.Context(), "t", "g", nil), kafka.ErrClosed)
}

func TestNew_Errors(t *testing.T) {
	t.Parallel()
	_, err := kafka.New(kafka.Config{})
	require.ErrorContains(t, err, "no brokers")
	_, err = kafka.New(kafka.Config{Brokers: []string{"127.0.0.1:1"}})
	require.ErrorContains(t, err, "connect to kafka")
}

// BenchmarkTransport_RoundTrip is a command and its reply, one at a time, for several waits of an idle fetch.
func BenchmarkTransport_RoundTrip(bench *testing.B) {
	for _, wait := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond} {
		bench.Run(wait.String(), func(bench *testing.B) {
			b := setup(bench, kafka.Config{FetchWait: wait})
			replies := b.replies()
			b.run(&participants.Memory{}, nil, new(effects).handle)
			b.send(b.command(wire.RandomID(), "a"))
			b.await(replies)
			for bench.Loop() {
				b.transport.Send(b.command(wire.RandomID(), "a"), func(error) {})
				<-replies
			}
		})
	}
}

// BenchmarkTransport_Throughput is many commands under way at once, with the barrier in memory.
func BenchmarkTransport_Throughput(bench *testing.B) {
	b := setup(bench, kafka.Config{})
	replies := b.replies()
	b.run(&participants.Memory{}, nil, func(context.Context, *participants.Request) (participants.Result, error) {
		return participants.Succeed(nil)
	})
	b.send(b.command(wire.RandomID(), "a"))
	b.await(replies)
	records := make([]wire.Record, bench.N)
	for i := range records {
		records[i] = b.command(wire.RandomID(), "a")
	}
	bench.ReportAllocs()
	bench.ResetTimer()
	go func() {
		for _, record := range records {
			b.transport.Send(record, func(error) {})
		}
	}()
	for range records {
		<-replies
	}
}
