package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/skaldhq/skald/orchestrator"
)

// requestInfo is what is known of a request beside its content.
type requestInfo struct {
	id        string
	principal Principal // the zero value before authorization, and on public routes
}

type requestKey struct{}

// requestOf is the request's info; the zero value where there is none.
func requestOf(ctx context.Context) *requestInfo {
	if info, ok := ctx.Value(requestKey{}).(*requestInfo); ok {
		return info
	}
	return &requestInfo{}
}

// PrincipalOf is who asks, for handlers beside this package (the dashboard); the zero value on public routes.
func PrincipalOf(ctx context.Context) Principal { return requestOf(ctx).principal }

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach deadlines and Flush.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// observe gives each request its id, logs and counts it, and turns a panic into a 500. The log has the route, never the
// query or the body.
func (a *API) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		info := &requestInfo{id: requestID(r.Header.Get("X-Request-Id"))}
		ctx := orchestrator.WithRemote(context.WithValue(r.Context(), requestKey{}, info), hostOf(r.RemoteAddr))
		r = r.WithContext(ctx)
		rec := &recorder{ResponseWriter: w}
		rec.Header().Set("X-Request-Id", info.id)
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				a.log.ErrorContext(ctx, "request panicked", "request_id", info.id, "panic", v, "stack", string(debug.Stack()))
				if rec.status == 0 {
					a.writeProblem(rec, r, newProblem(http.StatusInternalServerError, codeInternal, "something is wrong here; the log has more under the request's id"))
				}
			}
			a.logAccess(ctx, r, rec, info, time.Since(began))
		}()
		next.ServeHTTP(rec, r)
	})
}

func (a *API) logAccess(ctx context.Context, r *http.Request, rec *recorder, info *requestInfo, took time.Duration) {
	route := "none"
	if rc := chi.RouteContext(ctx); rc != nil && rc.RoutePattern() != "" {
		route = rc.RoutePattern()
	}
	a.cfg.Metrics.request(r.Method, route, rec.status, took)
	level := slog.LevelDebug
	switch {
	case route == readinessPath && rec.status == http.StatusServiceUnavailable: // expected while it starts and stops
	case rec.status >= 500:
		level = slog.LevelWarn
	case rec.status >= 400:
		level = slog.LevelInfo
	}
	if !a.log.Enabled(ctx, level) {
		return
	}
	a.log.LogAttrs(ctx, level, "request", slog.String("request_id", info.id), slog.String("method", r.Method), slog.String("route", route),
		slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes), slog.Duration("took", took), slog.String("remote", hostOf(r.RemoteAddr)),
		slog.String("principal", info.principal.Name), slog.String("tenant", info.principal.Tenant))
}

// requestID is the caller's id where it is a plain one, else a new one.
func requestID(given string) string {
	plain := given != "" && len(given) <= 64
	for i := 0; plain && i < len(given); i++ {
		c := given[i]
		plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
	}
	if plain {
		return given
	}
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
