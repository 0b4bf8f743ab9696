package orchestrator

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

const (
	// releaseEvery is how soon the end of a hold is known.
	releaseEvery = time.Second
	// releaseLooks is how often those are looked for that waited for a hold: a transaction that began before its end was known may have
	// put a saga to wait since.
	releaseLooks = 2
	// releaseFor is how long after its end a hold is still dealt with by a replica that has just begun. By then whoever waited for it
	// has looked by itself.
	releaseFor = 10 * time.Minute
	// releasePage is how many sagas are listed at a time.
	releasePage = 500
)

// releaser has sagas go on whose hold has got an end that they don't know of: it was ended, or its breaker closed. By themselves they
// look again after a quarter of the time that it has lasted, and their deadlines don't stand still until then (design rule 10). Every
// replica does it: that they do the same is no harm, for a saga that has gone on is not listed any more.
type releaser struct {
	around *around
	holds  Holds
	intake *queue[*item]
	clock  Clock
	log    *slog.Logger
	looked map[releaseKey]int // how often
}

// releaseKey is a hold with its end.
type releaseKey struct {
	tenant, name  string
	scope         HoldScope
	version       int
	from, to, all time.Time
}

func (r *releaser) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "letting sagas go on after a hold is tried again", "error", err)
		}
		r.clock.Sleep(ctx, releaseEvery)
	}
}

func (r *releaser) look(ctx context.Context) error {
	at, holds, err := r.around.lately(ctx)
	if err != nil {
		return err
	}
	looked := make(map[releaseKey]int, len(r.looked))
	defer func() { r.looked = looked }() // holds that are not read any more are forgotten
	for i := range holds {
		h := &holds[i]
		if h.To.IsZero() || at.Sub(later(h.To, h.RestAt)) > releaseFor {
			continue
		}
		key := releaseKey{h.Tenant, h.Name, h.Scope, h.Version, h.From, h.To, h.RestAt}
		looked[key] = r.looked[key]
		if err != nil || looked[key] == releaseLooks {
			continue
		}
		if err = r.wake(ctx, h); err == nil {
			looked[key]++
		}
	}
	return err
}

// wake has all sagas looked at that wait for the hold, or, of some kinds of holds, for others too.
func (r *releaser) wake(ctx context.Context, h *Hold) error {
	tenant, participant := h.Tenant, ""
	switch h.Scope {
	case HoldAll:
		tenant = ""
	case HoldParticipant:
		participant = h.Name
	case HoldTenant, HoldSagaType:
	}
	for after := (saga.ID{}); ; {
		ids, err := r.holds.Held(ctx, tenant, participant, after, releasePage)
		if err != nil {
			return fmt.Errorf("list sagas that wait for the hold on %s: %w", h.Target(), err)
		}
		for _, id := range ids {
			if err := r.intake.Put(ctx, laneReplies, &item{id: id, event: saga.Event{Body: saga.Woken{}}}); err != nil {
				return err
			}
		}
		if len(ids) < releasePage {
			return nil
		}
		after = ids[len(ids)-1]
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
