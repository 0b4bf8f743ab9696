package api

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// pollChunk bounds how many sagas one look at the revisions asks for.
const pollChunk = 1000

// Hub tells those who watch a saga that it changed: at once when this replica changed it, else with the next look at the
// revisions, which all watchers share. A missed hint is made good by that look (L6). It is safe for concurrent use.
type Hub struct {
	watched atomic.Int64 // watchers; lets Committed pass at no cost when there are none
	changes atomic.Int64 // sagas that this replica wrote
	tallies tallies

	mu      sync.Mutex // guards what follows
	byID    map[saga.ID]map[*watcher]struct{}
	started chan struct{} // holds a token when somebody may have begun to watch
}

var _ orchestrator.Observer = (*Hub)(nil)

// NewHub makes a Hub. It belongs into the engine's Config.Observer and into the API's Config.
func NewHub() *Hub {
	return &Hub{byID: map[saga.ID]map[*watcher]struct{}{}, started: make(chan struct{}, 1)}
}

// change is what is known of a saga's newest state.
type change struct {
	revision int64
	status   saga.Status // empty: only the revision is known
}

// watcher waits for one saga's changes.
type watcher struct {
	hub    *Hub
	id     saga.ID
	wake   chan struct{} // holds a token when latest is news
	latest change        // guarded by hub.mu
}

// watch begins to watch; known is the newest revision that the caller has seen. The caller closes it.
func (h *Hub) watch(id saga.ID, known change) *watcher {
	w := &watcher{hub: h, id: id, wake: make(chan struct{}, 1), latest: known}
	h.mu.Lock()
	if h.byID[id] == nil {
		h.byID[id] = map[*watcher]struct{}{}
	}
	h.byID[id][w] = struct{}{}
	h.watched.Add(1)
	h.mu.Unlock()
	token(h.started)
	return w
}

func (w *watcher) close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	if _, ok := w.hub.byID[w.id][w]; !ok {
		return
	}
	delete(w.hub.byID[w.id], w)
	if len(w.hub.byID[w.id]) == 0 {
		delete(w.hub.byID, w.id)
	}
	w.hub.watched.Add(-1)
}

func (w *watcher) seen() change {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	return w.latest
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Committed tells the watchers of the sagas that a transaction of this replica changed. It does not block.
func (h *Hub) Committed(_ orchestrator.BatchStats, changed []saga.Instance) {
	h.changes.Add(int64(len(changed)))
	h.tallies.count(changed)
	if h.watched.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range changed {
		h.tellLocked(changed[i].ID, change{changed[i].Revision, changed[i].Status})
	}
}

// Published does nothing: it changes no saga.
func (h *Hub) Published(int, int, int, time.Duration) {}

// Refused does nothing: it changes no saga.
func (h *Hub) Refused(string) {}

// Breaker is of no concern here.
func (h *Hub) Breaker(string, orchestrator.BreakerChange) {}

func (h *Hub) tellLocked(id saga.ID, c change) {
	for w := range h.byID[id] {
		if c.revision > w.latest.revision {
			w.latest = c
			token(w.wake)
		}
	}
}

// poll looks at the revisions of all watched sagas until ctx ends. While nobody watches it asks nothing.
func (h *Hub) poll(ctx context.Context, reader orchestrator.Reader, every time.Duration, log *slog.Logger) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if h.watched.Load() == 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-h.started:
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if err := h.look(ctx, reader); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "revisions not read; streams wait for the next look", "error", err)
		}
	}
}

func (h *Hub) look(ctx context.Context, reader orchestrator.Reader) error {
	h.mu.Lock()
	ids := make([]saga.ID, 0, len(h.byID))
	for id := range h.byID {
		ids = append(ids, id)
	}
	h.mu.Unlock()
	for chunk := range slices.Chunk(ids, pollChunk) {
		ctx, cancel := context.WithTimeout(ctx, handlerLimit)
		revisions, err := reader.Revisions(ctx, chunk)
		cancel()
		if err != nil {
			return err
		}
		h.mu.Lock()
		for id, revision := range revisions {
			h.tellLocked(id, change{revision: revision})
		}
		h.mu.Unlock()
	}
	return nil
}

// Observers lets several observers see what the engine does, each in turn; nil ones are left out.
func Observers(list ...orchestrator.Observer) orchestrator.Observer {
	return observers(slices.DeleteFunc(list, func(o orchestrator.Observer) bool { return o == nil }))
}

type observers []orchestrator.Observer

func (o observers) Committed(batch orchestrator.BatchStats, changed []saga.Instance) {
	for _, each := range o {
		each.Committed(batch, changed)
	}
}

func (o observers) Published(records, unknown, refused int, took time.Duration) {
	for _, each := range o {
		each.Published(records, unknown, refused, took)
	}
}

func (o observers) Refused(why string) {
	for _, each := range o {
		each.Refused(why)
	}
}

func (o observers) Breaker(participant string, change orchestrator.BreakerChange) {
	for _, each := range o {
		each.Breaker(participant, change)
	}
}
