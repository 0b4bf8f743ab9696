package explore

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// happening is what may happen to an instance, as a key: what Decide answers to it is kept.
type happening struct {
	instance    uint32
	kind        uint8 // replied, woken, acted, publishRefused, started
	step        uint8
	verb        uint8 // acted: of actions
	edition     uint8
	attempt     uint8
	outcome     uint8
	code        uint8
	value       uint8 // replied: of codec.values; acted: withPayload, withOutput; publishRefused: 1 maybe sent
	due         uint8 // woken: steps whose timer is due, by bit, and dueDeadline, dueHold, dueQueued, dueSlow
	held        bool
	unpublished uint8 // open legs whose newest attempt is still in the outbox: bit 2*step+leg
}

const (
	replied uint8 = iota
	woken
	acted
	publishRefused
	started
)

const (
	withPayload uint8 = 1
	withOutput  uint8 = 2
)

const (
	dueDeadline uint8 = 1 << (maxSteps + iota)
	dueHold           // a pause or hold is old enough for attention
	dueQueued         // what expires has not reached its participant yet
	dueSlow           // replied: the heartbeat comes ten timeouts after the command
)

// verdict is what Decide answered.
type verdict struct {
	refused  string // the code of a refusal, or "not asked"
	ignored  bool
	next     uint32 // the instance
	commands []message
}

// actionOf is the action of a number. Rebind comes after those that operators of the worlds do: what follows from it is a saga of
// another version, and only asked about.
func actionOf(verb uint8) saga.Action {
	if actions := saga.Actions(); int(verb) < len(actions) {
		return actions[verb]
	}
	return saga.ActionRebind
}

// event makes what Decide gets: the instance with its timers set by what is due, and the event.
func (x *explorer) event(h happening) (saga.Instance, saga.Event) {
	in := x.codec.decode([]byte(x.instances[h.instance].written))
	ev := saga.Event{ID: "e", Env: saga.Env{At: judgedAt(), Jitter: 0.5, Batch: saga.BatchID{1}}}
	since := now()
	if h.due&dueHold != 0 && h.kind == woken {
		since = judgedAt().Add(-saga.HeldAfter - time.Second)
		if in.Pause != nil {
			in.Pause.Since = since
		}
	}
	if h.held {
		ev.Holds = []saga.Hold{{Participant: x.world.HoldOf, From: since, Reason: "maintenance"}}
	}
	for i := range in.Steps {
		for leg, verb := range []saga.Verb{saga.Execute, saga.Compensate} {
			unpublished := h.unpublished&(1<<(2*i+leg)) != 0
			queued := h.kind == woken && h.due&dueQueued != 0 && h.due&(1<<i) != 0
			if unpublished || queued {
				ev.Sent = append(ev.Sent, saga.Sent{Step: i, Verb: verb, Unpublished: unpublished, Queued: queued})
			}
		}
	}
	name := ""
	if int(h.step) < len(in.Steps) {
		name = x.codec.def.Steps[h.step].Name
	}
	switch h.kind {
	case replied:
		if h.due&dueSlow != 0 {
			for _, l := range []*saga.Leg{&in.Steps[h.step].Forward, &in.Steps[h.step].Backward} {
				l.SentAt = judgedAt().Add(-time.Hour)
			}
		}
		ev.Body = saga.Replied{
			Step: name, Verb: verbOf(h.verb), Edition: int(h.edition), Attempt: int(h.attempt), Outcome: x.codec.outcomes[h.outcome],
			Code: x.codec.codes.texts[h.code], Value: x.codec.values.raw(h.value),
		}
	case woken:
		ev.ID, ev.Body = "", saga.Woken{}
		x.makeDue(&in, h.due)
	case acted:
		a := saga.Acted{Action: actionOf(h.verb), Reason: "because", By: "ann"}
		if a.Action == saga.ActionRebind {
			second := *x.codec.def
			second.Version = 2
			a.Version, a.To = second.Version, &saga.Target{Definition: &second, Holds: ev.Holds}
		}
		if h.step < maxSteps {
			a.Step = name
		}
		if h.value == withPayload {
			a.Payload = json.RawMessage(corrected)
		}
		if h.value == withOutput {
			a.Output = json.RawMessage(byHand)
		}
		ev.Body = a
	case publishRefused:
		ev.Body = saga.PublishRefused{
			Step: name, Verb: verbOf(h.verb), Edition: int(h.edition), Attempt: int(h.attempt), MaybeSent: h.value == 1, Message: "too large",
		}
	}
	return in, ev
}

// makeDue sets the timers that have run out.
func (x *explorer) makeDue(in *saga.Instance, due uint8) {
	for i := range in.Steps {
		if due&(1<<i) == 0 {
			continue
		}
		s := &in.Steps[i]
		switch s.Status {
		case saga.InFlight:
			s.Forward.ExpiresAt = judgedAt()
			if in.Aborting {
				s.GraceUntil = judgedAt()
			}
		case saga.Undoing:
			s.Backward.ExpiresAt = judgedAt()
		case saga.BackingOff:
			s.Forward.RetryAt = judgedAt()
		case saga.UndoBackingOff:
			s.Backward.RetryAt = judgedAt()
		case saga.Pending, saga.Held, saga.Succeeded, saga.Rejected, saga.Unknown, saga.Skipped, saga.Stuck, saga.Undone, saga.UndoFailed, saga.Waived:
		}
	}
	if due&dueDeadline != 0 {
		in.Deadline = judgedAt()
	}
}

// decide asks Decide, once for each instance and event, and checks what it answers.
func (x *explorer) decide(h happening) *verdict {
	if v, ok := x.decided[h]; ok {
		return v
	}
	v, d := x.judged(h)
	if v.refused == "" && x.violation == "" {
		x.follow(v, d)
	}
	x.decided[h] = v
	return v
}

// wonder asks Decide about an event that may not be possible, and checks what it answers. Nothing follows from it.
func (x *explorer) wonder(h happening) {
	if _, ok := x.decided[h]; !ok {
		x.judged(h)
	}
}

func (x *explorer) judged(h happening) (*verdict, *saga.Decision) {
	in, ev := x.event(h)
	d, err := saga.Decide(x.codec.def, in, ev)
	if x.world.tamper != nil && err == nil {
		x.world.tamper(&d)
	}
	v := &verdict{next: h.instance}
	var no *saga.RefusedError
	var notAsked *saga.NotAskedError
	switch {
	case errors.As(err, &no):
		v.refused = "refused: " + no.Code
	case errors.As(err, &notAsked):
		v.refused = "not asked"
	case err != nil:
		x.violated(fmt.Sprintf("Decide answers an error that nobody can handle: %v", err))
		return v, &d
	default:
		v.ignored = d.Outcome == saga.Ignored
		if wrong := x.judge(&in, &d, ev); wrong != "" {
			x.violated(wrong + "\nby " + x.column(h))
			return v, &d
		}
	}
	x.table.note(x, h, v, &in, &d)
	return v, &d
}

func (x *explorer) follow(v *verdict, d *saga.Decision) {
	for _, c := range d.Commands {
		if c.Edition >= maxEditions {
			x.violated("more editions than a small world has")
			return
		}
		v.commands = append(v.commands, message{
			step: uint8(x.codec.def.StepIndex(c.Step)), verb: verbNumber(c.Verb), edition: uint8(c.Edition), attempt: uint8(min(c.Attempt, 2)),
		})
	}
	v.next = x.instance(&d.Next)
}

// begin is the state before the saga started, where nothing but its start can happen.
func (x *explorer) begin() state {
	x.instances = []instance{{}}
	d, err := saga.Decide(x.codec.def, saga.Instance{}, saga.Event{
		ID: "start", Env: saga.Env{At: judgedAt(), Batch: saga.BatchID{1}},
		Body: saga.Started{ID: sagaID(), Tenant: "default", Input: json.RawMessage(input), By: "api"},
	})
	v := &verdict{}
	if err != nil {
		x.violated(err.Error())
	} else {
		x.follow(v, &d)
	}
	x.decided[happening{kind: started}] = v
	return state{left: x.world.Budget.left()}
}
