package orchestrator_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// looks has the releaser look n times, a second apart.
func (b *testBundle) looks(n int) {
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	b.machine.during = func(time.Duration) {
		if n--; n == 0 {
			cancel()
		}
	}
	b.workers["releaser"](ctx)
	b.machine.during = nil
}

// TestReleaser: whoever waited for a hold goes on as soon as it has ended, and not after a quarter of the time that it has lasted, by
// which its deadline may have passed (design rule 10).
func TestReleaser(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]orchestrator.Hold{
		"Participant": {Tenant: tenant, Scope: orchestrator.HoldParticipant, Name: "runner", Reason: "r"},
		"SagaType":    {Tenant: tenant, Scope: orchestrator.HoldSagaType, Name: "errand", Reason: "r"},
		"Tenant":      {Tenant: tenant, Scope: orchestrator.HoldTenant, Reason: "r"},
		"All":         {Tenant: "operators", Scope: orchestrator.HoldAll, Reason: "r"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			row, _, err := b.engine.PutHold(t.Context(), hold, "ada", "r-1")
			require.NoError(t, err)
			id := b.start(errand())
			b.machine.now = b.machine.now.Add(time.Hour)
			b.looks(1)
			b.turn()
			require.Equal(t, saga.Held, b.saga(id).Steps[0].Status)

			require.NoError(t, b.engine.EndHold(t.Context(), hold.Tenant, row.ID, orchestrator.Release{By: "ada", Reason: "done", RequestID: "r-2"}))
			b.looks(1)
			b.turn()
			require.Equal(t, saga.InFlight, b.saga(id).Steps[0].Status)
		})
	}
}

type holdsPort interface{ orchestrator.Holds }

// waitingHolds hides who waits.
type waitingHolds struct {
	holdsPort
	err    error
	hidden saga.ID
	asked  int
}

func (h *waitingHolds) Held(ctx context.Context, tenant, participant string, after saga.ID, limit int) ([]saga.ID, error) {
	h.asked++
	if h.err != nil {
		return nil, h.err
	}
	ids, err := h.holdsPort.Held(ctx, tenant, participant, after, limit)
	return slices.DeleteFunc(ids, func(id saga.ID) bool { return id == h.hidden }), err
}

// TestReleaser_LooksAgain: a transaction that began before a hold's end was known may have put a saga to wait since.
func TestReleaser_LooksAgain(t *testing.T) {
	t.Parallel()
	holds := &waitingHolds{}
	b := setup(t, func(c *orchestrator.Config) { holds.holdsPort, c.Holds = c.Holds, holds })
	row, _, err := b.engine.PutHold(t.Context(), orchestrator.Hold{Tenant: tenant, Scope: orchestrator.HoldTenant, Reason: "r"}, "ada", "r-1")
	require.NoError(t, err)
	first, second := b.offer(errand()), b.offer(errand())
	b.turn()
	require.NoError(t, b.engine.EndHold(t.Context(), tenant, row.ID, orchestrator.Release{By: "ada", Reason: "done", RequestID: "r-2"}))
	holds.err = errors.New("away")
	b.looks(1)
	holds.err = nil
	holds.hidden = second.got.ID
	b.looks(1)
	b.turn()
	require.Equal(t, saga.InFlight, b.saga(first.got.ID).Steps[0].Status, "it is tried again where the store fails")
	require.Equal(t, saga.Held, b.saga(second.got.ID).Steps[0].Status)
	holds.hidden = saga.ID{}
	b.looks(3)
	b.turn()
	require.Equal(t, saga.InFlight, b.saga(second.got.ID).Steps[0].Status)
	require.Equal(t, 3, holds.asked, "then nobody is looked for any more")
}
