package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/bench/load"
)

// benchServer answers as a server does whose sagas end at once. Its event stream breaks every ten ends.
type benchServer struct {
	t *testing.T

	mu      sync.Mutex // guards what follows
	started []client.StartRequest
	ends    []string // events, in order
	resumed []string // Last-Event-ID of the streams
	tokens  []string
	refuse  bool
	limit   int    // starts after which over is called
	over    func() // nil: never
	changed chan struct{}
}

func newBenchServer(t *testing.T) (*benchServer, string) {
	t.Helper()
	s := &benchServer{t: t, changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/definitions/{name}", s.definitions)
	mux.HandleFunc("POST /v1/sagas", s.start)
	mux.HandleFunc("GET /v1/events", s.events)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return s, server.URL
}

func (s *benchServer) definitions(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	fmt.Fprintf(w, `{"items":[{"name":%q,"version":3,"state":"retired"},{"name":%q,"version":2,"state":"active"},{"name":%q,"version":1,"state":"active"}]}`, name, name, name)
}

func (s *benchServer) start(w http.ResponseWriter, r *http.Request) {
	var req client.StartRequest
	body, _ := io.ReadAll(r.Body) // a test's own request
	if err := json.Unmarshal(body, &req); err != nil {
		s.t.Errorf("a start can't be read: %v: %s", err, body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over != nil && len(s.started) == s.limit {
		s.over()
	}
	if s.refuse && len(s.started) > 20 && len(s.started)%2 == 0 {
		s.started = append(s.started, req)
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"status":503,"code":"overloaded","detail":"too much","retryable":true}`)
		return
	}
	status := "saga.completed"
	if bytes.Contains(req.Input, []byte("tok_declined")) {
		status = "saga.compensated"
	}
	id := fmt.Sprintf("019aa000-0000-7000-8000-%012d", len(s.started))
	s.started = append(s.started, req)
	s.tokens = append(s.tokens, r.Header.Get("Authorization"))
	if r.URL.Query().Get("wait") != "" {
		fmt.Fprintf(w, `{"id":%q,"status":%q}`, id, strings.TrimPrefix(status, "saga."))
		return
	}
	s.ends = append(s.ends, fmt.Sprintf("id: %d\nevent: %s\ndata: {\"saga_id\":%q,\"fact\":{\"type\":%q}}\n\n", len(s.ends)+1, status, id, status))
	close(s.changed)
	s.changed = make(chan struct{})
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"id":%q,"status":"running"}`, id)
}

func (s *benchServer) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	from := 0
	last := r.Header.Get("Last-Event-Id")
	_, _ = fmt.Sscan(last, &from) // none: from the first
	s.mu.Lock()
	s.resumed = append(s.resumed, last)
	s.mu.Unlock()
	for sent := 0; sent < 10; {
		s.mu.Lock()
		ends, changed := slices.Clone(s.ends[from:]), s.changed
		s.mu.Unlock()
		for _, e := range ends {
			_, _ = io.WriteString(w, e) // the client may be gone
		}
		w.(http.Flusher).Flush()
		from, sent = from+len(ends), sent+len(ends)
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

func bench(t *testing.T, ctx context.Context, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(ctx, append([]string{"bench"}, args...), streams{strings.NewReader(""), &o, &e})
	return code, o.String(), e.String()
}

func TestBench_InFlight(t *testing.T) {
	t.Parallel()
	s, url := newBenchServer(t)
	code, out, errs := bench(t, t.Context(), "--server", url, "-n", "3", "-d", "1s", "--warm-up", "100ms", "--declined", "0.5", "--token", "secret", "-o", "json")
	require.Zero(t, code, errs)
	require.Empty(t, errs, "no progress where nobody looks")
	var got benchReport
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Equal(t, 3, got.InFlight)
	require.Equal(t, 2, got.Version, "the newest that takes sagas")
	require.Positive(t, got.PerSecond)
	require.Zero(t, got.Unfinished)
	require.NotNil(t, got.Accepted)
	require.GreaterOrEqual(t, got.ToEnd.P50, got.Accepted.P50)
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Greater(t, len(s.resumed), 1, "a stream that ended was gone on with")
	require.NotEmpty(t, s.resumed[len(s.resumed)-1])
	require.Equal(t, "Bearer secret", s.tokens[0])
	keys, declined := map[string]bool{}, 0
	for _, req := range s.started {
		require.Equal(t, "order-placement", req.Saga)
		require.Equal(t, map[string]string{"bench": got.Run}, req.Labels)
		keys[string(req.Input)] = true
		if bytes.Contains(req.Input, []byte("tok_declined")) {
			declined++
		}
	}
	require.InDelta(t, float64(len(s.started))/2, declined, 3)
	require.Positive(t, got.Ended[client.Compensated])
	require.Positive(t, got.Ended[client.Completed])
	require.Len(t, keys, len(s.started), "each order has an id of its own")
}

func TestBench_RateAndText(t *testing.T) {
	t.Parallel()
	_, url := newBenchServer(t)
	code, out, errs := bench(t, t.Context(), "my-saga@1", "--server", url, "-r", "50", "-d", "400ms", "--warm-up", "0s", "--input", `{"id":"x-{{n}}"}`)
	require.Zero(t, code, errs)
	for _, want := range []string{"my-saga v1 at " + url, "50 starts a second", "sagas ended in a second", "completed    20", "accepted", "sent late by", "from when a start was due", "--label bench=bench-"} {
		require.Contains(t, out, want)
	}
}

func TestBench_Wait(t *testing.T) {
	t.Parallel()
	s, url := newBenchServer(t)
	code, out, errs := bench(t, t.Context(), "--server", url, "-n", "1", "-d", "100ms", "--warm-up", "0s", "--observe", "wait")
	require.Zero(t, code, errs)
	require.Contains(t, out, "its answer, which waited for the end")
	require.NotContains(t, out, "accepted")
	require.Empty(t, s.resumed, "no stream is needed")
}

func TestBench_SaysWhatWasRefused(t *testing.T) {
	t.Parallel()
	s, url := newBenchServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.refuse, s.limit, s.over = true, 60, cancel
	code, out, errs := bench(t, ctx, "--server", url, "-n", "2", "-d", "1h", "--warm-up", "0s")
	require.Zero(t, code, errs)
	require.Contains(t, out, "overloaded")
	require.Contains(t, out, "too much")
}

func TestBench_InterruptedPrintsWhatThereIs(t *testing.T) {
	t.Parallel()
	s, url := newBenchServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.limit, s.over = 50, cancel
	code, out, errs := bench(t, ctx, "--server", url, "-n", "1", "-d", "1h", "--warm-up", "0s")
	require.Zero(t, code, errs)
	require.Contains(t, out, "It was interrupted: this is what there was until then.")
	require.Contains(t, out, "completed")
}

func TestBench_NoSuchVersion(t *testing.T) {
	t.Parallel()
	_, url := newBenchServer(t)
	code, _, errs := bench(t, t.Context(), "x@9", "--server", url)
	require.Equal(t, exitNotFound, code)
	require.Contains(t, errs, "there is no x@9 that takes sagas")
}

func TestBench_NothingEnds(t *testing.T) {
	t.Parallel()
	b := &benchRun{name: "x"}
	err := b.noEnd(fmt.Errorf("%w within 1m", load.ErrNoEnd))
	require.Equal(t, exitFailed, exitCode(err))
	require.ErrorContains(t, err, "x takes sagas, and no saga ended")
	require.Len(t, hintsOf(err), 2)
}

func TestBenchLine(t *testing.T) {
	t.Parallel()
	require.Equal(t, "measuring 3.0 s of 10.0 s   402 sagas/s   1200 ended, 16 in flight   p50 30.0 ms   2 refused", benchLine(load.Progress{
		Phase: "measuring", Elapsed: 3 * time.Second, Of: 10 * time.Second, Recent: 402.2, Ended: 1200, InFlight: 16, P50: 30 * time.Millisecond, Refused: 2,
	}))
	require.Contains(t, benchLine(load.Progress{Phase: "first", Elapsed: time.Second}), "waiting for the first saga to end")
}

func TestBenchProgress_IsForTerminals(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := &benchProgress{w: &b}
	p.show(load.Progress{Phase: "measuring", Of: time.Second})
	p.clear()
	require.True(t, strings.HasPrefix(b.String(), "\r\x1b[K"))
	require.True(t, strings.HasSuffix(b.String(), "\r\x1b[K"), "nothing of it is left")
	newBenchProgress(&console{streams: streams{err: &b}}).show(load.Progress{})
}
