package orchestrator_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestHold_SaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cases := map[string]struct {
		hold  orchestrator.Hold
		paths []string
	}{
		"Nothing":         {orchestrator.Hold{}, []string{"scope", "reason"}},
		"NoName":          {orchestrator.Hold{Scope: orchestrator.HoldParticipant, Reason: "r"}, []string{"name"}},
		"NameOfATenant":   {orchestrator.Hold{Scope: orchestrator.HoldTenant, Name: "n", Reason: "r"}, []string{"name"}},
		"VersionOfOthers": {orchestrator.Hold{Scope: orchestrator.HoldAll, Version: 1, Reason: "r"}, []string{"version"}},
		"NegativeVersion": {orchestrator.Hold{Scope: orchestrator.HoldSagaType, Name: "n", Version: -1, Reason: "r"}, []string{"version"}},
		"AllAtOnce":       {orchestrator.Hold{Scope: "universe", Version: 2}, []string{"scope", "version", "reason"}},
	}
	for name, c := range cases {
		_, _, err := b.engine.PutHold(t.Context(), c.hold, "ada", "r-1")
		var bad *orchestrator.InputError
		require.ErrorAs(t, err, &bad, name)
		paths := []string{}
		for _, f := range bad.Fields {
			paths = append(paths, f.Path)
		}
		require.ElementsMatch(t, c.paths, paths, name)
	}
}

func TestHold_TheSameTwiceIsOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hold := orchestrator.Hold{Tenant: tenant, Scope: orchestrator.HoldSagaType, Name: "order", Version: 2, Reason: "a wrong price"}
	first, set, err := b.engine.PutHold(t.Context(), hold, "ada", "r-1")
	require.NoError(t, err)
	require.True(t, set)
	require.Equal(t, "saga_type order@2", first.Target())
	hold.Reason = "another reason"
	again, set, err := b.engine.PutHold(t.Context(), hold, "bob", "r-2")
	require.NoError(t, err)
	require.False(t, set)
	require.Equal(t, first, again)
	require.NoError(t, b.engine.EndHold(t.Context(), tenant, first.ID, orchestrator.Release{By: "ada", Reason: "mended", RequestID: "r-3"}))
	require.ErrorIs(t, b.engine.EndHold(t.Context(), tenant, first.ID, orchestrator.Release{By: "ada", Reason: "mended", RequestID: "r-4"}), orchestrator.ErrNotFound)
	rows, err := b.engine.Holds(t.Context(), tenant)
	require.NoError(t, err)
	require.Empty(t, rows)
}

// A hold stops a saga's commands, shows as why it waits, is known to rehearsals, and ends (design rules 10 and 12).
func TestHold_StopsAndShows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hold := orchestrator.Hold{Tenant: tenant, Scope: orchestrator.HoldSagaType, Name: "errand", Reason: "stocktaking"}
	row, _, err := b.engine.PutHold(t.Context(), hold, "ada", "r-1")
	require.NoError(t, err)
	started := b.offer(errand())
	b.turn()
	require.NoError(t, started.err)
	view, err := b.memory.Saga(t.Context(), tenant, started.got.ID)
	require.NoError(t, err)
	require.Equal(t, saga.Held, view.Instance.Steps[0].Status)
	blocked, err := b.engine.Blocked(t.Context(), view)
	require.NoError(t, err)
	require.Len(t, blocked, 1)
	require.Equal(t, saga.CauseHold, blocked[0].Cause)
	require.Equal(t, "stocktaking", blocked[0].Message)

	skip := orchestrator.ActRequest{Tenant: tenant, ID: started.got.ID, Act: saga.Acted{Action: saga.ActionResume, Reason: "r", By: "ada"}}
	_, err = b.engine.DryRun(t.Context(), skip)
	var refused *saga.RefusedError
	require.ErrorAs(t, err, &refused, "it is held, not paused")
	cancel := orchestrator.ActRequest{Tenant: tenant, ID: started.got.ID, Act: saga.Acted{Action: saga.ActionCancel, Reason: "r", By: "ada"}}
	d, err := b.engine.DryRun(t.Context(), cancel)
	require.NoError(t, err)
	require.Equal(t, view.Instance.CreatedAt.Truncate(time.Hour), d.Next.UpdatedAt.Truncate(time.Hour), "a rehearsal's time is the database's")

	require.NoError(t, b.engine.EndHold(t.Context(), tenant, row.ID, orchestrator.Release{By: "ada", Reason: "done", RequestID: "r-2"}))
	blocked, err = b.engine.Blocked(t.Context(), view)
	require.NoError(t, err)
	require.Empty(t, blocked[0].Message, "its hold has ended; the next look starts it")
}
