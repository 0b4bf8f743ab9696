package orchestrator_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// A start that cannot be judged starts nothing: there is no saga yet that could be suspended. Its batch is stored, and a replay under
// its Idempotency-Key gets the same answer (S2, L5).
func TestStart_DecideThatPanics(t *testing.T) {
	t.Parallel()
	b := setup(t)
	trap := `{"saga": "trap", "version": 1, "steps": [{"name": "run", "participant": "runner", "command": "Run.v1", "effect": "none"}]}`
	_, _, err := b.engine.PutDefinition(t.Context(), tenant, []byte(trap), true, "tester", "")
	require.NoError(t, err)
	def, err := b.engine.Definition(t.Context(), tenant, "trap", 1)
	require.NoError(t, err)
	broken := *def
	broken.Steps = append([]saga.Step{}, def.Steps...)
	broken.Steps[0].Payload = panics{}
	b.engine.Know(tenant, &broken)

	bad := errand()
	bad.Saga, bad.IdempotencyKey = "trap", "once"
	refused, started := b.offer(bad), b.offer(errand())
	b.turn()
	var why *saga.RefusedError
	require.ErrorAs(t, refused.err, &why)
	require.Equal(t, saga.CodeBroken, why.Code)
	require.NoError(t, started.err, "a start that cannot be judged costs the others nothing")
	require.Equal(t, saga.Running, b.saga(started.got.ID).Status)
	live, err := b.memory.Stats(t.Context(), tenant)
	require.NoError(t, err)
	require.EqualValues(t, 1, live.Live, "nothing is stored of a saga that was not started")

	again := b.offer(bad)
	b.turn()
	require.Equal(t, refused.err, again.err, "a replay is answered the same (S2)")
}
