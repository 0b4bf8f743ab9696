package api

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/api/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type testBundle struct {
	engine *fakeEngine
	hub    *Hub
	api    *API
	logs   *bytes.Buffer
}

func setup(t testing.TB, change ...func(*Config)) *testBundle {
	t.Helper()
	b := &testBundle{engine: newFake(t), hub: NewHub(), logs: &bytes.Buffer{}}
	cfg := Config{
		Engine: b.engine, Hub: b.hub, Logger: slog.New(slog.NewTextHandler(&lockedWriter{w: b.logs}, nil)),
		CommandTopic: func(p string) string { return p + ".commands" }, Version: "test",
	}
	for _, c := range change {
		c(&cfg)
	}
	api, err := New(cfg)
	require.NoError(t, err)
	b.api = api
	return b
}

// exchange is one request and what a test wants to say about it.
type exchange struct {
	method, path, body string
	header             map[string]string
}

func (b *testBundle) do(t testing.TB, e exchange) *httptest.ResponseRecorder {
	t.Helper()
	var body io.Reader
	if e.body != "" {
		body = strings.NewReader(e.body)
	}
	r := httptest.NewRequest(e.method, "http://127.0.0.1:8080"+e.path, body)
	r.RemoteAddr = "127.0.0.1:50000"
	if e.method == http.MethodPost || e.method == http.MethodPut {
		r.Header.Set("Content-Type", "application/json")
	}
	for k, v := range e.header {
		r.Header.Set(k, v)
		if v == "" {
			r.Header.Del(k)
		}
		if k == "Host" {
			r.Host = v
		}
	}
	w := httptest.NewRecorder()
	b.api.Handler().ServeHTTP(w, r)
	return w
}

// problem checks that an answer is a whole problem of that status and code.
func problemIn(t testing.TB, w *httptest.ResponseRecorder, status int, code string) client.Problem {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	var p client.Problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p), w.Body.String())
	require.Equal(t, status, p.Status)
	require.Equal(t, code, p.Code, w.Body.String())
	require.Equal(t, "urn:skald:problem:"+code, p.Type)
	require.Equal(t, http.StatusText(status), p.Title)
	require.Equal(t, w.Header().Get("X-Request-Id"), p.RequestID, "the log is found by the id")
	require.NotEmpty(t, p.RequestID)
	return p
}

func paths(p client.Problem) []string {
	var out []string
	for _, e := range p.Errors {
		out = append(out, e.Path)
	}
	return out
}

func answerIn[T any](t testing.TB, w *httptest.ResponseRecorder, status int) T {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var v T
	dec := json.NewDecoder(w.Body)
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&v))
	return v
}

// lockedWriter lets several goroutines log.
type lockedWriter struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
