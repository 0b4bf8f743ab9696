package chaos

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/test/stack"
)

func TestMain(m *testing.M) { stack.Main(m) }

// TestCrash: in the midst of 1,000 sagas one of two replicas and a participant are killed. The replica stays dead, the
// participant comes back; every saga that was accepted ends as it should (S1, S6, S8, L3).
func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	s := stack.New(t)
	participants := s.Participants()
	dies, stays := s.Serve(), s.Serve()
	dies.Ready(t)
	stays.Ready(t)
	src, err := fs.ReadFile(configs.Definitions(), configs.DefinitionPlacement)
	require.NoError(t, err)
	_, _, err = stays.PutDefinition(t.Context(), "order-placement", 1, src, true)
	require.NoError(t, err)

	s.Settled(2, "orders", "payments", "inventory", "shipping")

	orders := stack.Orders("crash", 1000)
	load := &stack.Load{Saga: "order-placement", Replicas: []*client.Client{dies.Client, stays.Client}}
	var ids map[string]string
	var placing errgroup.Group
	placing.Go(func() (err error) {
		ids, err = load.Place(t.Context(), orders)
		return err
	})
	stack.Eventually(t, time.Minute, func(context.Context) error {
		if n := load.Accepted.Load(); n < 300 {
			return fmt.Errorf("%d sagas are accepted", n)
		}
		return nil
	})
	dies.Kill()
	participants["payments"].Kill()
	s.Participant("payments")
	require.NoError(t, placing.Wait())
	s.AllEnded(stays.Client, orders, ids, 3*time.Minute)
	s.Audit()
}

// TestCrash_WithoutParticipant: while a participant is away nothing fails and nothing is undone that need not be; what waits
// for longer than all attempts take is unknown, and is undone once the participant is back (design rule 4).
func TestCrash_WithoutParticipant(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	s := stack.New(t)
	for _, name := range []string{"orders", "payments", "shipping"} {
		s.Participant(name)
	}
	r := s.Serve().Ready(t)
	src, err := os.ReadFile("../e2e/testdata/order-quick.yaml")
	require.NoError(t, err)
	_, _, err = r.PutDefinition(t.Context(), "order-quick", 1, src, true)
	require.NoError(t, err)
	started, err := r.Client.Start(t.Context(), client.StartRequest{Saga: "order-quick", Input: stack.Order{ID: "absent"}.Input()})
	require.NoError(t, err)
	stack.Eventually(t, time.Minute, func(ctx context.Context) error {
		sg, err := r.Saga(ctx, started.ID)
		if err == nil && (sg.Status != client.Compensating || sg.Steps[2].Status != "undoing" && sg.Steps[2].Status != "undo_backing_off") {
			err = fmt.Errorf("saga is %s, reserve-items %s", sg.Status, sg.Steps[2].Status)
		}
		return err
	})
	s.Participant("inventory")
	stack.Eventually(t, time.Minute, func(ctx context.Context) error {
		sg, err := r.Saga(ctx, started.ID)
		if err == nil && !sg.Status.Terminal() {
			err = fmt.Errorf("saga is %s, blocked on %+v", sg.Status, sg.BlockedOn)
		}
		return err
	})
	sg, err := r.Saga(t.Context(), started.ID)
	require.NoError(t, err)
	require.Equal(t, client.Compensated, sg.Status)
	require.Equal(t, "cleanly_aborted", sg.Certificate.Verdict)
	world, err := stack.ReadWorld(t.Context(), s.Pool)
	require.NoError(t, err)
	require.NoError(t, world.Agrees(&sg))
	s.Audit()
}
