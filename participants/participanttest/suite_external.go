package participanttest

import (
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants/wire"
)

// externalCases are effects outside the barrier's database, which claim first.
func externalCases() map[string]func(*rig) {
	return map[string]func(*rig){
		"ChargesOnceAndAnswersDuplicatesAlike": func(r *rig) {
			first := r.Execute("Charge.v1", succeed)
			r.want(first, wire.Succeeded, "")
			again := r.Execute("Charge.v1", succeed)
			require.Equal(r.t, string(first.Value), string(again.Value))
			require.Len(r.t, r.provider.made(), 1, "a settled command does not call the provider")
		},
		"DuplicateOfAClaimCallsAgainWithTheSameKey": func(r *rig) {
			r.provider.set(func(p *provider) { p.crash = true })
			r.want(r.Execute("Charge.v1", succeed), wire.Failed, wire.CodeError)
			r.want(r.Execute("Charge.v1", succeed, Attempt(2)), wire.Succeeded, "")
			calls := r.provider.made()
			require.Len(r.t, calls, 2)
			require.Equal(r.t, calls[0], calls[1])
			require.Equal(r.t, "charge "+wire.CommandID(r.ID, r.Step, wire.Execute, 0).String(), calls[0])
		},
		"KilledBetweenCallAndSettling": func(r *rig) {
			r.provider.set(func(p *provider) { p.during = r.barrier.killBeforeCommit })
			r.want(r.Execute("Charge.v1", succeed), wire.Failed, wire.CodeBarrierUnavailable)
			r.provider.set(func(p *provider) { p.during = nil })
			r.want(r.Execute("Charge.v1", succeed, Attempt(2)), wire.Succeeded, "")
			require.Equal(r.t, 1, r.provider.charged())
		},
		"DeclineIsStored": func(r *rig) {
			r.provider.set(func(p *provider) { p.decline = true })
			r.want(r.Execute("Charge.v1", succeed), wire.Rejected, "declined")
			r.provider.set(func(p *provider) { p.decline = false })
			r.want(r.Execute("Charge.v1", succeed), wire.Rejected, "declined")
			r.want(r.Compensate("Refund.v1", succeed), wire.Succeeded, wire.CodeNothingToUndo)
		},
		"HigherEditionWaitsForAClaim": func(r *rig) {
			r.provider.set(func(p *provider) { p.crash = true })
			r.Execute("Charge.v1", succeed)
			r.want(r.Execute("Charge.v1", succeed, Edition(1)), wire.Failed, wire.CodeExecuteOpen)
			require.Len(r.t, r.provider.made(), 1)
		},
		"CompensateAtAClaimWithoutAskIsOpen": func(r *rig) {
			r.provider.set(func(p *provider) { p.crash = true })
			r.Execute("Charge.v1", succeed)
			r.want(r.Compensate("RefundBlind.v1", succeed), wire.Failed, wire.CodeExecuteOpen)
			r.want(r.Compensate("Undo.v1", succeed), wire.Failed, wire.CodeExecuteOpen)
			r.want(r.Execute("Charge.v1", succeed, Attempt(2)), wire.Succeeded, "")
			r.want(r.Compensate("RefundBlind.v1", succeed, Attempt(2)), wire.Succeeded, "")
			require.Zero(r.t, r.provider.charged())
		},
		"CompensateAtAClaimStoresNothing": func(r *rig) {
			r.provider.set(func(p *provider) { p.crash = true })
			r.Execute("Charge.v1", succeed)
			r.want(r.Compensate("RefundBlind.v1", succeed), wire.Failed, wire.CodeExecuteOpen)
			r.Execute("Charge.v1", succeed, Attempt(2))
			r.want(r.Compensate("RefundBlind.v1", succeed, Edition(1)), wire.Succeeded, "")
			require.Zero(r.t, r.provider.charged())
		},
		"CompensateAtAClaimAsksAndUndoes": func(r *rig) {
			r.provider.set(func(p *provider) { p.crash = true })
			r.Execute("Charge.v1", succeed)
			r.want(r.Compensate("Refund.v1", succeed), wire.Succeeded, "")
			require.Zero(r.t, r.provider.charged())
			r.want(r.Execute("Charge.v1", succeed, Attempt(2)), wire.Succeeded, "")
			require.Zero(r.t, r.provider.charged(), "a late duplicate does not charge again")
		},
		"CompensateAtAClaimAsksAndFindsARefusal": func(r *rig) {
			r.provider.set(func(p *provider) { p.crash = true })
			r.Execute("Charge.v1", succeed)
			r.provider.set(func(p *provider) { clear(p.charges) })
			r.want(r.Compensate("Refund.v1", succeed), wire.Succeeded, wire.CodeNothingToUndo)
			r.want(r.Execute("Charge.v1", succeed, Attempt(2)), wire.Rejected, wire.CodeAlreadyCompensated)
			require.Zero(r.t, r.provider.charged())
		},
		"CompensateAtAClaimAsksInVain": func(r *rig) {
			r.provider.set(func(p *provider) { p.crash, p.mute = true, true })
			r.Execute("Charge.v1", succeed)
			r.want(r.Compensate("Refund.v1", succeed), wire.Failed, wire.CodeExecuteOpen)
			r.provider.set(func(p *provider) { p.mute = false })
			r.want(r.Compensate("Refund.v1", succeed), wire.Succeeded, "")
			require.Zero(r.t, r.provider.charged())
		},
		"CompensateWhileTheProviderIsCalled": func(r *rig) {
			r.provider.set(func(p *provider) {
				p.during = func() {
					r.provider.set(func(p *provider) { p.during = nil })
					r.want(r.Compensate("RefundBlind.v1", succeed), wire.Failed, wire.CodeExecuteOpen)
				}
			})
			r.want(r.Execute("Charge.v1", succeed), wire.Succeeded, "")
			r.want(r.Compensate("RefundBlind.v1", succeed), wire.Succeeded, "")
			require.Zero(r.t, r.provider.charged())
		},
		"SuccessAgainstAProvidersWordIsToldAndUndoneByTheNextEdition": func(r *rig) {
			r.provider.set(func(p *provider) {
				p.during = func() { // the provider says "never" of a call that it takes afterwards
					r.provider.set(func(p *provider) { p.during = nil })
					r.want(r.Compensate("Refund.v1", succeed), wire.Succeeded, wire.CodeNothingToUndo)
				}
			})
			r.want(r.Execute("Charge.v1", succeed), wire.Succeeded, "")
			require.Equal(r.t, 1, r.provider.charged())
			r.want(r.Compensate("Refund.v1", succeed, Edition(1)), wire.Succeeded, "")
			require.Zero(r.t, r.provider.charged())
		},
		"RefundThatCrashesIsCalledAgainWithTheSameKey": func(r *rig) {
			r.Execute("Charge.v1", succeed)
			r.provider.set(func(p *provider) { p.crash = true })
			r.want(r.Compensate("Refund.v1", succeed), wire.Failed, wire.CodeError)
			r.want(r.Compensate("Refund.v1", succeed, Edition(1)), wire.Failed, wire.CodeExecuteOpen)
			r.want(r.Compensate("Refund.v1", succeed), wire.Succeeded, "")
			r.want(r.Compensate("Refund.v1", succeed), wire.Succeeded, "")
			calls := r.provider.made()
			require.Len(r.t, calls, 3)
			require.Equal(r.t, calls[1], calls[2])
		},
		"ProbeAtAClaimIsUnknown": func(r *rig) {
			r.provider.set(func(p *provider) { p.crash = true })
			r.Execute("Charge.v1", succeed)
			r.want(r.Probe("Unregistered.v1", succeed), wire.Unknown, wire.CodeExecuteOpen)
			r.want(r.Probe("Find.v1", succeed, Edition(1)), wire.Unknown, wire.CodeExecuteOpen)
		},
		"ProbeAtAClaimAsks": func(r *rig) {
			r.provider.set(func(p *provider) { p.crash = true })
			r.Execute("Charge.v1", succeed)
			r.want(r.Probe("Find.v1", succeed), wire.Succeeded, "")
			r.want(r.Execute("Charge.v1", succeed), wire.Succeeded, "")
			require.Len(r.t, r.provider.made(), 1, "what the provider said was stored")
		},
	}
}
