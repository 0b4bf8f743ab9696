package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	beatEvery  = 15 * time.Second // a comment goes out this often, so that dead connections show
	writeLimit = 10 * time.Second // of one event; whoever reads slower is cut off and comes back with Last-Event-ID
)

// streams bounds the open streams, and ends them all at once.
type streams struct {
	max  int
	stop chan struct{}
	once sync.Once

	mu   sync.Mutex // guards open
	open int
}

func newStreams(limit int) *streams { return &streams{max: limit, stop: make(chan struct{})} }

func (s *streams) end() { s.once.Do(func() { close(s.stop) }) }

// enter takes a place; leave gives it back. A problem says that there is none.
func (s *streams) enter() (leave func(), p *problem) {
	select {
	case <-s.stop:
		return nil, newProblem(http.StatusServiceUnavailable, codeStopping, "this replica is stopping").later(time.Second)
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.max {
		return nil, newProblem(http.StatusServiceUnavailable, codeOverloaded, "too many streams are open").later(5 * time.Second)
	}
	s.open++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
	}, nil
}

// eventWriter writes server-sent events.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     bytes.Buffer
}

// stream answers with a stream of events, which ends when run returns. Its ctx ends with the client or with the server. Errors
// after the first byte can only end the stream.
func (a *API) stream(w http.ResponseWriter, r *http.Request, run func(ctx context.Context, out *eventWriter) error) {
	leave, p := a.streams.enter()
	if p != nil {
		a.writeProblem(w, r, p)
		return
	}
	defer leave()
	ctx, cancel := context.WithCancel(r.Context())
	ending := make(chan struct{})
	go func() { // owned by this call: cancel ends it
		defer close(ending)
		defer cancel()
		look := time.NewTicker(a.lookAgain)
		defer look.Stop()
		for {
			select {
			case <-look.C:
				if !a.stillThere(r) {
					return
				}
			case <-a.streams.stop:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() { cancel(); <-ending }()
	out := &eventWriter{w: w, control: http.NewResponseController(w)}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if err := out.send("retry: 2000\n\n"); err != nil {
		return
	}
	if err := run(ctx, out); err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "stream ended early", "request_id", requestOf(ctx).id, "error", err)
	}
}

// stillThere reports whether who opened a stream may go on: a key that was revoked, a session that was ended or a token that expired
// takes its streams along. While that cannot be found out, they go on.
func (a *API) stillThere(r *http.Request) bool {
	who, err := a.authenticate(r)
	if err != nil {
		return !errors.Is(err, ErrUnauthenticated)
	}
	opened := requestOf(r.Context()).principal
	return who.Name == opened.Name && who.Tenant == opened.Tenant && slices.Equal(who.Roles, opened.Roles)
}

func (e *eventWriter) send(text string) error {
	// The server's own limit is for answers that end. Not every writer has deadlines.
	_ = e.control.SetWriteDeadline(time.Now().Add(writeLimit))
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.control.Flush()
}

// event sends one event; its data is JSON on one line.
func (e *eventWriter) event(id, kind string, data any) error {
	e.buf.Reset()
	fmt.Fprintf(&e.buf, "id: %s\nevent: %s\ndata: ", oneLine(id), oneLine(kind))
	enc := json.NewEncoder(&e.buf) // compacts raw JSON too, so there is no line end inside
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	e.buf.WriteByte('\n')
	return e.send(e.buf.String())
}

// position sends an id alone, so that whoever reconnects before the first event misses nothing.
func (e *eventWriter) position(id string) error { return e.send("id: " + oneLine(id) + "\n\n") }

func (e *eventWriter) beat() error { return e.send(": \n\n") }

func oneLine(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }
