package saga

import (
	"encoding/json"
	"errors"
)

var errTooLarge = errors.New("the saga would be larger than 1 MiB with it")

// abort begins the way back: no new forward command, and what waits to be sent again becomes unknown (design rule 6).
func (m *machine) abort(a Abort) {
	if m.next.Aborting {
		return
	}
	a.At, a.GraceUntil = m.env.At, m.env.At.Add(Grace)
	m.emit(Fact{Type: AbortStarted, Abort: &a, Step: a.Step, Code: a.Code, By: a.By, Message: a.Message, Why: "The saga is being undone: " + abortWhy(a) + "."})
	for i := range m.next.Steps {
		if m.next.Steps[i].Status == BackingOff {
			m.unknown(i, "", "", "was not answered before the abort")
		}
	}
}

func abortWhy(a Abort) string {
	switch a.Reason {
	case AbortStepRejected:
		return a.Step + " was rejected"
	case AbortStepUnknown:
		return a.Step + " used up its attempts"
	case AbortCancelled:
		return "it was cancelled"
	case AbortDeadline:
		return "its deadline passed"
	}
	return string(a.Reason)
}

func (m *machine) unknown(i int, code, message, why string) {
	name := m.def.Steps[i].Name
	m.emit(Fact{Type: StepUnknown, Step: name, Code: code, Message: message, Reply: m.failedOf(name), Why: name + " is unknown: it " + why + "."})
}

// failedOf is where the failed answer stands that is being judged; nil: it is another step's, which an abort gives up with it.
func (m *machine) failedOf(step string) *Coordinates {
	if m.failed == nil || m.failed.Step != step {
		return nil
	}
	record := m.failed.Record
	return &record
}

// undoReady reports whether a compensation of step i is to be created now: design rules 6 and 9.
func (m *machine) undoReady(i int) bool {
	if !m.next.needsUndo(m.def, i) {
		return false
	}
	if m.next.Steps[i].Anomaly {
		return true // exempt from the order (design rule 9)
	}
	for _, d := range m.def.descendants[i] {
		if !m.next.settledBackwards(m.def, d) {
			return false
		}
	}
	return true
}

func (in *Instance) needsUndo(def *Definition, i int) bool {
	s := &in.Steps[i]
	if def.Steps[i].Compensation == nil || s.Effect != EffectPossible && s.Effect != EffectCertain {
		return false
	}
	switch s.Status {
	case InFlight, BackingOff, Undoing, UndoBackingOff, UndoFailed, Waived:
		return false
	case Pending, Held, Succeeded, Rejected, Unknown, Skipped, Stuck, Undone:
		return true
	}
	return false
}

// settledBackwards is the wording of design rule 6.
func (in *Instance) settledBackwards(def *Definition, i int) bool {
	s := &in.Steps[i]
	switch s.Status {
	case InFlight, BackingOff, UndoFailed:
		return false
	case Undoing, UndoBackingOff: // a compensation is out, whatever is known of the effect
		return false
	case Pending, Held, Succeeded, Rejected, Unknown, Skipped, Stuck, Undone, Waived:
	}
	switch s.Effect {
	case EffectNone, EffectUndone, EffectWaived:
		return true
	case EffectPossible, EffectCertain, EffectUndoFailed:
		return def.Steps[i].Compensation == nil
	}
	return false
}

// startUndo creates the compensation of step i, or its next edition.
func (m *machine) startUndo(i int) {
	edition := 0
	if m.next.Steps[i].Backward.Created {
		edition = m.next.Steps[i].Backward.Edition + 1
	}
	m.createUndo(i, nil, edition)
}

// createUndo evaluates the compensation's payload, unless a corrected one is given, and creates its command.
func (m *machine) createUndo(i int, payload json.RawMessage, edition int) {
	def := &m.def.Steps[i]
	if payload == nil {
		var err error
		if payload, err = m.undoPayload(i); err == nil && m.next.size()+len(payload) > MaxInstanceBytes {
			err = errTooLarge
		}
		if err != nil {
			m.undoFailed(Fact{Step: def.Name, Code: "expression", Message: err.Error()}, "its payload cannot be evaluated")
			m.raise(AttentionExpression, def.Name, err.Error())
			return
		}
	}
	c := def.Compensation
	m.send(i, Fact{
		Type: UndoStarted, Step: def.Name, Verb: Compensate, Edition: edition, Attempt: 1, Renewed: true, Payload: payload,
		ExpiresAt: m.env.At.Add(c.Timeout), Why: "Undoing " + def.Name + ": " + c.Command + " to " + def.Participant + ".",
	}, c.Command)
}

// undoPayload is what the compensation is asked with: its own payload, else what was sent and what was answered.
func (m *machine) undoPayload(i int) (json.RawMessage, error) {
	if p := m.def.Steps[i].Compensation.Payload; p != nil {
		return p.Eval(m.scope(i, true))
	}
	s := &m.next.Steps[i]
	forward, output := orNull(s.Forward.Payload), orNull(s.Output)
	b := make([]byte, 0, len(forward)+len(output)+24)
	b = append(append(b, `{"payload":`...), forward...)
	b = append(append(b, `,"output":`...), output...)
	return append(b, '}'), nil
}

// undoFailed leaves the step to a person. f says what happened.
func (m *machine) undoFailed(f Fact, why string) {
	f.Type, f.Verb, f.Effect, f.Why = UndoRefused, Compensate, EffectUndoFailed, f.Step+" cannot be undone: "+why+"."
	m.emit(f)
	m.raise(AttentionUndoFailed, f.Step, f.Message)
}
