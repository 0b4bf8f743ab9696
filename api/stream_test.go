package api

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
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

// serveBundle is a testBundle behind a real listener, with a client of it.
type serveBundle struct {
	*testBundle
	client *client.Client
	base   string
	stop   func() // ends the server and waits for it
}

func serveIt(t *testing.T, change ...func(*Config)) *serveBundle {
	t.Helper()
	b := setup(t, append([]func(*Config){func(c *Config) { c.PollEvery = 5 * time.Millisecond }}, change...)...)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.api.Serve(ctx, listener) }()
	transport := &http.Transport{}
	base := "http://" + listener.Addr().String()
	c, err := client.New(base, client.WithHTTPClient(&http.Client{Transport: transport}), client.WithToken("admin/default"))
	require.NoError(t, err)
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			require.NoError(t, <-ended, "a full drain")
			transport.CloseIdleConnections()
		})
	}
	t.Cleanup(stop)
	return &serveBundle{testBundle: b, client: c, base: base, stop: stop}
}

func TestSagaEvents_SendsPastAndComingFactsAndEnds(t *testing.T) {
	t.Parallel()
	for name, prompt := range map[string]bool{"Hint": true, "Look": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := serveIt(t)
			id := b.engine.started.ID.String()
			past := int64(len(b.engine.reader.facts))
			seq, ended := int64(0), false
			for event, err := range b.client.SagaEvents(t.Context(), id, 0) {
				require.NoError(t, err)
				if event.Type == client.EventEnd {
					var end client.StreamEnd
					require.NoError(t, json.Unmarshal(event.Data, &end))
					require.Equal(t, client.Completed, end.Status)
					ended = true
					continue
				}
				var fact client.Fact
				require.NoError(t, json.Unmarshal(event.Data, &fact))
				seq++
				require.Equal(t, seq, fact.Seq, "every fact once, in order")
				require.Equal(t, strconv.FormatInt(seq, 10), event.ID)
				require.Equal(t, fact.Type, event.Type)
				if seq == past { // the rest comes while the stream is open
					in := b.engine.finish(t)
					if prompt {
						b.hub.Committed(orchestrator.BatchStats{}, []saga.Instance{in})
					}
				}
			}
			require.True(t, ended)
			require.Equal(t, int64(len(b.engine.reader.facts)), seq)
			require.Zero(t, b.hub.watched.Load())

			for range b.client.SagaEvents(t.Context(), id, seq) {
				t.Fatal("whoever has seen all of an ended saga gets 204")
			}
			var left int
			for _, err := range b.client.SagaEvents(t.Context(), id, seq-1) {
				require.NoError(t, err)
				left++
			}
			require.Equal(t, 2, left, "the last fact and the end")
		})
	}
}

func TestSagaEvents_RefusesBadIDs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, id := range []string{"x", "-1", "1.5"} {
		w := b.do(t, exchange{method: "GET", path: b.sagaPath("/events"), header: map[string]string{"Last-Event-ID": id}})
		require.Equal(t, []string{"header.Last-Event-ID"}, paths(problemIn(t, w, 422, "invalid")))
	}
}

func TestStreams_AreBounded(t *testing.T) {
	t.Parallel()
	b := serveIt(t, func(c *Config) { c.MaxStreams = 1 })
	id := b.engine.started.ID.String()
	for _, err := range b.client.SagaEvents(t.Context(), id, 0) {
		require.NoError(t, err)
		for _, err := range b.client.SagaEvents(t.Context(), id, 0) {
			var refused *client.Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, "overloaded", refused.Code)
			require.Equal(t, 5*time.Second, refused.RetryAfter)
		}
		break
	}
	require.Eventually(t, func() bool { // the place is free again
		for _, err := range b.client.SagaEvents(t.Context(), id, 0) {
			return err == nil
		}
		return false
	}, 10*time.Second, 5*time.Millisecond)
}

func TestServe_StopEndsStreamsAndWaits(t *testing.T) {
	t.Parallel()
	b := serveIt(t)
	waited := make(chan client.StartResult, 1)
	go func() {
		result, err := b.client.Start(context.Background(), client.StartRequest{Saga: "order-placement", Input: json.RawMessage("{}")}, client.WithWait(time.Minute))
		require.NoError(t, err)
		waited <- result
	}()
	require.Eventually(t, func() bool { return b.hub.watched.Load() == 1 }, 10*time.Second, time.Millisecond)
	began := time.Now()
	first := true
	for _, err := range b.client.SagaEvents(t.Context(), b.engine.started.ID.String(), 0) {
		require.NoError(t, err, "the server ends a stream in good order")
		if first {
			first = false
			go b.stop()
		}
	}
	result := <-waited
	require.Nil(t, result.Saga, "it is still running")
	require.Equal(t, client.Running, result.Status)
	b.stop()
	require.Less(t, time.Since(began), 15*time.Second)
}

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
	return orchestrator.Record{Value: value, Headers: []orchestrator.Header{header(headerID, id+"/"+strconv.FormatInt(n, 10)), header(headerSubject, id),
		header(headerSaga, "order-placement"), header(headerVersion, "1"), header(headerTenant, tenant)}}
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
