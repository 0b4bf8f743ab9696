package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

const (
	// hintEvery bounds how often a page about many sagas is told to look again, and sagaHintEvery one about one saga: whoever looks on
	// must not cost the engine much.
	hintEvery     = 2 * time.Second
	sagaHintEvery = 250 * time.Millisecond
	// lookAgain is how old a page about many sagas can get where no hint comes: other replicas' sagas may publish no events.
	lookAgain = 10 * time.Second
)

// Follow hints at changes, of one saga or of any. A hint says nothing but that: what changed is read with the page, by the same
// permissions.
func (p pageBackend) Follow(w http.ResponseWriter, r *http.Request, id string) {
	a := p.api
	if id == "" {
		a.stream(w, r, a.hintAtAny)
		return
	}
	path, err := sagaPath(id)
	if err != nil {
		a.writeProblem(w, r, problemOf(err))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), handlerLimit)
	view, err := a.view(ctx, path.ID)
	cancel()
	if err != nil {
		a.writeProblem(w, r, problemOf(err))
		return
	}
	known := change{view.Instance.Revision, view.Instance.Status}
	a.stream(w, r, func(ctx context.Context, out *eventWriter) error { return a.hintAtOne(ctx, out, path.ID, known) })
}

// settle is how long after a change a page looks once more: that a command has reached Kafka is no revision.
const settle = time.Second

// hintAtOne hints whenever the saga has a new revision, at most once per sagaHintEvery. What it waits for changes without one too, so while
// it lives there is a hint with each beat, and one after it has settled.
func (a *API) hintAtOne(ctx context.Context, out *eventWriter, id saga.ID, known change) error {
	watcher := a.cfg.Hub.watch(id, known)
	defer watcher.close()
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	settled := time.NewTimer(settle)
	defer settled.Stop()
	latest := known
	hint := func() error { return out.event(strconv.FormatInt(latest.revision, 10), "changed", latest.revision) }
	if err := hint(); err != nil { // it may have changed since the page was read
		return err
	}
	for {
		var err error
		select {
		case <-watcher.wake:
			latest = watcher.seen()
			settled.Reset(settle)
			if err = hint(); err == nil && !pause(ctx, sagaHintEvery) {
				return nil
			}
		case <-settled.C:
			err = hint()
		case <-beat.C:
			if latest.status.Terminal() {
				err = out.beat()
			} else {
				err = hint()
			}
		case <-ctx.Done():
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// hintAtAny hints when a saga may have changed: at once (within hintEvery) where this replica changed it or an event of another
// replica's came, and every lookAgain anyway.
func (a *API) hintAtAny(ctx context.Context, out *eventWriter) error {
	if a.feed != nil {
		defer a.feed.join()()
	}
	ticker := time.NewTicker(hintEvery)
	defer ticker.Stop()
	seen, sent := a.changes(), time.Now()
	for {
		select {
		case now := <-ticker.C:
			latest := a.changes()
			if latest == seen && now.Sub(sent) < lookAgain {
				continue
			}
			seen, sent = latest, now
			if err := out.event(strconv.FormatInt(latest, 10), "changed", latest); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// changes is a number that grows with what this replica writes, and with the events that it reads.
func (a *API) changes() int64 {
	n := a.cfg.Hub.changes.Load()
	if a.feed != nil {
		n += a.feed.position()
	}
	return n
}
