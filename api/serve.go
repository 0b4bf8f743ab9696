package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// NewServer is an http.Server with the limits that every listener of Skald has: slow headers and bodies are cut off, headers
// are bounded. Streams set a limit for each of their events instead.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      waitMax + 2*handlerLimit, // a wait, and the reads before and after it
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Serve serves on a listener, with Run beside it, until ctx ends; then streams and waits end, open requests get
// Config.DrainLimit, and the listener is closed. It returns nil after a full drain.
func (a *API) Serve(ctx context.Context, listener net.Listener) error {
	return serve(ctx, listener, NewServer(a.Handler(), a.log), a.cfg.DrainLimit, a.Run)
}

// ServeAdmin serves an AdminHandler on a listener until ctx ends.
func ServeAdmin(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	return serve(ctx, listener, NewServer(handler, log), time.Second, func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
}

func serve(ctx context.Context, listener net.Listener, server *http.Server, drain time.Duration, beside func(context.Context) error) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	failed, ended := make(chan error, 1), make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	go func() { ended <- beside(running) }()
	var err error
	select {
	case err = <-failed: // never nil
		stop()
		return errors.Join(fmt.Errorf("serve on %s: %w", listener.Addr(), err), <-ended)
	case <-ctx.Done():
		err = <-ended // streams have been told to end
	case err = <-ended:
	}
	// The context that ended must not end the drain.
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if shutdownErr := server.Shutdown(limited); shutdownErr != nil {
		err = errors.Join(err, fmt.Errorf("drain requests within %s: %w", drain, shutdownErr), server.Close())
	}
	<-failed
	return err
}
