package saga_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// world makes up what may happen to one saga: answers to its commands (prompt, late, twice, contradicting, lying), timers,
// operators, holds, and a broker that publishes late or not at all.
type world struct {
	chooser
	def    *saga.Definition
	target *saga.Definition // of the newest rebind that was asked for
	in     saga.Instance
	at     time.Time
	events int
	sent   []saga.Command // all that was ever sent
	said   []saga.Replied // all that was ever answered
	holds  []saga.Hold    // all that ever were
	limits []saga.Limit   // those in force
	outbox map[legKey]outboxState
	gone   map[attemptKey]bool // refused by the broker
	wakeAt time.Time
}

type legKey struct {
	step string
	verb saga.Verb // execute or compensate
}

type attemptKey struct {
	legKey
	edition, attempt int
}

// outboxState is what is known of a leg's newest attempt.
type outboxState struct {
	unpublished bool
	acked       time.Time
}

func newWorld(c chooser, def *saga.Definition) *world {
	return &world{chooser: c, def: def, at: epoch(), outbox: map[legKey]outboxState{}, gone: map[attemptKey]bool{}}
}

func legOf(v saga.Verb) saga.Verb {
	if v == saga.Probe {
		return saga.Execute
	}
	return v
}

// took notes what an event brought about.
func (w *world) took(d saga.Decision) {
	w.in, w.wakeAt = d.Next, d.WakeAt
	if w.in.Version != w.def.Version {
		w.def = w.target
	}
	for _, c := range d.Commands {
		w.sent = append(w.sent, c)
		w.outbox[legKey{c.Step, legOf(c.Verb)}] = outboxState{unpublished: oneIn(w, 10, "unpublished")}
	}
}

// event wraps what happened with what is known at that time.
func (w *world) event(body saga.Body) saga.Event {
	w.events++
	ev := saga.Event{ID: fmt.Sprintf("e%d", w.events), Body: body}
	if _, woken := body.(saga.Woken); woken {
		ev.ID = ""
	}
	ev.At, ev.Jitter = w.at, float64(w.pick(4, "jitter"))/4
	ev.Holds = append(ev.Holds, w.holds...)
	ev.Limits = append(ev.Limits, w.limits...)
	for i, s := range w.in.Steps {
		for _, verb := range []saga.Verb{saga.Execute, saga.Compensate} {
			leg := s.Forward
			if verb == saga.Compensate {
				leg = s.Backward
			}
			if !leg.Created {
				continue
			}
			o := w.outbox[legKey{w.def.Steps[i].Name, verb}]
			ev.Sent = append(ev.Sent, saga.Sent{Step: i, Verb: verb, Unpublished: o.unpublished, AckedAt: o.acked})
		}
	}
	return ev
}

func (w *world) started() saga.Started {
	return saga.Started{ID: testID(), Tenant: "default", Input: json.RawMessage(`{"n":1}`), By: "api"}
}

// pass lets a moment go by. It never ends on a round number, so that timers do not meet.
func (w *world) pass() time.Duration {
	steps := []time.Duration{3 * time.Millisecond, 150 * time.Millisecond, 700 * time.Millisecond, 4 * time.Second, 40 * time.Second}
	return steps[min(w.pick(7, "pause"), 4)] + time.Duration(1+w.events%50)*time.Microsecond
}

// next draws what happens next; nil: only the world changed, and the saga is to be woken.
func (w *world) next() saga.Body {
	switch w.pick(20, "what") {
	case 0, 1, 2, 3, 4, 5, 6, 7, 8:
		if r, ok := w.answer(); ok {
			return r
		}
	case 9, 10:
		if len(w.said) > 0 { // a duplicate, or another word from the same participant
			r := w.said[w.pick(len(w.said), "said")]
			if oneIn(w, 2, "another word") {
				w.outcome(&r)
			}
			return w.say(r)
		}
	case 11, 12, 13, 14:
		return w.wish()
	case 15:
		return w.refusedByBroker()
	case 16:
		if oneIn(w, 3, "a limit") {
			w.limit()
		} else {
			w.hold()
		}
	case 17:
		w.publish()
	}
	return saga.Woken{}
}

// answer answers one of the newest commands, or any.
func (w *world) answer() (saga.Body, bool) {
	if len(w.sent) == 0 {
		return nil, false
	}
	back := w.pick(min(4, len(w.sent)), "newest")
	if oneIn(w, 6, "any") {
		back = w.pick(len(w.sent), "any")
	}
	c := w.sent[len(w.sent)-1-back]
	r := saga.Replied{Step: c.Step, Verb: c.Verb, Edition: c.Edition, Attempt: c.Attempt}
	w.outcome(&r)
	return w.say(r), true
}

func (w *world) say(r saga.Replied) saga.Body {
	r.Record.Offset = int64(w.events)
	w.said = append(w.said, r)
	return r
}

func (w *world) outcome(r *saga.Replied) {
	r.Value, r.Code, r.RetryAfter, r.Oversized = nil, "", 0, false
	switch w.pick(10, "outcome") {
	case 0, 1, 2, 3:
		r.Outcome, r.Value = saga.ReplySucceeded, json.RawMessage(goodOutput)
		switch {
		case r.Verb == saga.Compensate && oneIn(w, 3, "nothing to undo"):
			r.Code = saga.CodeNothingToUndo
		case r.Verb != saga.Compensate && oneIn(w, 4, "bad output"):
			r.Value = json.RawMessage(badOutput)
		case r.Verb != saga.Compensate && oneIn(w, 12, "oversized"):
			r.Value, r.Oversized = nil, true
		}
	case 4, 5, 6:
		r.Outcome, r.Code = saga.ReplyRejected, "declined"
		if oneIn(w, 3, "not found") {
			r.Code = saga.CodeNotFound
		}
	case 7:
		r.Outcome, r.Code = saga.ReplyFailed, "broke"
		r.RetryAfter = time.Duration(w.pick(3, "retry after")) * 5 * time.Second
	case 8:
		r.Outcome = saga.ReplyInProgress
	case 9:
		r.Outcome = saga.ReplyUnknown
	}
}

// wish is an operator's, more often about a step that needs one.
func (w *world) wish() saga.Body {
	actions := append(saga.Actions(), saga.ActionRebind)
	a := saga.Acted{Action: actions[w.pick(len(actions), "action")], Reason: "because", By: "ann"}
	if a.Action == saga.ActionPause {
		w.publish()
	}
	if a.Action == saga.ActionAbandon && !oneIn(w, 4, "really abandon") {
		a.Action = saga.ActionRetry
	}
	if a.Action.NeedsStep() || a.Action == saga.ActionAcknowledge && oneIn(w, 2, "of a step") {
		i := w.pick(len(w.def.Steps), "step")
		for k, s := range w.in.Steps {
			if (s.Status == saga.Stuck || s.Status == saga.UndoFailed) && !oneIn(w, 3, "another step") {
				i = k
			}
		}
		a.Step = w.def.Steps[i].Name
	}
	if a.Action == saga.ActionRebind {
		w.target = rebound(w, w.def)
		a.Version, a.To = w.target.Version, &saga.Target{Definition: w.target, Holds: w.holds}
	}
	if oneIn(w, 3, "output given") {
		a.Output = json.RawMessage(`{"ok":"by hand"}`)
	}
	if a.Action == saga.ActionRetry && oneIn(w, 3, "corrected") {
		a.Payload = json.RawMessage(`{"corrected":1}`)
	}
	return a
}

// refusedByBroker refuses the newest attempt of some open command, once.
func (w *world) refusedByBroker() saga.Body {
	if len(w.sent) == 0 {
		return saga.Woken{}
	}
	c := w.sent[len(w.sent)-1-w.pick(min(3, len(w.sent)), "refuse")]
	leg := legKey{c.Step, legOf(c.Verb)}
	k := attemptKey{leg, c.Edition, c.Attempt}
	if w.gone[k] {
		return saga.Woken{}
	}
	w.gone[k] = true
	return saga.PublishRefused{
		Step: c.Step, Verb: leg.verb, Edition: c.Edition, Attempt: c.Attempt,
		MaybeSent: oneIn(w, 2, "maybe sent"), Message: "too large",
	}
}

// hold begins or ends one.
func (w *world) hold() {
	for i := range w.holds {
		if w.holds[i].To.IsZero() && w.pick(3, "end a hold") > 0 {
			w.holds[i].To = w.at
			if w.holds[i].Participant != "" && w.pick(2, "tried") > 0 {
				w.holds[i].TriedUntil = w.at.Add(time.Duration(w.pick(30, "tried for")) * time.Second)
			}
			return
		}
	}
	w.publish()
	scope := []string{"", "p0", "p1", "p2"}[w.pick(4, "scope")]
	w.holds = append(w.holds, saga.Hold{Participant: scope, From: w.at, Reason: "maintenance"})
}

// limit sets or lifts some.
func (w *world) limit() {
	w.limits = nil
	for range w.pick(3, "limits") {
		l := saga.Limit{Participant: []string{"", "p0", "p1", "p2"}[w.pick(4, "scope")], Room: w.pick(3, "room"), What: "commands", Figure: "all"}
		l.Begins = l.Participant == "" && oneIn(w, 2, "begins")
		w.limits = append(w.limits, l)
	}
}

// publish gets everything out of the outbox.
func (w *world) publish() {
	for k, o := range w.outbox {
		if o.unpublished {
			w.outbox[k] = outboxState{acked: w.at}
		}
	}
}
