package saga_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// TestBlank_StillFolds takes the payloads of random sagas that have ended. What still comes then is judged as before, folds as
// before (S4: probing checks it after each event), and brings no payload back.
func TestBlank_StillFolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := rapidChooser{t}
		def := randomDefinition(c)
		require.Empty(t, def.Link())
		p := newProbing(t, newWorld(c, def))
		p.feed(p.started())
		if !p.in.Status.Terminal() {
			require.Equal(t, p.in.Revision, saga.Blank(p.in, p.at).Revision, "a live saga keeps its payloads")
		}
		for range c.pick(20, "events") {
			p.live()
		}
		p.heal()
		require.True(t, p.in.Status.Terminal())
		before := encoded(t, p.in)
		blank := saga.Blank(p.in, p.at)
		require.Equal(t, before, encoded(t, p.in), "Blank changed what it was given")
		require.Equal(t, p.in.Revision+1, blank.Revision, "nobody may go on with what was read before")
		require.Equal(t, encoded(t, blank), encoded(t, saga.Blank(blank, p.at.Add(1))), "once is enough")
		p.in = blank
		for i := range p.facts {
			p.facts[i] = saga.BlankFact(p.facts[i])
		}
		for range 1 + c.pick(20, "late events") {
			p.live()
		}
		require.False(t, p.in.Payloads())
		for i := range p.facts {
			require.False(t, p.facts[i].Payloads(), printFact(p.facts[i]))
		}
	})
}

func TestPayloads_SeeEveryOne(t *testing.T) {
	t.Parallel()
	in, fact := fullInstance(), fullFact()
	in.Status = saga.Completed
	require.True(t, in.Payloads())
	require.True(t, fact.Payloads())
	blank := saga.BlankFact(fact)
	require.False(t, blank.Payloads())
	require.NotEmpty(t, fact.Start.Input, "the fact that was given keeps its own")
	for _, one := range []saga.Instance{
		{Input: in.Input},
		{Output: in.Output},
		{Steps: []saga.StepState{{}, {Output: in.Output}}},
		{Steps: []saga.StepState{{Forward: saga.Leg{Payload: in.Input}}}},
		{Steps: []saga.StepState{{Backward: saga.Leg{Payload: in.Input}}}},
	} {
		require.True(t, one.Payloads())
	}
}
