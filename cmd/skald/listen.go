package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/configs"
)

// portPolicy says what to do where a port is taken.
type portPolicy int

const (
	portsAsGiven portPolicy = iota // it is an error
	portsOrOther                   // any other port of the same host does
)

// listen opens addr. moved says that another port had to do.
func listen(ctx context.Context, addr, flag string, policy portPolicy) (l net.Listener, moved bool, err error) {
	l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err == nil {
		return l, false, nil
	}
	host, _, splitErr := net.SplitHostPort(addr)
	if splitErr != nil || !errors.Is(err, syscall.EADDRINUSE) {
		return nil, false, hint(fmt.Errorf("listen on %s: %w", addr, err), flag+" 127.0.0.1:0")
	}
	if policy != portsOrOther {
		return nil, false, hint(fmt.Errorf("listen on %s: another process has the port", addr), flag+" 127.0.0.1:0   for any free port")
	}
	l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	return l, true, err
}

// serveHTTP serves until ctx ends, and then lets open requests end, within limit.
func serveHTTP(ctx context.Context, l net.Listener, handler http.Handler, cfg *configs.Config, log *slog.Logger) error {
	srv := api.NewServer(handler, log)
	srv.ReadHeaderTimeout = cfg.HTTP.HeaderReadTimeout
	srv.ReadTimeout = cfg.HTTP.HeaderReadTimeout + cfg.HTTP.BodyReadTimeout
	srv.IdleTimeout = cfg.HTTP.IdleTimeout
	srv.MaxHeaderBytes = int(cfg.HTTP.HeaderLimit)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }() // ends with Shutdown or Close below
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.DrainLimit)
	defer cancel()
	err := srv.Shutdown(limit)
	if err != nil {
		log.WarnContext(ctx, "open requests are cut off", "addr", l.Addr().String(), "error", err)
		err = srv.Close()
	}
	<-served
	return err
}

// gate answers before there is an API: that the process lives, and that it takes no requests yet.
type gate struct{ next atomic.Pointer[http.Handler] }

func (g *gate) open(next http.Handler) { g.next.Store(&next) }

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if next := g.next.Load(); next != nil {
		(*next).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if r.URL.Path == "/healthz" {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}` + "\n")) // the client is gone otherwise
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	_ = json.NewEncoder(w).Encode(map[string]any{ // as above
		"type": "about:blank", "title": http.StatusText(http.StatusServiceUnavailable), "status": http.StatusServiceUnavailable,
		"code": "starting", "detail": "the server is starting", "retryable": true,
	})
}

// urlOf is how a listener is reached from this machine.
func urlOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return "http://" + l.Addr().String()
	}
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(addr.Port))
}

// await asks again and again until ready answers nil, or ctx ends; the error is then ready's last.
func await(ctx context.Context, every time.Duration, ready func(context.Context) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}
