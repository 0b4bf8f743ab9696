//go:build !race

// Hundreds of worlds: the race detector would find nothing in them that it does not find in one.

package sim

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// TestWorlds_ReachEverything: what the oracle promises to watch does happen. A kind of fact, attention or action that no world
// reaches would be checked by nobody.
func TestWorlds_ReachEverything(t *testing.T) {
	t.Parallel()
	facts, attention, actions, answers := map[saga.FactType]int{}, map[saga.AttentionReason]int{}, map[saga.Action]int{}, map[string]int{}
	mended := map[orchestrator.QuarantineOutcome]int{}
	missing := func() (none []string) {
		reached := func(n int, text string, args ...any) {
			if n == 0 {
				none = append(none, fmt.Sprintf(text, args...))
			}
		}
		for _, outcome := range []orchestrator.QuarantineOutcome{
			orchestrator.QuarantineApplied, orchestrator.QuarantineIgnored, orchestrator.QuarantineAgain, orchestrator.QuarantineDropped,
		} {
			reached(mended[outcome], "no record in quarantine is ever %s", outcome)
		}
		for _, a := range append(saga.Actions(), saga.ActionRebind) {
			reached(actions[a], "no operator's %s is ever accepted", a)
		}
		for _, f := range []saga.FactType{
			saga.SagaStarted, saga.SagaPaused, saga.SagaResumed, saga.SagaRebound, saga.SagaSuspended, saga.SagaUnsuspended, saga.SagaCompleted, saga.SagaCompensated,
			saga.SagaAbandoned, saga.AbortStarted, saga.CancelRequested, saga.CancelRefused, saga.DeadlinePassed, saga.TimersShifted,
			saga.AttentionRaised, saga.AttentionCleared, saga.CertificateAmended, saga.StepHeld, saga.StepStarted, saga.StepSent,
			saga.StepBackedOff, saga.StepSucceeded, saga.StepRejected, saga.StepUnknown, saga.StepSkipped, saga.StepStuck, saga.UndoStarted,
			saga.UndoSent, saga.UndoBackedOff, saga.UndoSucceeded, saga.UndoRefused, saga.StepWaived, saga.EffectChanged, saga.ReplyConflict,
			saga.ReplyRecorded, saga.ReplyIgnored, saga.PublishFailed,
		} {
			reached(facts[f], "no saga ever has %s", f)
		}
		for _, a := range []saga.AttentionReason{
			saga.AttentionExhausted, saga.AttentionDeadline, saga.AttentionBadOutput, saga.AttentionExpression, saga.AttentionRejected,
			saga.AttentionUnpublishable, saga.AttentionUndoFailed, saga.AttentionLateEffect, saga.AttentionConflict, saga.AttentionBarrier,
			saga.AttentionHeld,
		} {
			reached(attention[a], "attention %s is never raised", a)
		}
		for _, verb := range []wire.Verb{wire.Execute, wire.Compensate, wire.Probe} {
			for _, outcome := range []wire.Outcome{wire.Succeeded, wire.Rejected, wire.Failed, wire.InProgress, wire.Unknown} {
				reached(answers[string(verb)+" "+string(outcome)], "no %s is ever answered %s", verb, outcome)
			}
		}
		return none
	}
	for seed := uint64(0); seed < 4000 && (seed == 0 || seed%100 != 0 || len(missing()) > 0); seed++ {
		w := newWorld(Options{Seed: 70_000 + seed, Log: slog.New(slog.DiscardHandler)})
		w.run()
		require.Nil(t, w.failed, "seed %d", 70_000+seed)
		for _, track := range w.oracle.ordered {
			for _, f := range track.facts {
				facts[f.Type]++
				if f.Type == saga.AttentionRaised {
					attention[f.Reason]++
				}
			}
		}
		for id := int64(1); ; id++ {
			e, ok := w.quarantined(id)
			if !ok {
				break
			}
			mended[e.Handling.Outcome]++
		}
		for _, d := range w.oracle.deeds {
			if d.accepted {
				actions[d.Act.Action]++
			}
		}
		for _, s := range w.actors.said {
			answers[string(s.verb)+" "+string(s.outcome)]++
		}
	}
	require.Empty(t, missing())
}
