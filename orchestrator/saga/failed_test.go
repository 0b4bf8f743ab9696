package saga_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// A failed answer stands at what it led to of its own step; a step that the abort gives up with it was not answered.
func TestDecide_FailedAnswerIsOfItsStep(t *testing.T) {
	t.Parallel()
	a, b := plain("a"), plain("b")
	a.Retry.MaxAttempts = 1
	def := &saga.Definition{Name: "order", Version: 1, Steps: []saga.Step{a, b}}
	require.Empty(t, def.Link())
	in := saga.Instance{}
	offset := int64(0)
	decide := func(body saga.Body) saga.Decision {
		t.Helper()
		d, err := saga.Decide(def, in, saga.Event{ID: "e", Body: body, Env: saga.Env{At: epoch()}})
		require.NoError(t, err)
		in = d.Next
		return d
	}
	fails := func(step string) saga.Decision {
		t.Helper()
		offset++
		return decide(saga.Replied{Step: step, Verb: saga.Execute, Attempt: 1, Outcome: saga.ReplyFailed, Record: saga.Coordinates{Offset: offset}})
	}
	decide(saga.Started{ID: testID(), Tenant: "default"})
	backedOff := fails("b")
	require.Equal(t, int64(1), backedOff.Facts[0].Reply.Offset)
	replies := map[string]*saga.Coordinates{}
	for _, f := range fails("a").Facts {
		if f.Type == saga.StepUnknown {
			replies[f.Step] = f.Reply
		}
	}
	require.Equal(t, map[string]*saga.Coordinates{"a": {Offset: 2}, "b": nil}, replies, "nobody answered b a second time")
}
