package saga

import (
	"encoding/json"
	"time"
)

// Grace is how long a step in flight may still settle once an abort has begun (design rule 6).
const Grace = 10 * time.Second

// advance lets the saga go as far as it can without the world: steps start, compensations start, it gets stuck, it ends.
func (m *machine) advance() {
	if m.next.Status.Terminal() {
		m.amend()
		m.clearAttention()
		return
	}
	if m.next.Broken != "" {
		return
	}
	for m.pass() { //nolint:revive // each pass moves a step or ends the loop; a saga has finitely many moves without the world
	}
	m.clearAttention()
	m.finish()
	if m.next.Seq > 10_000 {
		m.raise(AttentionHistory, "", "the history has more than 10,000 facts")
	}
}

// pass makes one round over the steps and reports whether something moved.
func (m *machine) pass() bool {
	before := len(m.facts)
	m.pivotAnswered()
	if !m.next.Aborting {
		for i := range m.def.Steps {
			if !m.next.Aborting && m.ready(i) {
				m.startStep(i)
			}
		}
	} else {
		for i := len(m.def.Steps) - 1; i >= 0; i-- {
			if m.undoReady(i) && m.holdingStep(i) == nil {
				m.startUndo(i)
			}
		}
	}
	return len(m.facts) > before
}

// pivotAnswered resolves a cancel and a deadline that waited for the pivot (design rule 8).
func (m *machine) pivotAnswered() {
	in := &m.next
	if in.Aborting {
		return
	}
	if m.passed() {
		if c := in.CancelBy; c != nil {
			m.emit(Fact{Type: CancelRefused, By: c.By, Wish: c.Reason, Why: "The cancel is refused: the pivot had succeeded."})
		}
		if in.DeadlinePassed {
			m.raise(AttentionDeadline, "", "the deadline passed after the point of no return")
		}
		return
	}
	if m.pivotOut() {
		return
	}
	if c := in.CancelBy; c != nil {
		m.abort(Abort{Reason: AbortCancelled, By: c.By, Message: c.Reason})
	} else if in.DeadlinePassed {
		m.abort(Abort{Reason: AbortDeadline, Message: "the deadline passed"})
	}
}

// passed reports whether the point of no return is behind: the pivot succeeded, was skipped, or answered with a bad output.
func (m *machine) passed() bool { return m.next.passed(m.def) }

func (in *Instance) passed(def *Definition) bool {
	if def.pivot < 0 || in.Aborting {
		return false
	}
	p := &in.Steps[def.pivot]
	return p.Status == Succeeded || p.Status == Skipped || p.Status == Stuck && p.BadOutput
}

// pivotOut reports whether the pivot's command is out and nobody knows yet how it ends.
func (m *machine) pivotOut() bool {
	if m.def.pivot < 0 {
		return false
	}
	p := &m.next.Steps[m.def.pivot]
	if !p.Forward.Created || m.passed() || p.Status == Rejected {
		return false
	}
	return p.Status != Stuck || p.Effect != EffectNone
}

// ready reports whether step i may start: design rule 1.
func (m *machine) ready(i int) bool {
	s := &m.next.Steps[i]
	if s.Status != Pending && s.Status != Held {
		return false
	}
	return m.predecessorsSettled(i)
}

func (m *machine) predecessorsSettled(i int) bool {
	for _, p := range m.def.Steps[i].After {
		if st := m.next.Steps[p].Status; st != Succeeded && st != Skipped {
			return false
		}
	}
	return true
}

func (m *machine) startStep(i int) {
	def, s := &m.def.Steps[i], &m.next.Steps[i]
	if s.Status == Pending && def.When != nil {
		value, err := def.When.Eval(m.scope(i, false))
		if err != nil {
			m.stuckExpression(i, "when", err)
			return
		}
		if string(value) != "true" {
			m.emit(Fact{Type: StepSkipped, Step: def.Name, Why: def.Name + " is skipped: its condition is false."})
			return
		}
	}
	if m.holdingStep(i) != nil {
		if s.Status == Pending {
			m.emit(Fact{Type: StepHeld, Step: def.Name, Why: def.Name + " is ready and held."})
		}
		return
	}
	if s.Forward.Created { // a further edition that a hold kept back (design rule 13)
		m.createForward(i, s.Forward.Payload, s.Forward.Edition+1, false)
		return
	}
	if l := m.limiting(i); l != nil {
		if s.LimitedAt.IsZero() {
			m.emit(Fact{Type: StepHeld, Step: def.Name, Code: CodeLimit, Message: l.String(), Why: def.Name + " is ready and waits for a limit: " + l.String() + "."})
		}
		return
	}
	m.createFirst(i, nil)
}

// createFirst evaluates the payload, unless a corrected one is given, and creates the step's command.
func (m *machine) createFirst(i int, payload json.RawMessage) {
	def := &m.def.Steps[i]
	if payload == nil {
		payload = m.next.Input
		if def.Payload != nil {
			var err error
			if payload, err = def.Payload.Eval(m.scope(i, false)); err != nil {
				m.stuckExpression(i, "payload", err)
				return
			}
		}
	}
	if m.next.size()+len(payload) > MaxInstanceBytes {
		m.stuckExpression(i, "payload", errTooLarge)
		return
	}
	m.createForward(i, payload, 0, true)
}

func (m *machine) createForward(i int, payload json.RawMessage, edition int, renewed bool) {
	def := &m.def.Steps[i]
	f := Fact{
		Type: StepStarted, Step: def.Name, Verb: Execute, Edition: edition, Attempt: 1, Payload: payload, Renewed: renewed,
		ExpiresAt: m.env.At.Add(def.Timeout), Why: def.Name + " started: " + def.Command + " to " + def.Participant + ".",
	}
	if e := m.next.Steps[i].Effect; !def.EffectNone && e == EffectNone {
		f.Effect = EffectPossible
	}
	m.send(i, f, def.Command)
}

// send emits the fact of an attempt and adds its command.
func (m *machine) send(i int, f Fact, name string) {
	m.place(&f)
	m.emit(f)
	m.command(i, f, name)
}

// sendQuietly is send past max_attempts, where one in a hundred is recorded (design rule 15).
func (m *machine) sendQuietly(i int, f Fact, name string) {
	m.place(&f)
	m.quietly(f)
	m.command(i, f, name)
}

func (m *machine) place(f *Fact) { f.Batch, f.Index = m.env.Batch, m.env.Index+len(m.commands) }

func (m *machine) command(i int, f Fact, name string) {
	leg := &m.next.Steps[i].Forward
	if f.Verb == Compensate {
		leg = &m.next.Steps[i].Backward
	}
	version := leg.Version
	if version == 0 {
		version = m.next.Version
	}
	m.commands = append(m.commands, Command{
		Step: f.Step, Participant: m.def.Steps[i].Participant, Name: name, Version: version, Verb: f.Verb,
		Edition: leg.Edition, Attempt: f.Attempt, Payload: leg.Payload, ExpiresAt: f.ExpiresAt, Index: f.Index,
	})
}

func (m *machine) stuckExpression(i int, field string, err error) {
	name := m.def.Steps[i].Name
	m.emit(Fact{
		Type: StepStuck, Step: name, Reason: AttentionExpression, Code: "expression", Message: err.Error(),
		Why: name + " is stuck: its " + field + " cannot be evaluated.",
	})
	m.raise(AttentionExpression, name, err.Error())
}

// scope is what the expressions of step i can see.
func (m *machine) scope(i int, compensation bool) Scope {
	sc := Scope{Input: m.next.Input, StepOutput: func(step string) json.RawMessage {
		if j := m.def.StepIndex(step); j >= 0 {
			return orNull(m.next.Steps[j].Output)
		}
		return orNull(nil)
	}}
	if compensation {
		sc.Output = orNull(m.next.Steps[i].Output)
	}
	return sc
}

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}

// size is about how many bytes the instance takes: its payloads.
func (in *Instance) size() int {
	n := len(in.Input) + len(in.Output)
	for i := range in.Steps {
		s := &in.Steps[i]
		n += len(s.Output) + len(s.Forward.Payload) + len(s.Backward.Payload)
	}
	return n
}
