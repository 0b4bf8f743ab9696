package explore

import "github.com/skaldhq/skald/orchestrator/saga"

// timers tries each timer alone, and all of them at once.
func (x *explorer) timers(s *state) {
	in := &x.instances[s.instance]
	if in.terminal {
		return
	}
	h := x.happens(s, woken)
	n := *s
	x.happen(&n, h, move{kind: movePoke, free: true})
	if (in.paused || s.held) && !in.oldHold {
		h.due = dueHold
		n := *s
		x.happen(&n, h, move{kind: moveTimer, free: true})
	}
	if in.paused || s.held && x.world.HoldOf == "" {
		return
	}
	all, price, count := uint8(0), uint8(0), 0
	fire := func(due uint8, cost uint8) {
		if cost > s.left[timeout] {
			return
		}
		h.due = due
		n := *s
		n.left[timeout] -= cost
		x.happen(&n, h, move{kind: moveTimer, free: cost == 0})
		all |= due
		price += cost
		count++
	}
	for i := range x.codec.def.Steps {
		if !in.steps[i].timer || s.held && x.codec.def.Steps[i].Participant == x.world.HoldOf {
			continue
		}
		fire(1<<i, x.price(s, in, i))
		if x.queued(s, i) {
			h.due = 1<<i | dueQueued
			n := *s
			x.happen(&n, h, move{kind: moveTimer}) // its timeout starts again: the same state
		}
	}
	if in.deadline {
		fire(dueDeadline, 0)
	}
	if count > 1 && price <= s.left[timeout] {
		h.due = all
		n := *s
		n.left[timeout] -= price
		x.happen(&n, h, move{kind: moveTimer, free: price == 0})
	}
}

// price is what a timer takes from the budget: a timeout is a fault while its command or answer is on its way. The grace of an
// abort ends in any case, and so does a back-off.
func (x *explorer) price(s *state, in *instance, i int) uint8 {
	v := &in.steps[i]
	var leg uint8
	switch v.status {
	case saga.InFlight:
		if in.aborting {
			return 0
		}
	case saga.Undoing:
		leg = 1
	default:
		return 0
	}
	for k := range s.n {
		if m := &s.messages[k]; int(m.step) == i && m.leg() == leg {
			return 1
		}
	}
	return 0
}

// queued reports whether the newest attempt of step i has not reached its participant.
func (x *explorer) queued(s *state, i int) bool {
	v := &x.instances[s.instance].steps[i]
	for k := range s.n {
		m := &s.messages[k]
		if leg := m.leg(); int(m.step) == i && m.outcome == 0 && m.place == inFlight && m.edition == v.edition[leg] && m.attempt == v.attempt[leg] {
			return true
		}
	}
	return false
}

const noStep = maxSteps

// operators tries every action about every step. To resume costs nothing: a pause that nobody ends is no end.
func (x *explorer) operators(s *state) {
	in := &x.instances[s.instance]
	if s.left[operator] == 0 && !in.paused {
		return
	}
	for k, action := range saga.Actions() {
		free := action == saga.ActionResume
		if !free && s.left[operator] == 0 {
			continue
		}
		h := x.happens(s, acted)
		h.verb = uint8(k)
		try := func(step, value uint8) {
			h.step, h.value = step, value
			n := *s
			if !free {
				n.left[operator]--
			}
			x.happen(&n, h, move{kind: moveAct, free: free})
		}
		if !action.NeedsStep() {
			try(noStep, 0)
			continue
		}
		for i := range x.codec.def.Steps {
			value := uint8(0)
			if action == saga.ActionComplete {
				value = withOutput
			}
			try(uint8(i), value)
			if action == saga.ActionRetry {
				try(uint8(i), withPayload)
			}
		}
	}
}

func (x *explorer) holds(s *state) {
	n := *s
	switch {
	case s.held:
		n.held = false
		x.emit(&n, move{kind: moveRelease, free: true})
	case s.left[hold] > 0 && !x.instances[s.instance].terminal:
		n.held = true
		n.left[hold]--
		x.emit(&n, move{kind: moveHold})
	}
}

// lies has a participant say anything about any command that it ever got.
func (x *explorer) lies(s *state) {
	in := &x.instances[s.instance]
	for i := range x.codec.def.Steps {
		for leg, verb := range []uint8{execute, compensate} {
			if !in.steps[i].created[leg] {
				continue
			}
			for edition := range in.steps[i].edition[leg] + 1 {
				x.lie(s, uint8(i), verb, edition, in.steps[i].attempt[leg])
			}
		}
	}
}

func (x *explorer) lie(s *state, step, verb, edition, attempt uint8) {
	for _, said := range [...]struct {
		outcome saga.ReplyOutcome
		code    string
	}{
		{saga.ReplySucceeded, ""}, {saga.ReplySucceeded, saga.CodeNothingToUndo}, {saga.ReplyRejected, "no"}, {saga.ReplyRejected, saga.CodeNotFound},
	} {
		if said.code == saga.CodeNothingToUndo && verb != compensate || said.code == saga.CodeNotFound && verb == compensate {
			continue
		}
		h := x.happens(s, replied)
		h.step, h.verb, h.edition, h.attempt = step, verb, edition, attempt
		h.outcome, h.code = index(x.codec.outcomes, said.outcome), x.codec.codes.number(said.code)
		if said.outcome == saga.ReplySucceeded && verb == execute {
			h.value = x.codec.values.number(goodOutput)
		}
		n := *s
		n.left[lie]--
		n.doubt |= 1 << step
		x.happen(&n, h, move{kind: moveLie})
	}
}
