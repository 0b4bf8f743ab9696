package explore

import "github.com/skaldhq/skald/orchestrator/saga"

// moveKind says what kind of thing happens next.
type moveKind uint8

const (
	moveStart       moveKind = iota // the saga starts
	moveDeliver                     // a participant answers a command
	moveDeliverLost                 // it acts, and dies before its answer leaves
	moveOpen                        // it opens its transaction and keeps it
	moveRollBack                    // and dies with it open
	moveReply                       // the engine judges a reply
	moveTimer                       // a timer
	movePoke                        // the engine looks, and nothing is due
	moveAct                         // an operator
	moveAgain                       // a message is duplicated
	moveBeat                        // a heartbeat
	moveLie                         // a participant says what is not so
	movePublish                     // another replica publishes what was left in the outbox
	moveRefused                     // the broker's refusal reaches the engine
	moveHold                        // a hold begins
	moveRelease                     // and ends
)

// after is what becomes of the commands of a decision.
type after uint8

const (
	published     after = iota
	leftBehind          // the engine dies between commit and publish
	unpublishable       // the broker refuses the first for good
	maybeLost           // the same, after a try of unknown outcome that was not appended
	maybeSent           // or that was
)

// move is one thing that can happen in a state.
type move struct {
	kind    moveKind
	free    bool // no fault and no person: it will happen by itself
	message message
	choice  choice
	event   happening
	after   after
}

// expand tries every move from s.
func (x *explorer) expand(s *state) {
	if s.instance == 0 {
		n := *s
		x.happen(&n, happening{kind: started}, move{kind: moveStart, free: true})
		return
	}
	var last message
	for i := range s.n {
		m := s.messages[i]
		if i > 0 && m == last {
			continue // a multiset: the same message again
		}
		last = m
		switch {
		case m.outcome != 0:
			x.reply(s, i, m)
		case m.place == inFlight || m.place == opened:
			x.command(s, i, m)
		case m.place == inOutbox:
			n := *s
			n.messages[i].place = inFlight
			x.emit(&n, move{kind: movePublish, free: true, message: m})
		default:
			h := x.happens(s, publishRefused)
			h.step, h.verb, h.edition, h.attempt = m.step, m.verb, m.edition, m.attempt
			if m.verb == probe {
				h.verb = execute
			}
			if m.place == refusedMaybe {
				h.value = 1
			}
			n := *s
			n.remove(i)
			x.happen(&n, h, move{kind: moveRefused, free: true, message: m})
		}
		if s.left[duplicate] > 0 && m.place == inFlight {
			n := *s
			n.left[duplicate]--
			n.add(m)
			x.emit(&n, move{kind: moveAgain, message: m})
		}
	}
	x.timers(s)
	x.operators(s)
	x.holds(s)
	if s.left[lie] > 0 {
		x.lies(s)
	}
}

func (x *explorer) happens(s *state, kind uint8) happening {
	return happening{instance: s.instance, kind: kind, held: s.held, unpublished: x.unpublished(s)}
}

// happen has the engine judge an event, and publishes what it decides, or not.
func (x *explorer) happen(n *state, h happening, m move) {
	v := x.decide(h)
	m.event = h
	if v.refused != "" {
		if h.kind == replied && m.kind == moveReply {
			x.violated("S9: an honest reply is refused: " + v.refused)
		}
		return
	}
	if v.next == h.instance && len(v.commands) == 0 {
		if m.kind == moveReply || m.kind == moveRefused {
			x.emit(n, m)
		}
		return
	}
	n.instance = v.next
	for _, c := range v.commands {
		for i := range n.n {
			if o := &n.messages[i]; o.step == c.step && o.leg() == c.leg() {
				o.attempt = 1
			}
		}
	}
	was := *n
	for _, c := range v.commands {
		n.add(c)
	}
	x.emit(n, m)
	if len(v.commands) == 0 {
		return
	}
	m.free = false
	if was.left[crash] > 0 {
		l := was
		l.left[crash]--
		for _, c := range v.commands {
			c.place = inOutbox
			l.add(c)
		}
		m.after = leftBehind
		x.emit(&l, m)
	}
	if was.left[refuse] > 0 {
		x.refuse(was, v.commands, m)
	}
}

// refuse has the broker refuse the first command, in each of the ways that it may come about.
func (x *explorer) refuse(was state, commands []message, m move) {
	was.left[refuse]--
	for _, how := range []after{unpublishable, maybeLost, maybeSent} {
		l := was
		first := commands[0]
		first.place = refused
		if how != unpublishable {
			first.place = refusedMaybe
		}
		l.add(first)
		if how == maybeSent {
			l.add(commands[0])
		}
		for _, c := range commands[1:] {
			l.add(c)
		}
		m.after = how
		x.emit(&l, m)
	}
}

func (x *explorer) reply(s *state, i uint8, r message) {
	h := x.happens(s, replied)
	h.step, h.verb, h.edition, h.attempt, h.outcome, h.code, h.value = r.step, r.verb, r.edition, r.attempt, r.outcome, r.code, r.value
	n := *s
	n.remove(i)
	x.happen(&n, h, move{kind: moveReply, free: true, message: r})
	if x.codec.outcomes[r.outcome] == saga.ReplyInProgress && r.attempt == x.instances[s.instance].steps[r.step].attempt[r.leg()] {
		h.due = dueSlow
		n := *s
		n.remove(i)
		x.happen(&n, h, move{kind: moveReply, free: true, message: r})
	}
}

// command tries what a participant may do with a command that reached it.
func (x *explorer) command(s *state, i uint8, c message) {
	q := question{
		rows: s.rows[c.step], done: s.done[c.step], undone: s.undone[c.step], void: s.void[c.step],
		step: c.step, verb: c.verb, edition: c.edition,
	}
	outside := x.world.External != ""
	if !outside && c.place != opened {
		q.taken = taken(s, c.step)
	}
	q.opened = outside && c.place == opened
	for _, q.choice = range [...]choice{succeeds, succeedsBad, rejects, fails, dies} {
		if !x.may(s, q) {
			continue
		}
		a := x.actors.ask(q)
		if q.choice != succeeds && !a.invoked {
			break // the barrier answered; there was nothing to choose
		}
		x.answer(s, i, c, q, a)
	}
	if c.place == opened {
		if s.left[crash] > 0 {
			n := *s
			n.left[crash]--
			n.messages[i].place = inFlight
			x.emit(&n, move{kind: moveRollBack, message: c})
		}
		return
	}
	if s.left[open] > 0 && q.taken == 0 && (c.verb == execute || c.verb == compensate && !outside) {
		q.choice = succeeds
		if outside {
			q.choice = claims
		}
		if a := x.actors.ask(q); a.invoked {
			n := *s
			n.left[open]--
			n.rows[c.step] = a.rows // a transaction that is open has changed nothing yet; a claim is there for all to see
			if !outside {
				n.rows[c.step] = s.rows[c.step]
			}
			n.messages[i].place = opened
			x.emit(&n, move{kind: moveOpen, message: c})
		}
	}
	if s.left[beat] > 0 && c.verb != probe {
		n := *s
		n.left[beat]--
		n.add(message{
			step: c.step, verb: c.verb, edition: c.edition, attempt: c.attempt, outcome: index(x.codec.outcomes, saga.ReplyInProgress),
		})
		x.emit(&n, move{kind: moveBeat, message: c})
	}
}

// taken are the rows of the step that an open transaction has locked.
func taken(s *state, step uint8) (mask uint8) {
	for i := range s.n {
		if m := &s.messages[i]; m.place == opened && m.step == step && m.outcome == 0 {
			mask |= 1 | m.leg()<<1
		}
	}
	return mask
}

func (x *explorer) may(s *state, q question) bool {
	switch q.choice {
	case succeeds:
		return true
	case rejects:
		return true
	case succeedsBad:
		return x.world.BadOutput && q.verb == execute && x.codec.def.Steps[q.step].Returns != nil
	case fails:
		return s.left[fail] > 0
	case dies:
		return s.left[crash] > 0 && x.world.External != "" && q.verb != probe
	}
	return false
}

// answer emits what comes of a delivery: the reply, or a death before it leaves.
func (x *explorer) answer(s *state, i uint8, c message, q question, a answered) {
	if a.wrong != "" {
		x.violated(x.codec.def.Steps[c.step].Name + ": " + a.wrong)
		return
	}
	n := *s
	n.rows[c.step], n.done[c.step], n.undone[c.step], n.void[c.step] = a.rows, a.done, a.undone, a.void
	m := move{kind: moveDeliver, free: q.choice != fails, message: c, choice: q.choice}
	if q.choice == fails {
		n.left[fail]--
	}
	changed := a.rows != q.rows || a.done != q.done || a.undone != q.undone || a.void != q.void
	if (changed || c.place == opened) && s.left[crash] > 0 {
		l := n
		l.left[crash]--
		l.messages[i].place = inFlight
		x.emit(&l, move{kind: moveDeliverLost, message: c, choice: q.choice})
	}
	if a.silent {
		return // it died: the move above
	}
	n.remove(i)
	n.add(message{step: c.step, verb: c.verb, edition: c.edition, attempt: c.attempt, outcome: a.outcome, code: a.code, value: a.value})
	x.emit(&n, m)
}
