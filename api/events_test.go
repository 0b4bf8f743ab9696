package api

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// fakeTail is a topic of two partitions in memory.
type fakeTail struct {
	mu      sync.Mutex // guards what follows
	events  [2][]orchestrator.Record
	changed chan struct{}
	tails   int
	err     error
}

func newFakeTail() *fakeTail { return &fakeTail{changed: make(chan struct{})} }

func (f *fakeTail) publish(partition int, r orchestrator.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events[partition] = append(f.events[partition], r)
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakeTail) Ends(context.Context) (map[int32]int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return map[int32]int64{0: int64(len(f.events[0])), 1: int64(len(f.events[1]))}, f.err
}

func (f *fakeTail) Tail(ctx context.Context, from map[int32]int64, emit func(int32, int64, orchestrator.Record) error) error {
	at := map[int32]int64{0: from[0], 1: from[1]}
	f.mu.Lock()
	f.tails++
	f.mu.Unlock()
	for {
		f.mu.Lock()
		changed := f.changed
		events := f.events
		f.mu.Unlock()
		for p := range int32(2) {
			for ; at[p] < int64(len(events[p])); at[p]++ {
				if err := emit(p, at[p], events[p][at[p]]); err != nil {
					return err
				}
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// event is the record of a saga's nth fact.
func (b *testBundle) event(t testing.TB, tenant string, n int64) orchestrator.Record {
	t.Helper()
	value, err := json.Marshal(saga.Fact{Seq: n, At: testTime, Type: saga.StepSucceeded, Step: "create-order", Output: json.RawMessage(`{"n":1.10}`)})
	require.NoError(t, err)
	id := b.engine.started.ID.String()
	header := func(k, v string) orchestrator.Header { return orchestrator.Header{Key: k, Value: []byte(v)} }
	return orchestrator.Record{Value: value, Headers: []orchestrator.Header{
		header(headerID, id+"/"+strconv.FormatInt(n, 10)), header(headerSubject, id),
		header(headerSaga, "order-placement"), header(headerVersion, "1"), header(headerTenant, tenant),
	}}
}

func eventIn(t testing.TB, event client.ServerEvent) client.Event {
	t.Helper()
	var e client.Event
	require.NoError(t, json.Unmarshal(event.Data, &e))
	require.Equal(t, e.Fact.Type, event.Type)
	return e
}

func TestEvents_FollowsAndResumes(t *testing.T) {
	t.Parallel()
	tail := newFakeTail()
	b := serveIt(t, func(c *Config) { c.Events = tail }, authenticated)
	tail.publish(0, b.event(t, "default", 1)) // before anybody looks
	go func() {
		for open := 0; open == 0; runtime.Gosched() { // once it is open, the stream has its place
			b.api.streams.mu.Lock()
			open = b.api.streams.open
			b.api.streams.mu.Unlock()
		}
		tail.publish(1, b.event(t, "other", 2))
		tail.publish(1, b.event(t, "default", 3))
		tail.publish(0, b.event(t, "default", 4))
	}()
	var seen []int64
	lastID := ""
	for event, err := range b.client.Events(t.Context(), "") {
		require.NoError(t, err)
		e := eventIn(t, event)
		require.Contains(t, string(event.Data), `"n":1.10`)
		require.Equal(t, "order-placement", e.Saga)
		seen = append(seen, e.Fact.Seq)
		lastID = event.ID
		if len(seen) == 2 {
			break
		}
	}
	require.ElementsMatch(t, []int64{3, 4}, seen, "from now on, and nothing of another tenant")
	require.Equal(t, "0:2,1:2", lastID)
	require.Eventually(t, func() bool { return !feedReady(b.api) }, 10*time.Second, time.Millisecond, "nobody looks: nothing is read")

	// The stream was away while this came; nobody kept it, so the stream reads on its own.
	tail.publish(1, b.event(t, "default", 5))
	for event, err := range b.client.Events(t.Context(), lastID) {
		require.NoError(t, err)
		require.Equal(t, int64(5), eventIn(t, event).Fact.Seq)
		break
	}
	for event, err := range b.client.Events(t.Context(), "0:0,1:0") {
		require.NoError(t, err)
		require.Equal(t, int64(1), eventIn(t, event).Fact.Seq, "as far back as the topic goes")
		break
	}
}

func feedReady(a *API) bool {
	a.feed.mu.Lock()
	defer a.feed.mu.Unlock()
	return a.feed.ready
}

func TestEvents_WithoutATail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/events"}), 503, "unavailable")
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/events", header: map[string]string{"Last-Event-ID": "7"}}), 422, "invalid")
}

func TestFeed_KeepsEventsForThoseWhoWereAway(t *testing.T) {
	t.Parallel()
	tail := newFakeTail()
	b := setup(t)
	f := newFeed(tail, b.api.log)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.run(ctx) }()
	defer func() { cancel(); require.ErrorIs(t, <-ended, context.Canceled) }()
	leave := f.join()
	defer leave()
	p, ok, err := f.enter(ctx, nil)
	require.NoError(t, err)
	require.True(t, ok)
	total := feedEvents + 10
	for n := range total {
		tail.publish(n%2, b.event(t, "default", int64(n)))
	}
	seen := 0
	for seen < total {
		events, err := f.next(ctx, &p, nil)
		if errors.Is(err, errLagged) { // allowed: it says so instead of leaving a gap
			break
		}
		require.NoError(t, err)
		for _, e := range events {
			require.Equal(t, p.at[e.partition], e.offset, "in order, without a gap")
			p.at[e.partition]++
		}
		seen += len(events)
	}
	require.Eventually(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.ends[0]+f.ends[1] == int64(total)
	}, 10*time.Second, time.Millisecond)
	_, ok, err = f.enter(ctx, offsets{0: 0, 1: 0})
	require.NoError(t, err)
	require.False(t, ok, "the first ten are gone")
	back, ok, err := f.enter(ctx, offsets{0: 10, 1: 10}) // whichever ten are gone, these are kept
	require.NoError(t, err)
	require.True(t, ok)
	got, err := f.next(ctx, &back, nil)
	require.NoError(t, err)
	for _, e := range got {
		require.GreaterOrEqual(t, e.offset, int64(10))
	}
	require.Len(t, got, total-20)
}
