package participanttest

import (
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants/wire"
)

func probeCases() map[string]func(*rig) {
	return map[string]func(*rig){
		"TellsASuccessWithItsOutput": func(r *rig) {
			executed := r.Execute("Do.v1", succeed)
			probed := r.Probe("Find.v1", succeed)
			r.want(probed, wire.Succeeded, "")
			require.Equal(r.t, string(executed.Value), string(probed.Value))
			r.wantEffects("done")
		},
		"TellsARejectionWithItsCode": func(r *rig) {
			r.Execute("Do.v1", reject)
			r.want(r.Probe("Find.v1", succeed), wire.Rejected, "no")
		},
		"TellsTheSuccessOfALowerEdition": func(r *rig) {
			r.Execute("Do.v1", succeed)
			r.want(r.Probe("Find.v1", succeed, Edition(3)), wire.Succeeded, "")
		},
		"TellsACompensation": func(r *rig) {
			r.Compensate("Undo.v1", succeed)
			r.want(r.Probe("Find.v1", succeed), wire.Rejected, wire.CodeAlreadyCompensated)
			r.want(r.Probe("Find.v1", succeed, Edition(1)), wire.Rejected, wire.CodeAlreadyCompensated)
		},
		"IsSupersededByAHigherEdition": func(r *rig) {
			r.Execute("Do.v1", reject)
			r.Execute("Do.v1", succeed, Edition(1))
			r.want(r.Probe("Find.v1", succeed), wire.Rejected, wire.CodeSuperseded)
		},
		"WithoutARowNothingIsFoundForGood": func(r *rig) {
			r.want(r.Probe("Find.v1", succeed), wire.Rejected, wire.CodeNotFound)
			r.want(r.Probe("Find.v1", succeed, Attempt(2)), wire.Rejected, wire.CodeNotFound)
			r.want(r.Execute("Do.v1", succeed), wire.Rejected, wire.CodeNotFound)
			r.wantEffects()
			r.want(r.Execute("Do.v1", succeed, Edition(1)), wire.Succeeded, "")
			r.want(r.Probe("Find.v1", succeed, Edition(1)), wire.Succeeded, "")
			r.wantEffects("done")
		},
		"OverALowerRejectionNothingIsFoundForGood": func(r *rig) {
			r.Execute("Do.v1", reject)
			r.want(r.Probe("Find.v1", succeed, Edition(1)), wire.Rejected, wire.CodeNotFound)
			r.want(r.Execute("Do.v1", succeed, Edition(1)), wire.Rejected, wire.CodeNotFound)
			r.want(r.Execute("Do.v1", succeed), wire.Rejected, wire.CodeSuperseded)
			r.wantEffects()
			r.want(r.Execute("Do.v1", succeed, Edition(2)), wire.Succeeded, "")
			r.wantEffects("done")
		},
		"OverALowerTombstoneNothingIsFoundForGood": func(r *rig) {
			r.Probe("Find.v1", succeed)
			r.want(r.Probe("Find.v1", succeed, Edition(1)), wire.Rejected, wire.CodeNotFound)
			r.want(r.Probe("Find.v1", succeed), wire.Rejected, wire.CodeSuperseded)
			r.want(r.Execute("Do.v1", succeed, Edition(1)), wire.Rejected, wire.CodeNotFound)
			r.wantEffects()
		},
		"KilledBeforeCommitLeavesNoTombstone": func(r *rig) {
			r.barrier.killBeforeCommit()
			r.want(r.Probe("Find.v1", succeed), wire.Failed, wire.CodeBarrierUnavailable)
			r.want(r.Execute("Do.v1", succeed), wire.Succeeded, "")
			r.wantEffects("done")
		},
		"NeedsNoHandlerOfItsName": func(r *rig) {
			r.Execute("Do.v1", succeed)
			r.want(r.Probe("Unregistered.v1", succeed), wire.Succeeded, "")
		},
	}
}
