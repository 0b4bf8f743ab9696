package tracing

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes spans by OTLP over HTTP.
type collector struct {
	URL string

	mu    sync.Mutex // guards what follows
	spans []span
	raw   [][]byte // what came, as it came but unpacked
	keys  []string // of each request
}

// span is one of a service.
type span struct {
	*tracepb.Span
	service string
}

func (s span) id() string     { return hex.EncodeToString(s.SpanId) }
func (s span) parent() string { return hex.EncodeToString(s.ParentSpanId) }
func (s span) trace() string  { return hex.EncodeToString(s.TraceId) }

// attr is an attribute as text; empty: there is none.
func (s span) attr(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			if text, ok := a.Value.GetValue().(interface{ GetStringValue() string }); ok {
				return text.GetStringValue()
			}
			if text := a.Value.GetStringValue(); text != "" {
				return text
			}
			return a.Value.String()
		}
	}
	return ""
}

func (s span) number(key string) int64 {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetIntValue()
		}
	}
	return 0
}

func collect(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	server := httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

func (c *collector) take(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	raw, err := io.ReadAll(body)
	var req collectorpb.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(raw, &req)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, "no spans", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw, c.keys = append(c.raw, raw), append(c.keys, r.Header.Get("x-api-key"))
	for _, rs := range req.ResourceSpans {
		service := ""
		for _, a := range rs.Resource.GetAttributes() {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, scope := range rs.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, span{s, service})
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(nil) // an empty message: all were taken
}

// of are the spans of a trace by their ids. A span that came twice fails the test.
func (c *collector) of(t *testing.T, trace string) map[string]span {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]span{}
	for _, s := range c.spans {
		if s.trace() == trace {
			require.NotContains(t, out, s.id(), "span %s came twice", s.Name)
			out[s.id()] = s
		}
	}
	return out
}

// says reports whether a text is anywhere in what came.
func (c *collector) says(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, raw := range c.raw {
		if bytes.Contains(raw, []byte(text)) {
			return true
		}
	}
	return false
}

// authorized reports whether every request had the key.
func (c *collector) authorized(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, got := range c.keys {
		if got != key {
			return false
		}
	}
	return len(c.keys) > 0
}
