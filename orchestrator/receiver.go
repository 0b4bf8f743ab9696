package orchestrator

import (
	"context"
	"log/slog"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// receiver reads replies and hands them to the committer. A full intake stops the reading; nothing is dropped.
type receiver struct {
	broker Broker
	intake *queue[*item]
	clock  Clock
	health *health
	log    *slog.Logger
}

func (r *receiver) run(ctx context.Context) {
	for ctx.Err() == nil {
		deliveries, err := r.broker.Fetch(ctx)
		if err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "reading replies is tried again", "error", err)
			r.clock.Sleep(ctx, 500*time.Millisecond)
			continue
		}
		for i := range deliveries {
			d := &deliveries[i]
			if err := r.intake.Put(ctx, laneReplies, &item{id: d.Saga, event: saga.Event{ID: d.ID, Body: d.Reply}, delivery: d}); err != nil {
				return // stopping: what is not marked is read again
			}
		}
	}
}
