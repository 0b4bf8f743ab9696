package saga_test

import (
	"encoding/json"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// The naive model is a second reading of the rules of the state machine: slow, without facts, without folding, one sentence of
// the rules after the other. It is written from the text alone. Where Decide and the model differ, the text says who is wrong.
//
// Readings of sentences that can be read in more than one way stand beside the code that takes them, after the word READING.

// naive is a running saga, as the model sees it.
type naive struct {
	def   *saga.Definition
	input json.RawMessage
	steps []naiveStep

	status   saga.Status
	aborting bool
	reason   saga.AbortReason
	paused   bool
	clock    time.Time // of the event before this one
	now      time.Time // of this event
	jitter   float64   // of this event
	holds    []saga.Hold
	limits   []saga.Limit
	sent     []saga.Sent

	deadline        time.Time // zero: none
	deadlineDone    bool      // it passed
	deadlineWaiting bool      // it passed while the pivot's command was out
	cancelWaiting   bool

	attention map[naiveAttention]bool
	verdict   saga.Verdict
	amended   bool
	output    json.RawMessage

	commands []naiveCommand // of this event
}

type naiveAttention struct {
	reason saga.AttentionReason
	step   string
}

// naiveStep is one step of the model.
type naiveStep struct {
	saga.Step
	status saga.StepStatus
	effect saga.Effect
	f, b   naiveLeg
	output json.RawMessage
	why    saga.AttentionReason // of stuck
	full   bool                 // held for a limit

	byOperator      bool      // the effect was set by a person
	disputed        bool      // and the participant said otherwise
	anomaly         bool      // succeeded after it had been rejected
	again           bool      // compensate again under the next edition
	undoneByNothing bool      // the compensation answered nothing_to_undo
	grace           time.Time // in flight while aborting: unknown at the latest
}

// naiveLeg is a command of the model.
type naiveLeg struct {
	created        bool
	payload        json.RawMessage
	edition        int
	attempt        int
	sends          int
	refused        int
	maybeSent      bool
	probing        bool
	acked          bool         // the newest attempt is known to be published
	probed         map[int]bool // by edition
	sentAt         time.Time
	expires, retry time.Time
	answer         saga.ReplyOutcome
	contradicted   bool
}

type naiveCommand struct {
	Step    string
	Verb    saga.Verb
	Edition int
	Attempt int
	Payload string
}

// naiveAnswer says what the model did with an event.
type naiveAnswer int

const (
	naiveTaken naiveAnswer = iota
	naiveRefused
	naiveNotAsked
)

func newNaive(def *saga.Definition) *naive {
	n := &naive{def: def, attention: map[naiveAttention]bool{}}
	for _, s := range def.Steps {
		n.steps = append(n.steps, naiveStep{
			Step: s, status: saga.Pending, effect: saga.EffectNone,
			f: naiveLeg{probed: map[int]bool{}}, b: naiveLeg{probed: map[int]bool{}},
		})
	}
	return n
}

// step takes one event. A refused event changes nothing but the clock.
func (n *naive) step(ev saga.Event) naiveAnswer {
	n.commands = nil
	n.now, n.jitter, n.holds, n.limits, n.sent = ev.At, ev.Jitter, ev.Holds, ev.Limits, ev.Sent
	answer := naiveTaken
	switch body := ev.Body.(type) {
	case saga.Started:
		n.clock = ev.At
		n.input, n.status = body.Input, saga.Running
		if n.def.Deadline > 0 {
			n.deadline = ev.At.Add(n.def.Deadline)
		}
	case saga.Replied:
		n.shift()
		answer = n.reply(body)
	case saga.Woken:
		n.shift()
		n.wake()
	case saga.Acted:
		n.shift()
		if !n.act(body) {
			answer = naiveRefused
		}
	case saga.PublishRefused:
		n.shift()
		n.publishRefused(body)
	}
	n.settle()
	return answer
}

func (n *naive) ended() bool { return n.status.Terminal() }

func (n *naive) index(step string) int {
	for i := range n.steps {
		if n.steps[i].Name == step {
			return i
		}
	}
	return -1
}

func (n *naive) raise(reason saga.AttentionReason, i int) {
	if n.ended() && !lasting(reason) {
		return
	}
	if i < 0 {
		n.attention[naiveAttention{reason, ""}] = true
		return
	}
	n.attention[naiveAttention{reason, n.steps[i].Name}] = true
}

// lasting: "**acknowledge**: clears attention `late_effect`, `reply.conflict`, `barrier`" (rule 12): these stay until then.
func lasting(r saga.AttentionReason) bool {
	return r == saga.AttentionLateEffect || r == saga.AttentionConflict || r == saga.AttentionBarrier
}

// clearStep: "reasons about a step clear when it moves" (rule 12).
func (n *naive) clearStep(i int) {
	for _, r := range []saga.AttentionReason{
		saga.AttentionExhausted, saga.AttentionSlow, saga.AttentionBadOutput,
		saga.AttentionExpression, saga.AttentionRejected, saga.AttentionUnpublishable, saga.AttentionUndoFailed,
	} {
		delete(n.attention, naiveAttention{r, n.steps[i].Name})
	}
}

// move gives a step another status. READING of "reasons about a step clear when it moves": being sent once more, or waiting
// to be, is no move; else `exhausted` would come and go with every attempt, and it is to be raised once.
func (n *naive) move(i int, to saga.StepStatus) {
	s := &n.steps[i]
	sending := map[saga.StepStatus]int{saga.InFlight: 1, saga.BackingOff: 1, saga.Undoing: 2, saga.UndoBackingOff: 2}
	if sending[s.status] == 0 || sending[s.status] != sending[to] {
		n.clearStep(i)
	}
	s.status, s.why, s.full = to, "", false
}

func (n *naive) stick(i int, why saga.AttentionReason) {
	n.move(i, saga.Stuck)
	n.steps[i].why = why
	n.raise(why, i)
}

// undoFailed: READING: the effect is `undo_failed` whenever the status becomes so.
func (n *naive) undoFailed(i int, why saga.AttentionReason) {
	n.move(i, saga.UndoFailed)
	n.setEffect(i, saga.EffectUndoFailed, false)
	n.raise(why, i)
}

// setEffect: "A step that declares `effect: none` has certainty `none` whatever is answered" (rule 14).
func (n *naive) setEffect(i int, e saga.Effect, byOperator bool) {
	s := &n.steps[i]
	s.byOperator = byOperator
	if s.EffectNone {
		return
	}
	s.effect = e
}

// rejectedLowers: "`rejected` lowers only `possible` to `none`".
func (n *naive) rejectedLowers(i int) {
	if n.steps[i].effect == saga.EffectPossible {
		n.setEffect(i, saga.EffectNone, false)
	}
}

// passed: "The pivot is *passed* once it is `succeeded` or `skipped`, or has answered with a bad output" (rule 1).
func (n *naive) passed() bool {
	p := n.def.PivotIndex()
	if p < 0 {
		return false
	}
	s := n.steps[p]
	return s.status == saga.Succeeded || s.status == saga.Skipped || (s.status == saga.Stuck && s.why == saga.AttentionBadOutput)
}

// pivotOut: "Until the pivot is passed or its command created, and while it is `stuck` with effect `none`, they abort. [...]
// While its command is out they wait" (rule 8).
func (n *naive) pivotOut() bool {
	p := n.def.PivotIndex()
	if p < 0 || n.passed() {
		return false
	}
	s := n.steps[p]
	return s.f.created && (s.status != saga.Stuck || s.effect != saga.EffectNone)
}

// abort: rule 6.
func (n *naive) abort(reason saga.AbortReason) {
	if n.aborting {
		return
	}
	n.aborting, n.reason = true, reason
	n.cancelWaiting, n.deadlineWaiting = false, false
	for i := range n.steps {
		switch n.steps[i].status {
		case saga.BackingOff: // "`backing_off` becomes `unknown` at once"
			n.move(i, saga.Unknown)
		case saga.InFlight: // "an in-flight step has the rest of its attempt, at most 10 s, to settle"
			n.steps[i].grace = n.now.Add(10 * time.Second)
		default: // "`pending` and `held` steps stay effectless"; of the others nothing is said
		}
	}
}
