package saga_test

import (
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// reply: rules 2, 3, 4, 5, 7, 9 and 13.
func (n *naive) reply(r saga.Replied) naiveAnswer {
	i := n.index(r.Step)
	if i < 0 {
		return naiveNotAsked
	}
	s := &n.steps[i]
	leg := &s.f
	if r.Verb == saga.Compensate {
		leg = &s.b
	}
	// "a reply to a step, verb or edition that never was created" is not asked for.
	if !leg.created || r.Edition < 0 || r.Edition > leg.edition || (r.Verb == saga.Probe && !leg.probed[r.Edition]) {
		return naiveNotAsked
	}
	outcome, probeNext := r.Outcome, false
	if outcome == saga.ReplyUnknown && r.Verb == saga.Probe {
		// rule 13: "it counts as a send and repeats on the back-off [...]; `unknown` is no answer"
		outcome, probeNext = saga.ReplyFailed, true
	}
	if outcome == saga.ReplyUnknown { // rule 2: "The outcome `unknown` to `execute` or `compensate` is treated as `failed`"
		outcome = saga.ReplyFailed
	}
	if outcome == saga.ReplyFailed || outcome == saga.ReplyInProgress {
		n.unsettled(i, r, outcome, probeNext)
		return naiveTaken
	}
	r.Outcome = outcome
	switch {
	case r.Edition < leg.edition:
		n.older(i, r)
	case r.Verb == saga.Compensate:
		n.compensateAnswered(i, r)
	default:
		n.executeAnswered(i, r)
	}
	return naiveTaken
}

// unsettled: "`failed` and `inprogress` settle nothing and act only on the current attempt of an `in_flight` or `undoing` step,
// else they are *stale*" (rule 2).
func (n *naive) unsettled(i int, r saga.Replied, outcome saga.ReplyOutcome, probeNext bool) {
	s := &n.steps[i]
	leg, status := &s.f, saga.InFlight
	if r.Verb == saga.Compensate {
		leg, status = &s.b, saga.Undoing
	}
	if n.ended() || s.status != status || r.Edition != leg.edition || r.Attempt != leg.attempt {
		return
	}
	if outcome == saga.ReplyInProgress {
		n.heartbeat(i, r.Verb)
		return
	}
	if r.Verb == saga.Compensate {
		n.backOff(i, saga.Compensate, r.RetryAfter)
		return
	}
	if n.aborting { // rule 6: "`failed` ends it, [...] then it is `unknown`"
		n.move(i, saga.Unknown)
		return
	}
	s.f.probing = probeNext // rule 13: "`failed` makes the next send the command again"
	if s.f.sends >= s.Retry.MaxAttempts && s.Kind == saga.Compensatable && !n.spared(i) {
		n.exhausted(i)
		return
	}
	n.backOff(i, saga.Execute, r.RetryAfter)
}

// heartbeat: "**inprogress**: restarts the attempt's timeout [...]; after 10 timeouts' worth of it, attention `slow`" (rule 3);
// while aborting "`inprogress` does not extend it" (rule 6).
func (n *naive) heartbeat(i int, verb saga.Verb) {
	s := &n.steps[i]
	leg, timeout := &s.f, s.Timeout
	if verb == saga.Compensate {
		leg, timeout = &s.b, s.Compensation.Timeout
	}
	if verb != saga.Compensate && n.aborting {
		return
	}
	leg.expires = n.now.Add(timeout)
	if n.now.Sub(leg.sentAt) > 10*timeout {
		n.raise(saga.AttentionSlow, i)
	}
}

// backOff: rules 3, 4 and 7.
func (n *naive) backOff(i int, verb saga.Verb, retryAfter time.Duration) {
	s := &n.steps[i]
	leg, retry, to := &s.f, s.Retry, saga.BackingOff
	if verb == saga.Compensate {
		leg, retry, to = &s.b, s.Compensation.Retry, saga.UndoBackingOff
	}
	n.move(i, to)
	delete(n.attention, naiveAttention{saga.AttentionSlow, s.Name})
	leg.retry = n.now.Add(naiveDelay(retry, leg.sends, n.jitter, retryAfter))
	spared := verb == saga.Execute && s.Kind == saga.Compensatable // rule 10; no other comes here without a budget
	if leg.sends >= retry.MaxAttempts && !spared {                 // "attention is raised and sending goes on at capped back-off"
		n.raise(saga.AttentionExhausted, i)
	}
}

// naiveDelay: "the back-off before send n+1 is initial*multiplier^(n-1) capped at max, times (1 + jitter*(2*drawn-1)); a
// participant's retryafter replaces it when longer, capped at max(retry.max, 1h)".
func naiveDelay(r saga.Retry, n int, drawn float64, retryAfter time.Duration) time.Duration {
	d := float64(r.Initial)
	for k := 1; k < n; k++ {
		d *= r.Multiplier
		if d > float64(r.Max) {
			break
		}
	}
	d = min(d, float64(r.Max))
	d *= 1 + r.Jitter*(2*drawn-1)
	return max(time.Duration(d), min(retryAfter, max(r.Max, time.Hour)))
}

// exhausted: "Compensatable: `unknown`, always [...], and abort begins" (rule 4).
func (n *naive) exhausted(i int) {
	n.move(i, saga.Unknown)
	n.abort(saga.AbortStepUnknown)
}

// older: "Replies of an older edition are recorded; a `succeeded` among them raises `reply.conflict`, and for an execute makes
// the effect `certain`" (rule 2).
func (n *naive) older(i int, r saga.Replied) {
	if r.Outcome != saga.ReplySucceeded {
		return
	}
	n.raise(saga.AttentionConflict, i)
	if r.Verb != saga.Compensate {
		n.certainLate(i, r)
	}
}

// certainLate lifts an effect by rule 9's measure. READING: rule 2's "makes the effect `certain`" is limited, as rule 9 limits
// any execute's answer, by a compensation that undid it, failed, or was waived.
func (n *naive) certainLate(i int, r saga.Replied) {
	s := &n.steps[i]
	undoneByNothing := s.effect == saga.EffectUndone && s.undoneByNothing
	if s.EffectNone || s.effect != saga.EffectNone && s.effect != saga.EffectPossible && !undoneByNothing {
		return
	}
	n.setEffect(i, saga.EffectCertain, false)
	if r.Edition == s.f.edition {
		n.keepOutput(i, r)
	}
	switch {
	case n.ended():
		n.raise(saga.AttentionLateEffect, i)
		n.amend()
	case undoneByNothing:
		n.raise(saga.AttentionBarrier, i)
		s.again = true
	}
}
