package orchestrator

import (
	"context"
	"log/slog"
	"time"
)

// quietEvery is how often holds are asked whether anything is still in flight under them, and quietShare how much longer than
// that took the next one waits.
const (
	quietEvery = 2 * time.Second
	quietShare = 20
)

// watcher looks after holds: it opens and closes breakers, and notes when a hold became quiet. Every replica has one; that they do
// the same is no harm.
type watcher struct {
	engine   *Engine
	breakers *breakers
	every    time.Duration
	clock    Clock
	log      *slog.Logger
	quiet    time.Time // when to ask next
}

func (w *watcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.look(ctx)
		w.clock.Sleep(ctx, w.every)
	}
}

func (w *watcher) look(ctx context.Context) {
	at, holds, err := w.engine.around.now(ctx)
	if err != nil {
		w.failed(ctx, err)
		return
	}
	w.breakers.look(ctx, at, holds)
	if began := w.clock.Now(); !began.Before(w.quiet) {
		w.noteQuiet(ctx, at, holds)
		now := w.clock.Now()
		w.quiet = now.Add(max(quietEvery, quietShare*now.Sub(began)))
	}
}

// noteQuiet asks about the holds of which it is not known yet.
func (w *watcher) noteQuiet(ctx context.Context, at time.Time, holds []Hold) {
	asked := map[string]bool{}
	for i := range holds {
		h := &holds[i]
		if h.State(at) != HoldHolding || !h.QuietAt.IsZero() || asked[h.Tenant] {
			continue
		}
		asked[h.Tenant] = true
		if err := w.noteQuietOf(ctx, h.Tenant); err != nil {
			w.failed(ctx, err)
		}
	}
}

func (w *watcher) noteQuietOf(ctx context.Context, tenant string) error {
	rows, err := w.engine.cfg.Holds.Holds(ctx, tenant)
	if err != nil {
		return err
	}
	for i := range rows {
		row := &rows[i]
		if row.State() != HoldHolding || !row.QuietAt.IsZero() {
			continue
		}
		some, known, err := w.engine.inFlight(ctx, row)
		if err != nil {
			return err
		}
		if known && !some {
			if err := w.engine.cfg.Holds.NoteQuiet(ctx, tenant, row.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *watcher) failed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		w.log.WarnContext(ctx, "looking after holds is tried again", "error", err)
	}
}
