package api

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkStart is what the API adds to a start: from the request to the answer, without the engine and the network.
func BenchmarkStart(b *testing.B) {
	bundle := setup(b, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil)) })
	body := startBodyOf(`{"order_id":"A-1","customer_id":"c","amount_cents":5,"payment_token":"` + strings.Repeat("t", 300) + `","items":[{"sku":"s","quantity":1}]}`)
	handler := bundle.api.Handler()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/v1/sagas", strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:50000"
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusAccepted {
			b.Fatal(w.Body.String())
		}
		bundle.engine.starts = bundle.engine.starts[:0]
	}
}
