package audit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/audit"
)

// Whatever the engine does, the audit finds nothing wrong with it: in memory and on Postgres, in pages of any size, while it runs.
func TestRun_FindsNothingWrongWithTheEngine(t *testing.T) {
	t.Parallel()
	sites := map[string]func(*testing.T) *site{
		"Memory":   inMemory,
		"Postgres": func(t *testing.T) *site { b, _ := onPostgres(t); return b },
	}
	for name, make := range sites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := make(t)
			b.world()
			for _, page := range []int{1, 3, 256} {
				report, err := audit.Run(t.Context(), audit.Config{Store: b.store, Page: page})
				require.NoError(t, err)
				require.Empty(t, report.Problems)
				require.True(t, report.Clean())
				require.Equal(t, 11, report.Checked.Sagas)
				require.Equal(t, 5, report.Checked.Live)
				require.Greater(t, report.Checked.Facts, 100)
				require.Equal(t, 7, report.Checked.Actions, "six, and the definition's")
				require.Greater(t, report.Checked.Keys, 25)
			}
			actions, err := audit.VerifyActions(t.Context(), b.store)
			require.NoError(t, err)
			require.True(t, actions.Clean(), "%v", actions.Problems)
			require.Equal(t, 7, actions.Checked.Actions)

			one, err := audit.Run(t.Context(), audit.Config{Store: b.store, ID: b.scene("completed", "A-one")})
			require.NoError(t, err)
			require.Equal(t, 1, one.Checked.Sagas)
			require.Zero(t, one.Checked.Keys, "a filter is about sagas alone")
			none, err := audit.Run(t.Context(), audit.Config{Store: b.store, Saga: "trip", Version: 2})
			require.NoError(t, err)
			require.Zero(t, none.Checked.Sagas)
			none, err = audit.Run(t.Context(), audit.Config{Store: b.store, CreatedSince: time.Now().Add(time.Hour)})
			require.NoError(t, err)
			require.Zero(t, none.Checked.Sagas)
			all, err := audit.Run(t.Context(), audit.Config{Store: b.store, Saga: "trip", Version: 1, CreatedSince: time.Now().Add(-time.Hour)})
			require.NoError(t, err)
			require.Equal(t, 12, all.Checked.Sagas)
		})
	}
}
