package api

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// AdminHandler serves /metrics and /debug/pprof, for an address of its own that only this machine reaches
// (SKALD_ADMIN_ADDR): a profile holds payloads. It refuses what a page of a browser could have sent.
func AdminHandler(m *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return harden(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Prometheus scrapes by any name; only what a page could have sent is refused.
		if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" && r.Header.Get("Sec-Fetch-Site") != "none" {
			http.Error(w, "pages are not served", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}
