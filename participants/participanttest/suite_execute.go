package participanttest

import (
	"encoding/json"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants/wire"
)

func executeCases() map[string]func(*rig) {
	return map[string]func(*rig){
		"TakesEffectOnceAndAnswersDuplicatesAlike": func(r *rig) {
			first := r.Execute("Do.v1", succeed)
			r.want(first, wire.Succeeded, "")
			again := r.Execute("Do.v1", succeed, Attempt(2))
			r.want(again, wire.Succeeded, "")
			require.JSONEq(r.t, string(first.Value), string(again.Value))
			require.NotEqual(r.t, first.ID, again.ID, "each reply has an id of its own")
			r.wantEffects("done")
		},
		"OutputBytesAreKept": func(r *rig) {
			first := r.Execute("Do.v1", succeed)
			require.Equal(r.t, string(first.Value), string(r.Execute("Do.v1", succeed).Value))
			require.True(r.t, json.Valid(first.Value))
		},
		"RejectionIsStoredWithoutEffect": func(r *rig) {
			r.want(r.Execute("Do.v1", reject), wire.Rejected, "no")
			duplicate := r.Execute("Do.v1", succeed)
			r.want(duplicate, wire.Rejected, "no")
			require.Equal(r.t, "not today", duplicate.Message)
			r.wantEffects()
		},
		"RejectionAfterAFailedStatement": func(r *rig) {
			if r.world.Break == nil {
				return
			}
			r.want(r.Execute("Do.v1", breaks), wire.Rejected, "duplicate")
			r.want(r.Execute("Do.v1", succeed), wire.Rejected, "duplicate")
			r.wantEffects()
		},
		"FailureIsNotStored": func(r *rig) {
			reply := r.Execute("Do.v1", fail)
			r.want(reply, wire.Failed, "flaky")
			require.EqualValues(r.t, 1000, reply.RetryAfter.Milliseconds())
			r.want(r.Execute("Do.v1", errs), wire.Failed, wire.CodeError)
			r.want(r.Execute("Do.v1", panics), wire.Failed, wire.CodePanic)
			r.wantEffects()
			r.want(r.Execute("Do.v1", succeed, Attempt(4)), wire.Succeeded, "")
			r.wantEffects("done")
		},
		"KilledBeforeCommit": func(r *rig) {
			r.barrier.killBeforeCommit()
			r.want(r.Execute("Do.v1", succeed), wire.Failed, wire.CodeBarrierUnavailable)
			r.wantEffects()
			r.want(r.Execute("Do.v1", succeed), wire.Succeeded, "")
			r.wantEffects("done")
		},
		"KilledBetweenCommitAndReply": func(r *rig) {
			r.barrier.killAfterCommit()
			r.want(r.Execute("Do.v1", succeed), wire.Failed, wire.CodeBarrierUnavailable)
			r.wantEffects("done")
			r.want(r.Execute("Do.v1", succeed), wire.Succeeded, "")
			r.wantEffects("done")
		},
		"AfterCompensationHasNoEffect": func(r *rig) {
			r.want(r.Compensate("Undo.v1", succeed), wire.Succeeded, wire.CodeNothingToUndo)
			r.want(r.Execute("Do.v1", succeed), wire.Rejected, wire.CodeAlreadyCompensated)
			r.want(r.Execute("Do.v1", succeed, Edition(1)), wire.Rejected, wire.CodeAlreadyCompensated)
			r.wantEffects()
		},
		"HigherEditionTakesOverRejected": func(r *rig) {
			r.want(r.Execute("Do.v1", reject), wire.Rejected, "no")
			r.want(r.Execute("Do.v1", succeed, Edition(1)), wire.Succeeded, "")
			r.wantEffects("done")
			r.want(r.Execute("Do.v1", succeed, Edition(1)), wire.Succeeded, "")
			r.wantEffects("done")
		},
		"HigherEditionTakesOverAProbesTombstone": func(r *rig) {
			r.want(r.Probe("Find.v1", succeed), wire.Rejected, wire.CodeNotFound)
			r.want(r.Execute("Do.v1", succeed, Edition(1)), wire.Succeeded, "")
			r.wantEffects("done")
		},
		"HigherEditionThatFailsLeavesTheOld": func(r *rig) {
			r.want(r.Execute("Do.v1", reject), wire.Rejected, "no")
			r.want(r.Execute("Do.v1", fail, Edition(1)), wire.Failed, "flaky")
			r.want(r.Execute("Do.v1", succeed), wire.Rejected, "no")
			r.wantEffects()
		},
		"LowerEditionIsSuperseded": func(r *rig) {
			r.want(r.Execute("Do.v1", reject, Edition(2)), wire.Rejected, "no")
			r.want(r.Execute("Do.v1", succeed, Edition(1)), wire.Rejected, wire.CodeSuperseded)
			r.want(r.Execute("Do.v1", succeed, Edition(3)), wire.Succeeded, "")
			r.want(r.Execute("Do.v1", succeed, Edition(2)), wire.Rejected, wire.CodeSuperseded)
			r.wantEffects("done")
		},
		"HigherEditionOverSucceededGetsItsReply": func(r *rig) {
			first := r.Execute("Do.v1", succeed)
			higher := r.Execute("Do.v1", succeed, Edition(1))
			r.want(higher, wire.Succeeded, "")
			require.JSONEq(r.t, string(first.Value), string(higher.Value))
			r.wantEffects("done")
		},
		"StepsAndSagasDoNotMeet": func(r *rig) {
			r.Execute("Do.v1", succeed)
			r.At("other").Execute("Do.v1", succeed)
			New(r.t, r.Saga.participant).Execute("Do.v1", succeed)
			r.wantEffects("done", "done", "done")
		},
		"ConcurrentDuplicatesTakeEffectOnce": func(r *rig) {
			var replies []<-chan wire.Reply
			for attempt := range 6 {
				replies = append(replies, r.async(r.Command(wire.Execute, "Do.v1", succeed, Attempt(attempt+1))))
			}
			for _, c := range replies {
				r.want(r.await(c), wire.Succeeded, "")
			}
			r.wantEffects("done")
		},
		"ConcurrentRejectionAndDuplicatesAgree": func(r *rig) {
			var replies []<-chan wire.Reply
			for attempt := range 6 {
				replies = append(replies, r.async(r.Command(wire.Execute, "Do.v1", reject, Attempt(attempt+1))))
			}
			for _, c := range replies {
				r.want(r.await(c), wire.Rejected, "no")
			}
			r.wantEffects()
		},
	}
}
