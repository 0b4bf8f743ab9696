package participanttest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

func compensateCases() map[string]func(*rig) {
	return map[string]func(*rig){
		"BeforeTheExecuteThereIsNothingToUndo": func(r *rig) {
			r.want(r.Compensate("Undo.v1", succeed), wire.Succeeded, wire.CodeNothingToUndo)
			r.want(r.Compensate("Undo.v1", succeed, Attempt(2)), wire.Succeeded, wire.CodeNothingToUndo)
			r.wantEffects()
		},
		"UndoesASuccessOnce": func(r *rig) {
			r.Execute("Do.v1", succeed)
			first := r.Compensate("Undo.v1", succeed)
			r.want(first, wire.Succeeded, "")
			again := r.Compensate("Undo.v1", succeed, Attempt(2))
			r.want(again, wire.Succeeded, "")
			require.Equal(r.t, string(first.Value), string(again.Value))
			r.wantEffects("done", "undone")
			r.want(r.Execute("Do.v1", succeed), wire.Succeeded, "")
			r.wantEffects("done", "undone")
		},
		"AfterARejectionThereIsNothingToUndo": func(r *rig) {
			r.Execute("Do.v1", reject)
			r.want(r.Compensate("Undo.v1", succeed), wire.Succeeded, wire.CodeNothingToUndo)
			r.want(r.Execute("Do.v1", succeed), wire.Rejected, wire.CodeAlreadyCompensated)
			r.want(r.Execute("Do.v1", succeed, Edition(1)), wire.Rejected, wire.CodeAlreadyCompensated)
			r.wantEffects()
		},
		"AfterAProbesTombstoneThereIsNothingToUndo": func(r *rig) {
			r.Probe("Find.v1", succeed)
			r.want(r.Compensate("Undo.v1", succeed), wire.Succeeded, wire.CodeNothingToUndo)
			r.want(r.Execute("Do.v1", succeed, Edition(1)), wire.Rejected, wire.CodeAlreadyCompensated)
			r.wantEffects()
		},
		"AfterAFailureThereIsNothingToUndo": func(r *rig) {
			r.Execute("Do.v1", fail)
			r.want(r.Compensate("Undo.v1", succeed), wire.Succeeded, wire.CodeNothingToUndo)
			r.want(r.Execute("Do.v1", succeed), wire.Rejected, wire.CodeAlreadyCompensated)
			r.wantEffects()
		},
		"FailureIsNotStoredAndLeavesNoTombstone": func(r *rig) {
			r.Execute("Do.v1", succeed)
			r.want(r.Compensate("Undo.v1", fail), wire.Failed, "flaky")
			r.want(r.Compensate("Undo.v1", panics), wire.Failed, wire.CodePanic)
			r.want(r.Execute("Do.v1", succeed), wire.Succeeded, "")
			r.want(r.Compensate("Undo.v1", succeed), wire.Succeeded, "")
			r.wantEffects("done", "undone")
		},
		"RejectionIsStoredWithoutEffectAndTakenOver": func(r *rig) {
			r.Execute("Do.v1", succeed)
			r.want(r.Compensate("Undo.v1", reject), wire.Rejected, "no")
			r.want(r.Compensate("Undo.v1", succeed), wire.Rejected, "no")
			r.wantEffects("done")
			r.want(r.Compensate("Undo.v1", succeed, Edition(1)), wire.Succeeded, "")
			r.wantEffects("done", "undone")
			r.want(r.Compensate("Undo.v1", succeed), wire.Rejected, wire.CodeSuperseded)
		},
		"HigherEditionTakesOverNothingToUndo": func(r *rig) {
			r.want(r.Compensate("Undo.v1", succeed), wire.Succeeded, wire.CodeNothingToUndo)
			r.want(r.Compensate("Undo.v1", succeed, Edition(1)), wire.Succeeded, wire.CodeNothingToUndo)
			r.want(r.Compensate("Undo.v1", succeed), wire.Rejected, wire.CodeSuperseded)
			r.want(r.Compensate("Undo.v1", succeed, Edition(1)), wire.Succeeded, wire.CodeNothingToUndo)
			r.wantEffects()
		},
		"HigherEditionOverAnUndoGetsItsReply": func(r *rig) {
			r.Execute("Do.v1", succeed)
			first := r.Compensate("Undo.v1", succeed)
			higher := r.Compensate("Undo.v1", succeed, Edition(1))
			r.want(higher, wire.Succeeded, "")
			require.Equal(r.t, string(first.Value), string(higher.Value))
			r.wantEffects("done", "undone")
		},
		"KilledBeforeCommit": func(r *rig) {
			r.Execute("Do.v1", succeed)
			r.barrier.killBeforeCommit()
			r.want(r.Compensate("Undo.v1", succeed), wire.Failed, wire.CodeBarrierUnavailable)
			r.wantEffects("done")
			r.want(r.Compensate("Undo.v1", succeed), wire.Succeeded, "")
			r.wantEffects("done", "undone")
		},
		"KilledBetweenCommitAndReply": func(r *rig) {
			r.Execute("Do.v1", succeed)
			r.barrier.killAfterCommit()
			r.want(r.Compensate("Undo.v1", succeed), wire.Failed, wire.CodeBarrierUnavailable)
			r.want(r.Compensate("Undo.v1", succeed), wire.Succeeded, "")
			r.wantEffects("done", "undone")
		},
		"TombstoneKilledBeforeCommitIsNone": func(r *rig) {
			r.barrier.killBeforeCommit()
			r.want(r.Compensate("Undo.v1", succeed), wire.Failed, wire.CodeBarrierUnavailable)
			r.want(r.Execute("Do.v1", succeed), wire.Succeeded, "")
			r.want(r.Compensate("Undo.v1", succeed), wire.Succeeded, "")
			r.wantEffects("done", "undone")
		},
		"ConcurrentWithExecutesNeverLeavesAnEffect": func(r *rig) {
			for range 20 {
				saga := New(r.t, r.Saga.participant)
				other := &rig{Saga: saga, world: r.world}
				execute := other.async(saga.Command(wire.Execute, "Do.v1", succeed))
				undo := other.async(saga.Command(wire.Compensate, "Undo.v1", succeed))
				again := other.async(saga.Command(wire.Execute, "Do.v1", succeed, Attempt(2)))
				r.await(execute)
				require.Equal(r.t, wire.Succeeded, r.await(undo).Outcome)
				r.await(again)
			}
			net := map[string]int{}
			for _, effect := range r.world.Effects() {
				net[effect]++
			}
			require.Equal(r.t, net["done"], net["undone"], "every effect was undone")
		},
	}
}

// openCases meet a row whose transaction is open.
func openCases() map[string]func(*rig) {
	return map[string]func(*rig){
		"CompensateWaitsForAnExecuteThatCommits": func(r *rig) {
			execute := r.async(r.Command(wire.Execute, "Do.v1", holds))
			r.awaitEntered()
			undo := r.async(r.Command(wire.Compensate, "Undo.v1", succeed))
			close(r.release)
			r.want(r.await(execute), wire.Succeeded, "")
			r.want(r.await(undo), wire.Succeeded, "")
			r.wantEffects("done", "undone")
		},
		"CompensateWaitsForAnExecuteThatRollsBack": func(r *rig) {
			execute := r.async(r.Command(wire.Execute, "Do.v1", holdsFails))
			r.awaitEntered()
			undo := r.async(r.Command(wire.Compensate, "Undo.v1", succeed))
			close(r.release)
			r.want(r.await(execute), wire.Failed, "flaky")
			r.want(r.await(undo), wire.Succeeded, wire.CodeNothingToUndo)
			r.want(r.Execute("Do.v1", succeed), wire.Rejected, wire.CodeAlreadyCompensated)
			r.wantEffects()
		},
		"CompensateNeverFindsNothingWhileTheExecuteIsOpen": func(r *rig) {
			impatient := *r.Saga
			impatient.participant = r.participant(participants.Config{CompensateWait: 50 * time.Millisecond})
			execute := r.async(r.Command(wire.Execute, "Do.v1", holds))
			r.awaitEntered()
			r.want(impatient.Compensate("Undo.v1", succeed), wire.Failed, wire.CodeExecuteOpen)
			close(r.release)
			r.want(r.await(execute), wire.Succeeded, "")
			r.want(impatient.Compensate("Undo.v1", succeed), wire.Succeeded, "")
			r.wantEffects("done", "undone")
		},
		"ExecuteWaitsForAnOpenCompensate": func(r *rig) {
			r.Execute("Do.v1", succeed)
			undo := r.async(r.Command(wire.Compensate, "Undo.v1", holds))
			r.awaitEntered()
			execute := r.async(r.Command(wire.Execute, "Do.v1", succeed, Attempt(2)))
			close(r.release)
			r.want(r.await(undo), wire.Succeeded, "")
			r.want(r.await(execute), wire.Succeeded, "")
			r.wantEffects("done", "undone")
		},
		"DuplicateWaitsForTheFirst": func(r *rig) {
			first := r.async(r.Command(wire.Execute, "Do.v1", holds))
			r.awaitEntered()
			duplicate := r.async(r.Command(wire.Execute, "Do.v1", succeed, Attempt(2)))
			close(r.release)
			r.want(r.await(first), wire.Succeeded, "")
			r.want(r.await(duplicate), wire.Succeeded, "")
			r.wantEffects("done")
		},
		"ProbeCannotTell": func(r *rig) {
			hasty := *r.Saga
			hasty.participant = r.participant(participants.Config{ProbeWait: 50 * time.Millisecond})
			execute := r.async(r.Command(wire.Execute, "Do.v1", holds))
			r.awaitEntered()
			r.want(hasty.Probe("Find.v1", succeed), wire.Unknown, wire.CodeExecuteOpen)
			close(r.release)
			r.want(r.await(execute), wire.Succeeded, "")
			r.want(hasty.Probe("Find.v1", succeed), wire.Succeeded, "")
			r.wantEffects("done")
		},
	}
}
