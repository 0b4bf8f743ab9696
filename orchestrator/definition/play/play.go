package play

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/saga"
)

const (
	// Latency is how long a participant takes to answer, in virtual time.
	Latency = 20 * time.Millisecond
	// MaxEvents bounds a play.
	MaxEvents = 5_000
)

// Run plays one saga of a linked definition until it ends, until nothing can move without a person, or until it would go on the same
// way for ever. The error is of an input, a key or labels that a start would be refused for (a schema's is a
// *definition.InvalidError), or of a reply that fits no step. The same arguments give the same transcript.
func Run(def *saga.Definition, input json.RawMessage, replies []Reply) (*Transcript, error) {
	script, err := newScript(def, replies)
	if err != nil {
		return nil, err
	}
	started, err := start(def, input)
	if err != nil {
		return nil, err
	}
	p := &player{def: def, script: script, at: epoch(), transcript: &Transcript{Saga: def.Name, Version: def.Version}}
	if err := p.play(started); err != nil {
		return nil, err
	}
	p.transcript.finish(def, &p.in)
	return p.transcript, nil
}

func epoch() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

// start checks what a start is checked for.
func start(def *saga.Definition, input json.RawMessage) (saga.Started, error) {
	started := saga.Started{ID: saga.NewID(epoch(), 0, 1), Tenant: "default", Input: input, By: "play"}
	if len(input) > saga.MaxInputBytes {
		return started, fmt.Errorf("input: %d bytes: at most %d are taken", len(input), saga.MaxInputBytes)
	}
	if !json.Valid(input) {
		return started, fmt.Errorf("input: not JSON")
	}
	if def.Input != nil {
		if err := def.Input.Validate(input); err != nil {
			return started, fmt.Errorf("input: %w", err)
		}
	}
	if def.Key != nil {
		raw, err := def.Key.Eval(saga.Scope{Input: input})
		if err == nil {
			err = json.Unmarshal(raw, &started.Key)
		}
		if err != nil {
			return started, err
		}
	}
	if def.Labels != nil {
		raw, err := def.Labels.Eval(saga.Scope{Input: input})
		if err == nil {
			err = json.Unmarshal(raw, &started.Labels)
		}
		if err != nil {
			return started, err
		}
	}
	return started, nil
}

// player is one play.
type player struct {
	def        *saga.Definition
	script     *script
	in         saga.Instance
	at, wakeAt time.Time
	due        []answer // by time, and then in the order they were sent
	events     int
	offset     int64
	transcript *Transcript
}

// answer is a reply on its way.
type answer struct {
	at    time.Time
	reply saga.Replied
}

func (p *player) play(started saga.Started) error {
	var body saga.Body = started
	for {
		if err := p.happen(body); err != nil {
			return err
		}
		switch {
		case p.in.Status.Terminal():
			return nil
		case p.in.Status == saga.Suspended && len(p.due) == 0:
			p.transcript.Stopped = "nothing moves any more without a person"
			return nil
		case p.endless():
			p.transcript.Stopped = "it would go on like this: what is exhausted is sent again until it is answered, or until a person steps in"
			return nil
		case p.events >= MaxEvents:
			p.transcript.Stopped = fmt.Sprintf("stopped after %d events", MaxEvents)
			return nil
		}
		body = p.next()
	}
}

// next moves the clock to whatever comes first: an answer, or a timer.
func (p *player) next() saga.Body {
	if len(p.due) > 0 && !p.due[0].at.After(p.wakeAt) {
		first := p.due[0]
		p.due = p.due[1:]
		p.at = first.at
		p.transcript.reply(p.since(), &first.reply)
		return first.reply
	}
	if p.wakeAt.After(p.at) {
		p.at = p.wakeAt
	}
	return saga.Woken{}
}

func (p *player) since() time.Duration { return p.at.Sub(epoch()) }

// happen has the event judged, and does what follows from it.
func (p *player) happen(body saga.Body) error {
	p.events++
	const middle = 0.5 // of the jitter: back-offs are as the policy says
	ev := saga.Event{ID: fmt.Sprintf("event-%d", p.events), Body: body, Env: saga.Env{At: p.at, Jitter: middle}}
	d, err := saga.Decide(p.def, p.in, ev)
	if err != nil {
		return fmt.Errorf("play %s: %w", p.def.Name, err)
	}
	p.in, p.wakeAt = d.Next, d.WakeAt
	for _, f := range d.Facts {
		p.transcript.fact(p.since(), &f)
	}
	for _, c := range d.Commands {
		p.transcript.command(p.since(), &c)
		p.answer(&c)
	}
	return nil
}

// answer schedules what the participant says to a command, if it says anything.
func (p *player) answer(c *saga.Command) {
	r, scripted := p.script.next(c.Step, c.Verb)
	if !scripted {
		r.Outcome = saga.ReplySucceeded
	}
	if r.Outcome == Timeout {
		return
	}
	value := r.Output
	if r.Outcome == saga.ReplySucceeded && value == nil && c.Verb != saga.Compensate {
		value = definition.Sample(p.def.Steps[p.def.StepIndex(c.Step)].Returns)
	}
	p.offset++
	p.due = append(p.due, answer{p.at.Add(Latency), saga.Replied{
		Step: c.Step, Verb: c.Verb, Edition: c.Edition, Attempt: c.Attempt,
		Outcome: r.Outcome, Code: r.Code, Message: r.Message, Value: value,
		Record: saga.Coordinates{Topic: "skald.replies", Offset: p.offset},
	}})
	slices.SortStableFunc(p.due, func(a, b answer) int { return a.at.Compare(b.at) })
}

// endless reports whether all that can still move has used up its attempts and is scripted never to be settled.
func (p *player) endless() bool {
	found := false
	for i, s := range p.in.Steps {
		name, verb := p.def.Steps[i].Name, saga.Execute
		switch s.Status {
		case saga.InFlight, saga.BackingOff:
			if s.Forward.Probing {
				verb = saga.Probe
			}
		case saga.Undoing, saga.UndoBackingOff:
			verb = saga.Compensate
		case saga.Pending, saga.Held, saga.Succeeded, saga.Rejected, saga.Unknown, saga.Skipped, saga.Stuck, saga.Undone, saga.UndoFailed,
			saga.Waived:
			continue
		}
		if !p.in.HasAttention(saga.AttentionExhausted, name) || !p.script.forever(name, verb) {
			return false
		}
		found = true
	}
	return found
}
