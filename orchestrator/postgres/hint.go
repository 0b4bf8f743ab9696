package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// HintChannel is where StartTx leaves its hints.
const HintChannel = "skald_outbox"

// Listen calls hint once when it listens and then for each hint, until ctx ends or the connection is lost, and answers why. It
// has a connection of its own beside the pool. Hints are no more than hints (L6): the sweep finds whatever they miss, so a
// caller may ignore the error but for listening again.
func (s *Store) Listen(ctx context.Context, hint func()) error {
	conn, err := pgx.ConnectConfig(ctx, s.cfg.Engine.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("listen for hints: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, sqlListen); err != nil {
		return translate("listen for hints", err)
	}
	hint()
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("listen for hints: %w", err)
		}
		hint()
	}
}
