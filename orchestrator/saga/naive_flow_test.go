package saga_test

import (
	"encoding/json"
	"slices"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// settle does all that follows from where things stand, until nothing more does.
func (n *naive) settle() {
	if n.ended() {
		return
	}
	for n.waiting() || n.forward() || n.backward() {
		continue
	}
	n.end()
	if !n.ended() {
		n.status = n.live()
	}
}

// waiting: rule 8, what waits for the pivot.
func (n *naive) waiting() bool {
	if !n.cancelWaiting && !n.deadlineWaiting || n.pivotOut() {
		return false
	}
	if n.passed() { // "if it succeeds, `cancel.refused` is recorded"; "Once passed: [...] the deadline raises attention"
		if n.deadlineWaiting {
			n.raise(saga.AttentionDeadline, -1)
		}
		n.cancelWaiting, n.deadlineWaiting = false, false
		return true
	}
	if n.cancelWaiting { // stuck with effect none: "they abort"
		n.abort(saga.AbortCancelled)
	} else {
		n.abort(saga.AbortDeadline)
	}
	return true
}

// forward: rule 1. It reports whether anything changed.
func (n *naive) forward() bool {
	if n.aborting { // rule 6: "Abort creates no new forward command"
		return false
	}
	for i := range n.steps {
		s := &n.steps[i]
		switch {
		case s.status == saga.Pending && n.predecessorsSettled(i):
			n.start(i)
			return true
		case s.status == saga.Held && !n.held(i) && n.noRoom(i):
			s.full = true
		case s.status == saga.Held && !n.held(i):
			n.create(i, nil)
			return true
		}
	}
	return false
}

func (n *naive) predecessorsSettled(i int) bool {
	return !slices.ContainsFunc(n.steps[i].After, func(p int) bool {
		return n.steps[p].status != saga.Succeeded && n.steps[p].status != saga.Skipped
	})
}

func (n *naive) scope(output json.RawMessage) saga.Scope {
	return saga.Scope{Input: n.input, Output: nullFor(output), StepOutput: func(step string) json.RawMessage {
		return nullFor(n.steps[n.index(step)].output)
	}}
}

func nullFor(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}

// start: "`when` is evaluated then: false means `skipped`, output null. Under a hold it is `held`, else its command is created."
func (n *naive) start(i int) {
	s := &n.steps[i]
	if s.When != nil {
		v, err := s.When.Eval(n.scope(nil))
		if err != nil {
			n.stick(i, saga.AttentionExpression)
			return
		}
		if string(v) == "false" {
			n.move(i, saga.Skipped)
			return
		}
	}
	if n.held(i) {
		n.move(i, saga.Held)
		return
	}
	if n.noRoom(i) {
		n.move(i, saga.Held)
		s.full = true
		return
	}
	n.create(i, nil)
}

// noRoom: rule 10, "A step whose first command finds no room under a limit [...] is `held`", and "A limit on sagas stops those of which no
// command was created yet".
func (n *naive) noRoom(i int) bool {
	if n.steps[i].f.created {
		return false
	}
	begun := slices.ContainsFunc(n.steps, func(s naiveStep) bool { return s.f.created })
	for _, l := range n.limits {
		room := l.Room
		for _, c := range n.commands {
			of := n.steps[n.def.StepIndex(c.Step)].Participant
			if !l.Begins && c.Verb == saga.Execute && c.Attempt == 1 && (l.Participant == "" || l.Participant == of) {
				room--
			}
		}
		if (l.Participant == "" || l.Participant == n.steps[i].Participant) && (!l.Begins || !begun) && room <= 0 {
			return true
		}
	}
	return false
}

// create makes a forward command, or the next edition of it.
func (n *naive) create(i int, corrected json.RawMessage) {
	s := &n.steps[i]
	switch {
	case corrected != nil:
		s.f.payload = corrected
	case s.f.created: // "A command's value is stored when it is first created and used for every send"
	case s.Payload == nil:
		s.f.payload = n.input
	default:
		v, err := s.Payload.Eval(n.scope(nil))
		if err != nil {
			n.stick(i, saga.AttentionExpression)
			return
		}
		s.f.payload = v
	}
	n.newEdition(&s.f)
	n.send(i, saga.Execute, false)
}

func (n *naive) newEdition(leg *naiveLeg) {
	if leg.created {
		leg.edition++
	}
	leg.created, leg.attempt, leg.answer, leg.contradicted, leg.refused, leg.maybeSent = true, 0, "", false, 0, false
}

// send sends the command of a leg once more, or a probe for it.
func (n *naive) send(i int, verb saga.Verb, probe bool) {
	s := &n.steps[i]
	leg, status, timeout := &s.f, saga.InFlight, s.Timeout
	if verb == saga.Compensate {
		leg, status, timeout = &s.b, saga.Undoing, s.Compensation.Timeout
	}
	// "`possible` (from the creation of a command, and again of its next edition, until it is answered)"; so again where the
	// attempts before were refused unseen.
	if verb == saga.Execute && s.effect == saga.EffectNone {
		n.setEffect(i, saga.EffectPossible, false)
	}
	leg.attempt++
	leg.sends++
	leg.probing, leg.acked = probe, false
	if probe {
		verb = saga.Probe
		leg.probed[leg.edition] = true
	}
	leg.sentAt, leg.expires = n.now, n.now.Add(timeout)
	delete(n.attention, naiveAttention{saga.AttentionSlow, s.Name}) // READING: it is about one attempt
	n.move(i, status)
	n.sent = slices.DeleteFunc(slices.Clone(n.sent), func(x saga.Sent) bool { return x.Step == i && x.Verb == legOf(verb) }) // of the attempt before
	n.commands = append(n.commands, naiveCommand{s.Name, verb, leg.edition, leg.attempt, string(leg.payload)})
}

// settledBackwards: "*Settled backwards*: effect `none`, `undone` or `waived`, or no compensation; never while `in_flight`, and
// never `undo_failed`" (rule 6). READING: `undo_failed` is the status; and never while a compensation is out, which is what a
// retry makes of an `undo_failed` step whose execute was `rejected` since (rule 9: effect `none`).
func (n *naive) settledBackwards(i int) bool {
	s := n.steps[i]
	switch s.status {
	case saga.InFlight, saga.UndoFailed, saga.Undoing, saga.UndoBackingOff:
		return false
	default:
	}
	return s.effect == saga.EffectNone || s.effect == saga.EffectUndone || s.effect == saga.EffectWaived || s.Compensation == nil
}

// mustUndo: "A step is compensated when it has a compensation, its effect is `certain` or `possible` at that moment, and every
// *descendant* [...] is settled backwards" (rule 6); the anomalies of rule 9 are exempt from the order.
func (n *naive) mustUndo(i int) bool {
	s := n.steps[i]
	switch s.status {
	case saga.Succeeded, saga.Rejected, saga.Unknown, saga.Skipped, saga.Stuck:
	default:
		if !s.again { // READING: compensated again in order too (S12 exempts but the anomaly)
			return false
		}
	}
	if s.Compensation == nil || s.effect != saga.EffectCertain && s.effect != saga.EffectPossible {
		return false
	}
	return s.anomaly || !slices.ContainsFunc(n.def.Descendants(i), func(d int) bool { return !n.settledBackwards(d) })
}

// backward: rules 6, 7 and 9. It reports whether anything changed.
func (n *naive) backward() bool {
	if !n.aborting {
		return false
	}
	for i := range n.steps {
		if n.mustUndo(i) && !n.held(i) { // "Under a hold the step keeps its forward status"
			n.undo(i, nil)
			return true
		}
	}
	return false
}

// undo creates a compensation, or the next edition of it. READING: where a late success makes it necessary, the payload of the
// next edition is formed anew, for an output has come in between; a retry's stays as it was (given), unless it is corrected.
func (n *naive) undo(i int, given json.RawMessage) {
	s := &n.steps[i]
	s.again = false
	switch {
	case given != nil:
		s.b.payload = given
	case s.Compensation.Payload == nil:
		s.b.payload = json.RawMessage(`{"payload":` + string(nullFor(s.f.payload)) + `,"output":` + string(nullFor(s.output)) + `}`)
	default:
		v, err := s.Compensation.Payload.Eval(n.scope(s.output))
		if err != nil { // rule 7: "an expression that fails, makes the step `undo_failed` (attention)"
			n.undoFailed(i, saga.AttentionUndoFailed)
			n.raise(saga.AttentionExpression, i) // READING: both are true, so both are raised
			return
		}
		s.b.payload = v
	}
	n.newEdition(&s.b)
	s.b.sends = 0
	n.send(i, saga.Compensate, false)
}

// canMove: rule 11. READING: "held, paused [...] work counts as able to move" is about steps that are held or would be
// compensated but for the hold; a saga that is paused with nothing but a stuck step is suspended.
func (n *naive) canMove() bool {
	for i := range n.steps {
		switch n.steps[i].status {
		case saga.InFlight, saga.BackingOff, saga.Undoing, saga.UndoBackingOff:
			return true
		case saga.Held:
			if !n.aborting {
				return true
			}
		default:
		}
		if n.aborting && n.mustUndo(i) {
			return true
		}
	}
	return false
}

// live is the status of a saga that has not ended: rule 11.
func (n *naive) live() saga.Status {
	needsPerson := slices.ContainsFunc(n.steps, func(s naiveStep) bool {
		return s.status == saga.UndoFailed || s.status == saga.Stuck
	})
	switch {
	case needsPerson && !n.canMove():
		return saga.Suspended
	case n.aborting:
		return saga.Compensating
	default:
		return saga.Running
	}
}

// end: rule 14.
func (n *naive) end() {
	switch {
	case n.aborting:
		for i := range n.steps {
			if !n.settledBackwards(i) {
				return
			}
		}
		n.close(saga.Compensated)
	case !slices.ContainsFunc(n.steps, func(s naiveStep) bool { return s.status != saga.Succeeded && s.status != saga.Skipped }):
		if n.def.Output != nil {
			v, err := n.def.Output.Eval(n.scope(nil))
			if err != nil { // clarification (l)
				n.raise(saga.AttentionExpression, -1)
				v = nil
			}
			n.output = v
		}
		n.close(saga.Completed)
	}
}

// close ends the saga. READING: what asked for a person while the saga was moving is no longer so once it has ended; what an
// operator acknowledges stays, and so does an output that could not be formed.
func (n *naive) close(s saga.Status) {
	n.status = s
	n.paused, n.cancelWaiting = false, false
	for a := range n.attention {
		if !lasting(a.reason) && a != (naiveAttention{saga.AttentionExpression, ""}) {
			delete(n.attention, a)
		}
	}
	n.judge()
}

// judge: rule 14's verdicts.
func (n *naive) judge() {
	n.verdict = saga.Committed
	if n.status == saga.Completed {
		return
	}
	n.verdict = saga.CleanlyAborted
	if len(n.residue()) > 0 {
		n.verdict = saga.Residue
	}
}

func (n *naive) residue() []string {
	var left []string
	for _, s := range n.steps {
		if s.effect != saga.EffectNone && s.effect != saga.EffectUndone {
			left = append(left, s.Name+"="+string(s.effect))
		}
	}
	return left
}

func (n *naive) amend() {
	n.amended = true
	n.judge()
}
