package api

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
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
