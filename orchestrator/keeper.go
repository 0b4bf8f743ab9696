package orchestrator

import (
	"context"
	"log/slog"
	"time"
)

// keeper makes partitions ahead and removes what has expired, hourly; whichever replica comes first does it.
type keeper struct {
	cfg    *Config
	store  Store
	clock  Clock
	health *health
	log    *slog.Logger
}

func (k *keeper) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := k.cfg.KeepEvery
		done, err := k.store.Maintain(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return
		case err != nil:
			pause = min(pause, 10*time.Second)
			k.log.WarnContext(ctx, "maintenance is tried again", "error", err)
		default:
			k.health.partitions(done.PartitionsUntil)
			if done.PartitionsMade+done.KeysRemoved+done.ReceiptsRemoved+done.OperationsRemoved+done.QuarantineRemoved+done.StartRequestsRemoved > 0 {
				k.log.InfoContext(ctx, "maintained", "partitions_made", done.PartitionsMade, "partitions_until", done.PartitionsUntil,
					"keys_removed", done.KeysRemoved, "receipts_removed", done.ReceiptsRemoved, "operations_removed", done.OperationsRemoved, "quarantine_removed", done.QuarantineRemoved,
					"start_requests_removed", done.StartRequestsRemoved)
			}
		}
		k.clock.Sleep(ctx, pause)
	}
}
