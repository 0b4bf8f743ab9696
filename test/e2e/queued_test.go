package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/test/stack"
)

// TestQueued stops a participant for longer than all attempts of its step would take. The command that it has not reached is not
// sent again, `blocked_on` says so, and the saga completes when the participant is back (design rule 3).
func TestQueued(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs servers")
	}
	s := stack.New(t)
	all := s.Participants()
	r := s.Serve().Ready(t)
	src, err := fs.ReadFile(configs.Definitions(), "order-placement.yaml")
	require.NoError(t, err)
	_, _, err = r.Client.PutDefinition(t.Context(), "order-placement", 1, src, true)
	require.NoError(t, err)
	s.Settled(1, "orders", "payments", "inventory", "shipping")
	place := func(id string) client.StartResult {
		started, err := r.Client.Start(t.Context(), client.StartRequest{Saga: "order-placement", Input: stack.Order{ID: id}.Input()}, client.WithWait(20*time.Second))
		require.NoError(t, err)
		return started
	}
	require.Equal(t, client.Completed, place("before").Saga.Status, "the group has committed something")

	all["payments"].Terminate()
	require.NoError(t, all["payments"].Wait(20*time.Second))
	started, err := r.Client.Start(t.Context(), client.StartRequest{Saga: "order-placement", Input: stack.Order{ID: "during"}.Input()})
	require.NoError(t, err)
	began := time.Now()
	stack.Eventually(t, 20*time.Second, func(ctx context.Context) error {
		sg, err := r.Client.Saga(ctx, started.ID)
		switch {
		case err != nil:
			return err
		case len(sg.BlockedOn) != 1 || !sg.BlockedOn[0].Queued:
			return fmt.Errorf("it waits for %+v", sg.BlockedOn)
		}
		b := sg.BlockedOn[0]
		if b.Participant != "payments" || b.Consumers == nil || *b.Consumers != 0 || b.Lag == nil {
			return fmt.Errorf("it waits for %+v", b)
		}
		return nil
	})
	t.Logf("it was known to be queued after %s", time.Since(began).Round(time.Millisecond))

	// Five attempts of 5 s: without the rule the saga would be compensated by then.
	stack.Eventually(t, time.Minute, func(context.Context) error {
		if time.Since(began) < 28*time.Second {
			return errors.New("the participant is still away")
		}
		return nil
	})
	sg, err := r.Client.Saga(t.Context(), started.ID)
	require.NoError(t, err)
	require.Equal(t, client.Running, sg.Status, "an outage of a participant compensates nothing")
	require.Equal(t, 1, sg.Steps[1].Attempts, "what it has not reached is not sent again")

	s.Participant("payments")
	stack.Eventually(t, time.Minute, func(ctx context.Context) error {
		sg, err = r.Client.Saga(ctx, started.ID)
		if err == nil && !sg.Status.Terminal() {
			err = fmt.Errorf("it is %s and waits for %+v", sg.Status, sg.BlockedOn)
		}
		return err
	})
	require.Equal(t, client.Completed, sg.Status)
	require.Equal(t, 1, sg.Steps[1].Attempts)
}
