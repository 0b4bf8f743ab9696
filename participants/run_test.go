package participants_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// fakeTransport hands over what was put into records, from one goroutine, and keeps what was sent.
type fakeTransport struct {
	records chan wire.Record
	sendErr func(wire.Record) error

	mu       sync.Mutex
	sent     []wire.Reply    // guarded by mu
	finished map[int64]error // guarded by mu; by offset
	open     sync.WaitGroup  // deliveries that are not finished
	offset   int64
}

func newFakeTransport() *fakeTransport {
	return &fakeTransport{records: make(chan wire.Record), finished: map[int64]error{}}
}

func (f *fakeTransport) Consume(ctx context.Context, _, _ string, take func(participants.Delivery)) error {
	defer f.open.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case record := <-f.records:
			record.Offset = f.offset
			f.offset++
			f.open.Add(1)
			take(participants.Delivery{Context: ctx, Record: record, Finish: func(err error) {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.finished[record.Offset] = err
				f.open.Done()
			}})
		}
	}
}

func (f *fakeTransport) Send(record wire.Record, done func(error)) {
	reply, err := wire.DecodeReply(record)
	if err == nil && f.sendErr != nil {
		err = f.sendErr(record)
	}
	if err == nil {
		f.mu.Lock()
		f.sent = append(f.sent, reply)
		f.mu.Unlock()
	}
	done(err)
}

func (f *fakeTransport) outcomes() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := []string{}
	for _, r := range f.sent {
		got = append(got, fmt.Sprintf("%s %s/%s", r.Step, r.Outcome, r.Code))
	}
	return got
}

func command(sagaID wire.ID, step string, value string) wire.Record {
	c := wire.Command{
		ID: wire.CommandID(sagaID, step, wire.Execute, 0), Source: "/skald/test", Participant: "tester", Name: "Do.v1",
		SagaID: sagaID, SagaType: "test", SagaVersion: 1, Step: step, Verb: wire.Execute, Tenant: "default", Attempt: 1,
		Token: "x.y", ReplyTo: "skald.replies", Time: time.Now(), Expiry: time.Now().Add(time.Second),
		CorrelationID: "c", Value: []byte(value),
	}
	return c.Record("tester.commands")
}

// run starts a participant in the bubble; stop ends it and returns what Run did.
func run(t *testing.T, f *fakeTransport, config participants.Config, do participants.HandlerFunc) (stop func() error) {
	t.Helper()
	p := participants.New("tester", &participants.Memory{}, config)
	p.Handle("Do.v1", do, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, f) }()
	return func() error {
		cancel()
		return <-ended
	}
}

func TestRun_SerialPerSagaConcurrentAcross(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTransport()
		var mu sync.Mutex
		order := map[wire.ID][]string{}
		busy, most := 0, 0
		stop := run(t, f, participants.Config{Concurrency: 3}, func(_ context.Context, req *participants.Request) (participants.Result, error) {
			mu.Lock()
			busy++
			most = max(most, busy)
			order[req.SagaID] = append(order[req.SagaID], req.Step)
			mu.Unlock()
			<-time.After(time.Second) // fake time
			mu.Lock()
			defer mu.Unlock()
			busy--
			return participants.Succeed(nil)
		})
		begun := time.Now()
		ids := []wire.ID{wire.RandomID(), wire.RandomID(), wire.RandomID(), wire.RandomID()}
		for _, step := range []string{"a", "b", "c"} {
			for _, id := range ids {
				f.records <- command(id, step, "{}")
			}
		}
		for len(f.outcomes()) < 12 {
			<-time.After(time.Second)
			synctest.Wait()
		}
		require.Equal(t, 3, most, "as many at once as Concurrency, and no more")
		require.LessOrEqual(t, time.Since(begun), 7*time.Second, "12 commands of a second, 3 at once, 3 in a row at the end")
		for _, id := range ids {
			require.Equal(t, []string{"a", "b", "c"}, order[id], "commands of one saga run in the order delivered")
		}
		require.NoError(t, stop())
	})
}

func TestRun_DrainFinishesWhatHasBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTransport()
		begun := make(chan struct{}, 2)
		stop := run(t, f, participants.Config{}, func(ctx context.Context, _ *participants.Request) (participants.Result, error) {
			begun <- struct{}{}
			select {
			case <-time.After(3 * time.Second):
				return participants.Succeed(nil)
			case <-ctx.Done():
				return participants.Result{}, ctx.Err()
			}
		})
		id := wire.RandomID()
		f.records <- command(id, "a", "{}")
		f.records <- command(id, "b", "{}")
		<-begun
		synctest.Wait()
		require.NoError(t, stop())
		require.Equal(t, []string{"a succeeded/"}, f.outcomes())
		require.NoError(t, f.finished[0])
		require.Error(t, f.finished[1], "what has not begun is left to be delivered again")
	})
}

func TestRun_DrainGivesUpAfterItsTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTransport()
		begun := make(chan struct{}, 1)
		stop := run(t, f, participants.Config{DrainTimeout: time.Second}, func(ctx context.Context, _ *participants.Request) (participants.Result, error) {
			begun <- struct{}{}
			<-ctx.Done()
			return participants.Result{}, ctx.Err()
		})
		f.records <- command(wire.RandomID(), "a", "{}")
		<-begun
		at := time.Now()
		require.NoError(t, stop())
		require.Equal(t, time.Second, time.Since(at))
		require.Empty(t, f.outcomes())
		require.ErrorIs(t, f.finished[0], context.Canceled)
	})
}

func TestRun_InHandIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTransport()
		release := make(chan struct{})
		stop := run(t, f, participants.Config{Concurrency: 2, InHand: 4}, func(context.Context, *participants.Request) (participants.Result, error) {
			<-release
			return participants.Succeed(nil)
		})
		taken := 0
		for range 10 {
			select {
			case f.records <- command(wire.RandomID(), "a", "{}"):
				taken++
				synctest.Wait()
			case <-time.After(time.Second):
			}
		}
		require.Equal(t, 5, taken, "4 in hand, and one in the hand of the reader")
		close(release)
		synctest.Wait()
		require.Len(t, f.outcomes(), 5)
		require.NoError(t, stop())
	})
}

func TestRun_PoisonIsPassedBy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTransport()
		stop := run(t, f, participants.Config{}, succeeds)
		poison := command(wire.RandomID(), "a", "{}")
		poison.Headers = poison.Headers[:5]
		f.records <- poison
		foreign := command(wire.RandomID(), "b", "{}")
		for i := range foreign.Headers {
			if foreign.Headers[i].Key == wire.HeaderType {
				foreign.Headers[i].Value = []byte("other.Do.v1")
			}
		}
		f.records <- foreign
		f.records <- command(wire.RandomID(), "c", "{}")
		synctest.Wait()
		require.Equal(t, []string{"c succeeded/"}, f.outcomes())
		require.NoError(t, stop())
		require.Equal(t, map[int64]error{0: nil, 1: nil, 2: nil}, f.finished)
	})
}

func TestRun_OffsetsFollowReplies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTransport()
		errBroker := errors.New("broker is down")
		errs := []error{errBroker, fmt.Errorf("no such topic: %w", participants.ErrReplyRefused), nil}
		f.sendErr = func(wire.Record) error {
			err := errs[0]
			errs = errs[1:]
			return err
		}
		stop := run(t, f, participants.Config{}, succeeds)
		for _, step := range []string{"a", "b", "c"} {
			f.records <- command(wire.RandomID(), step, "{}")
			synctest.Wait()
		}
		require.NoError(t, stop())
		require.ErrorIs(t, f.finished[0], errBroker, "a reply that may be lost leaves its command to be delivered again")
		require.NoError(t, f.finished[1], "a reply that is refused for good must not stop the partition")
		require.NoError(t, f.finished[2])
		require.Equal(t, []string{"c succeeded/"}, f.outcomes())
	})
}

func TestRun_TransportGivesUp(t *testing.T) {
	t.Parallel()
	p := participants.New("tester", &participants.Memory{}, participants.Config{})
	err := p.Run(t.Context(), brokenTransport{})
	require.ErrorIs(t, err, errBroken)
	require.ErrorContains(t, err, "consume tester.commands")
}

var errBroken = errors.New("not authorized")

type brokenTransport struct{ participants.Transport }

func (brokenTransport) Consume(context.Context, string, string, func(participants.Delivery)) error {
	return errBroken
}
