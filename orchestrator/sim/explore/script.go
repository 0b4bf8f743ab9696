package explore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// path lists the moves that lead to a state, by their numbers.
func (x *explorer) path(id uint32) (moves []uint16) {
	for id != 0 {
		moves = append(moves, x.move[id])
		id = x.parent[id]
	}
	slices.Reverse(moves)
	return moves
}

// script tells the shortest way to a state as a script of package saga: what the engine sees as commands, the rest as comments.
// The last line is a comment on what went wrong there.
func (x *explorer) script(id uint32) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s: %s\n\ndefine", x.world.Name, strings.ReplaceAll(x.violation, "\n", "\n# "))
	if x.world.Deadline {
		b.WriteString(" deadline=1h")
	}
	fmt.Fprintf(&b, "\n%s\n----\n\n", strings.Join(x.world.Steps, "\n"))
	path := x.path(id)
	wrong := x.violation
	x.violation = ""
	s := state{left: x.world.Budget.left()}
	for _, want := range path {
		var to state
		x.moves = 0
		x.tell = func(m move, n *state) {
			if x.moves-1 == want {
				to = *n
				b.WriteString(x.line(m))
			}
		}
		s.canonical()
		x.expand(&s)
		s = to
	}
	x.tell, x.violation = nil, wrong
	s.canonical()
	fmt.Fprintf(&b, "# %s\n# now: %s\n", x.ledger(&s), x.describe(&s))
	return b.String()
}

func (x *explorer) ledger(s *state) string {
	text := "ledger:"
	for i := range x.codec.def.Steps {
		text += fmt.Sprintf(" %s done=%b undone=%b", x.codec.def.Steps[i].Name, s.done[i], s.undone[i])
	}
	return text
}

// name is a message, for people.
func (x *explorer) name(m message) string {
	text := fmt.Sprintf("%s %s %d#%d", x.codec.def.Steps[m.step].Name, verbOf(m.verb), m.edition, m.attempt)
	if m.outcome != 0 {
		text += " " + string(x.codec.outcomes[m.outcome])
	}
	if m.code != 0 {
		text += " code=" + x.codec.codes.texts[m.code]
	}
	if m.place != inFlight {
		text += [...]string{"", " (in the outbox)", " (open)", " (refused)", " (refused, maybe sent)"}[m.place]
	}
	return text
}

// line tells one move.
func (x *explorer) line(m move) string {
	name, text := x.name(m.message), ""
	switch m.kind {
	case moveStart:
		text = "start"
	case moveDeliver:
		return fmt.Sprintf("# %s reaches its participant, which %s\n", name, m.choice)
	case moveDeliverLost:
		return fmt.Sprintf("# %s reaches its participant, which %s and dies before the answer leaves\n", name, m.choice)
	case moveOpen:
		if x.world.External != "" {
			return fmt.Sprintf("# %s reaches its participant, which claims it and is long in calling its provider\n", name)
		}
		return fmt.Sprintf("# %s reaches its participant, which keeps its transaction open\n", name)
	case moveRollBack:
		return fmt.Sprintf("# the participant dies with %s open\n", name)
	case moveAgain:
		return fmt.Sprintf("# %s is duplicated\n", name)
	case moveBeat:
		return fmt.Sprintf("# the participant of %s sends a heartbeat\n", name)
	case movePublish:
		return fmt.Sprintf("# %s is published from the outbox\n", name)
	case moveHold:
		return strings.TrimSpace("hold "+x.world.HoldOf) + "\n----\n\n"
	case moveRelease:
		return strings.TrimSpace("release "+x.world.HoldOf) + "\n----\n\n"
	case moveReply, moveLie:
		text = x.replyLine(m.event)
		if m.kind == moveLie {
			text = "# a lie\n" + text
		}
	case movePoke:
		text = "wake 0s"
	case moveTimer:
		text = x.wakeLine(m.event)
	case moveAct:
		text = x.actLine(m.event)
	case moveRefused:
		text = fmt.Sprintf("publish-refused %s %s", x.codec.def.Steps[m.event.step].Name, verbOf(m.event.verb))
		if m.event.value == 1 {
			text += " maybe-sent"
		}
	}
	text += "\n----\n\n"
	switch m.after {
	case published:
	case leftBehind:
		text += "# the engine dies before it publishes\n"
	case unpublishable:
		text += "# the broker refuses the first command for good\n"
	case maybeLost:
		text += "# the first command is published with an unknown outcome and lost, then refused\n"
	case maybeSent:
		text += "# the first command is published with an unknown outcome, then refused\n"
	}
	return text
}

func (x *explorer) replyLine(h happening) string {
	text := fmt.Sprintf("reply %s %s %s", x.codec.def.Steps[h.step].Name, verbOf(h.verb), x.codec.outcomes[h.outcome])
	if h.code != 0 {
		text += " code=" + x.codec.codes.texts[h.code]
	}
	if h.value != 0 {
		text += " output=" + x.codec.values.texts[h.value]
	}
	v, leg := &x.instances[h.instance].steps[h.step], message{verb: h.verb}.leg()
	if h.edition != v.edition[leg] {
		text += fmt.Sprintf(" edition=%d", h.edition)
	}
	if h.attempt != v.attempt[leg] {
		text += fmt.Sprintf(" attempt=%d", h.attempt)
	}
	return text
}

func (x *explorer) wakeLine(h happening) string {
	var due []string
	for i := range x.codec.def.Steps {
		if h.due&(1<<i) != 0 {
			due = append(due, fmt.Sprintf("%s (%s)", x.codec.def.Steps[i].Name, x.instances[h.instance].steps[i].status))
		}
	}
	for bit, name := range map[uint8]string{dueDeadline: "the deadline", dueHold: "an old hold", dueQueued: "queued"} {
		if h.due&bit != 0 {
			due = append(due, name)
		}
	}
	return "# due: " + strings.Join(due, ", ") + "\nwake next"
}

func (x *explorer) actLine(h happening) string {
	text := "act " + string(saga.Actions()[h.verb])
	if h.step != noStep {
		text += " " + x.codec.def.Steps[h.step].Name
	}
	switch h.value {
	case withPayload:
		text += " payload=" + corrected
	case withOutput:
		text += " output=" + byHand
	}
	return text
}
