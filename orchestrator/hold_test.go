package orchestrator_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// TestStart_UnderAHold: "Under a hold it is `held`, else its command is created" (design rule 1), of the very first step too.
func TestStart_UnderAHold(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]orchestrator.Hold{
		"Tenant":      {Tenant: tenant, Scope: orchestrator.HoldTenant},
		"SagaType":    {Tenant: tenant, Scope: orchestrator.HoldSagaType, Name: "errand"},
		"Version":     {Tenant: tenant, Scope: orchestrator.HoldSagaType, Name: "errand", Version: 1},
		"Participant": {Tenant: tenant, Scope: orchestrator.HoldParticipant, Name: "runner"},
		"All":         {Tenant: "operators", Scope: orchestrator.HoldAll},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.hold(hold)
			id := b.start(orchestrator.StartRequest{Tenant: tenant, Saga: "errand", Input: []byte(`{}`)})
			require.Equal(t, saga.Held, b.saga(id).Steps[0].Status, "a held saga sends nothing")
		})
	}
	for name, hold := range map[string]orchestrator.Hold{
		"OtherTenant":      {Tenant: "other", Scope: orchestrator.HoldTenant},
		"OtherSagaType":    {Tenant: tenant, Scope: orchestrator.HoldSagaType, Name: "order"},
		"OtherVersion":     {Tenant: tenant, Scope: orchestrator.HoldSagaType, Name: "errand", Version: 2},
		"OtherParticipant": {Tenant: tenant, Scope: orchestrator.HoldParticipant, Name: "stock"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.hold(hold)
			id := b.start(orchestrator.StartRequest{Tenant: tenant, Saga: "errand", Input: []byte(`{}`)})
			require.Equal(t, saga.InFlight, b.saga(id).Steps[0].Status, "the hold is about somebody else")
		})
	}
}

func (b *testBundle) hold(h orchestrator.Hold) {
	b.t.Helper()
	h.From, h.Reason = b.machine.Now(), "maintenance"
	_, err := b.memory.PutHold(b.t.Context(), h, orchestrator.Audit{Tenant: h.Tenant, Actor: "tester", Action: "hold.put", Reason: h.Reason})
	require.NoError(b.t, err)
}
