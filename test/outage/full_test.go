package outage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/test/stack"
)

// TestKafkaAway_OutboxFull: at the outbox's high-water mark starts are refused before they are accepted, and taken again once
// Kafka has what was accepted (L7). Everything else goes on.
func TestKafkaAway_OutboxFull(t *testing.T) {
	t.Parallel()
	const mark = 20
	kafka := newBroker(t, nil).start()
	s := newSite(t, kafka.addr())
	r := s.serve(fmt.Sprintf("SKALD_OUTBOX_HIGH_WATER=%d", mark)).Ready(t)
	registerWaiting(t, r.Client)
	first, err := startWaiting(t.Context(), r.Client)
	require.NoError(t, err)
	stack.Eventually(t, 10*time.Second, func(ctx context.Context) error { return published(ctx, r.Client, first) })

	kafka.stop()
	accepted := []string{first}
	var refused *client.Error
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error {
		id, err := startWaiting(ctx, r.Client)
		if errors.As(err, &refused) {
			return nil
		}
		require.NoError(t, err)
		accepted = append(accepted, id)
		return fmt.Errorf("%d starts are accepted while Kafka is away", len(accepted)-1)
	})
	require.GreaterOrEqual(t, len(accepted)-1, mark, "refused too early")
	require.Equal(t, http.StatusServiceUnavailable, refused.Status)
	require.Equal(t, "overloaded", refused.Code)
	require.True(t, refused.Retryable)
	require.GreaterOrEqual(t, refused.RetryAfter, time.Second)
	require.Contains(t, refused.Detail, "Kafka")
	for range 20 {
		_, err := startWaiting(t.Context(), r.Client)
		require.ErrorAs(t, err, &refused)
	}
	require.Equal(t, int64(len(accepted)), count(t, s, "sagas"), "what was refused is not stored")

	// A person can still look and act.
	sg, err := r.Client.Saga(t.Context(), accepted[len(accepted)-1])
	require.NoError(t, err)
	require.Equal(t, "unpublished", sg.BlockedOn[0].Cause)
	paused, err := r.Client.Act(t.Context(), sg.ID, client.ActionPause, client.ActRequest{Reason: "Kafka is away"})
	require.NoError(t, err)
	require.True(t, paused.Changed)
	_, err = r.Client.Act(t.Context(), sg.ID, client.ActionResume, client.ActRequest{Reason: "on we go"})
	require.NoError(t, err)

	kafka.start()
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error {
		id, err := startWaiting(ctx, r.Client)
		if err == nil {
			accepted = append(accepted, id)
		}
		return err
	})
	for _, id := range accepted {
		stack.Eventually(t, 30*time.Second, func(ctx context.Context) error { return published(ctx, r.Client, id) })
	}
	// Lists and counts know a batch's outbox row, not its records: a row that waits for an event's acknowledgement alone is still there.
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error {
		stats, err := r.Client.Stats(ctx)
		if want := map[string]int64{"reply": int64(len(accepted))}; err == nil && !maps.Equal(want, stats.ByCause) {
			return fmt.Errorf("causes: want %v, have %v", want, stats.ByCause)
		}
		return err
	})
}

// count is how many rows a table of the engine has.
func count(t testing.TB, s *site, table string) (n int64) {
	t.Helper()
	require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT count(*) FROM skald."+table).Scan(&n))
	return n
}
