package participants_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// TestRuleSettle: a claim that is settled late, and what stands by then. An effect is never hidden, and nobody is answered with what
// another edition did.
func TestRuleSettle(t *testing.T) {
	t.Parallel()
	saga := wire.ID{1}
	row := func(edition int, state participants.State) participants.Row {
		return participants.Row{CommandID: wire.CommandID(saga, "pay", wire.Execute, edition), Edition: edition, State: state, Code: "stored"}
	}
	for name, c := range map[string]struct {
		result wire.Outcome
		row    participants.Row
		want   wire.Outcome
		code   string
		stored bool
	}{
		"OwnClaim":                       {wire.Succeeded, row(0, participants.Claimed), wire.Succeeded, "own", true},
		"SettledBySomebody":              {wire.Succeeded, row(0, participants.Succeeded), wire.Succeeded, "stored", false},
		"SaidToBeRejected":               {wire.Succeeded, row(0, participants.Rejected), wire.Succeeded, "own", true},
		"BuriedMeanwhile":                {wire.Rejected, row(0, participants.CompensateTombstone), wire.Rejected, wire.CodeAlreadyCompensated, false},
		"RejectedAndAHigherEditionDidIt": {wire.Rejected, row(1, participants.Succeeded), wire.Rejected, wire.CodeSuperseded, false},
		"RejectedAndAHigherIsRejected":   {wire.Rejected, row(1, participants.Rejected), wire.Rejected, "own", false},
		"DoneAndAHigherEditionDidIt":     {wire.Succeeded, row(1, participants.Succeeded), wire.Succeeded, "stored", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := participants.RuleSettle(row(0, participants.Claimed), participants.Result{Outcome: c.result, Code: "own"}, c.row)
			require.Equal(t, participants.ThenAnswer, r.Then)
			require.Equal(t, c.want, r.Result.Outcome)
			require.Equal(t, c.code, r.Result.Code)
			require.Equal(t, c.stored, r.Put != nil)
		})
	}
}
