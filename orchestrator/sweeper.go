package orchestrator

import (
	"context"
	"log/slog"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// sweeper looks for what is overdue: sagas whose wake time has passed, and outbox rows that nobody published. It is the truth
// behind every timer and hint (L2, L3, L6).
type sweeper struct {
	cfg      *Config
	store    Store
	reader   Reader
	intake   *queue[*item]
	outgoing *queue[outgoing]
	clock    Clock
	health   *health
	log      *slog.Logger
}

func (s *sweeper) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.sweep(ctx)
		s.clock.Sleep(ctx, s.cfg.SweepEvery)
	}
}

func (s *sweeper) sweep(ctx context.Context) {
	due, err := s.store.Due(ctx, s.cfg.SweepLimit)
	if err != nil {
		s.failed(ctx, "sagas", err)
		return
	}
	for _, id := range due {
		if err := s.intake.Put(ctx, laneReplies, &item{id: id, event: saga.Event{Body: saga.Woken{}}}); err != nil {
			return
		}
	}
	if !s.publish(ctx) {
		return
	}
	depth, err := s.reader.OutboxDepth(ctx, s.cfg.OutboxLimit)
	if err != nil {
		s.failed(ctx, "the outbox", err)
		return
	}
	s.health.outbox(depth >= s.cfg.OutboxLimit)
}

// publish hands overdue rows to the relay, and reports whether the sweep goes on. While Kafka takes nothing, a few rows each time
// find out when it does again; then all that has gathered goes at once, and not a few rows a sweep.
func (s *sweeper) publish(ctx context.Context) bool {
	for {
		rows, err := s.store.TakeOverdue(ctx, relayRows, s.cfg.TakeAgain)
		if err != nil {
			s.failed(ctx, "the outbox", err)
			return false
		}
		for _, row := range rows {
			if err := s.outgoing.Put(ctx, laneReplies, outgoing{row: row}); err != nil {
				return false
			}
		}
		if len(rows) < relayRows || !s.health.publishing() {
			return true
		}
	}
}

func (s *sweeper) failed(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		s.log.WarnContext(ctx, "sweeping is tried again", "what", what, "error", err)
	}
}
