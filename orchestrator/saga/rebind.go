package saga

import (
	"fmt"
	"slices"
	"strings"
)

// Target is the version that a saga is rebound to (design rule 16), and the holds that concern the sagas of that version.
type Target struct {
	Definition *Definition
	Holds      []Hold
}

// Rebound is what a saga.rebound tells.
type Rebound struct {
	From int `json:"from"` // version
	To   int `json:"to"`
	// Legs are the attempts past the old version's max_attempts as they stood, of which not every one is a fact (design rule 15):
	// the new version may have more attempts, and from then on each of them is.
	Legs []LegState `json:"legs,omitempty"`
}

// LegState is a leg of a step as it stood; without its payload, which does not change.
type LegState struct {
	Step   int        `json:"step"` // its index
	Verb   Verb       `json:"verb"` // Execute or Compensate
	Status StepStatus `json:"status"`
	Error  *Failure   `json:"error,omitempty"`
	Leg    Leg        `json:"leg"`
}

// Differences names what keeps a saga of d from going on as one of `to`: another graph, or another command. Policies,
// expressions and schemas may differ. Empty: it fits.
func (d *Definition) Differences(to *Definition) []string {
	var out []string
	differ := func(path string, old, new any) {
		if old, new := fmt.Sprint(old), fmt.Sprint(new); old != new {
			out = append(out, fmt.Sprintf("%s is %s in version %d and %s in version %d", path, orNothing(old), d.Version, orNothing(new), to.Version))
		}
	}
	differ("saga", d.Name, to.Name)
	differ("the number of steps", len(d.Steps), len(to.Steps))
	for i := range min(len(d.Steps), len(to.Steps)) {
		a, b := &d.Steps[i], &to.Steps[i]
		differ(stepPath(i, "name"), a.Name, b.Name)
		differ(stepPath(i, "participant"), a.Participant, b.Participant)
		differ(stepPath(i, "command"), a.Command, b.Command)
		differ(stepPath(i, "kind"), a.Kind, b.Kind)
		differ(stepPath(i, "effect"), effectWord(a), effectWord(b))
		differ(stepPath(i, "after"), d.stepNames(a.After), to.stepNames(b.After))
		differ(stepPath(i, "probe"), a.Probe, b.Probe)
		differ(stepPath(i, "compensation.command"), undoCommand(a), undoCommand(b))
	}
	return out
}

func orNothing(text string) string {
	if text == "" {
		return "absent"
	}
	return text
}

func effectWord(s *Step) string {
	if s.EffectNone {
		return "none"
	}
	return ""
}

func undoCommand(s *Step) string {
	if s.Compensation == nil {
		return ""
	}
	return s.Compensation.Command
}

func (d *Definition) stepNames(steps []int) string {
	names := make([]string, len(steps))
	for k, i := range steps {
		names[k] = d.Steps[i].Name
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// rebind gives the saga another version of its definition (design rule 16).
func (m *machine) rebind(a Acted) *RefusedError {
	in := &m.next
	if a.To == nil || a.To.Definition == nil {
		return refuse(CodeNoSuchVersion, "%s has no version %d", in.Saga, a.Version)
	}
	to := a.To.Definition
	if to.Version == in.Version {
		return refuse(CodeNothingToDo, "the saga is on version %d already", in.Version)
	}
	if differences := m.def.Differences(to); len(differences) > 0 {
		return refuse(CodeDoesNotFit, "%s", strings.Join(differences, "; "))
	}
	if to.Input != nil {
		if err := to.Input.Validate(in.Input); err != nil {
			return refuse(CodeDoesNotFit, "the saga's input does not fit version %d: %s", to.Version, err)
		}
	}
	m.emit(Fact{
		Type: SagaRebound, Rebound: &Rebound{From: in.Version, To: to.Version, Legs: m.unrecorded()}, By: a.By, Wish: a.Reason,
		Why: fmt.Sprintf("The saga goes on by version %d, no longer %d.", to.Version, in.Version),
	})
	m.def, m.env.Holds = to, a.To.Holds
	return nil
}

// unrecorded are the legs of which not every attempt is a fact.
func (m *machine) unrecorded() []LegState {
	var out []LegState
	add := func(i int, verb Verb, leg Leg, most int) {
		if leg.Attempts <= most {
			return
		}
		leg.Payload = nil
		s := &m.next.Steps[i]
		state := LegState{Step: i, Verb: verb, Status: s.Status, Leg: leg}
		if s.Error != nil {
			failure := *s.Error
			state.Error = &failure
		}
		out = append(out, state)
	}
	for i := range m.next.Steps {
		def := &m.def.Steps[i]
		add(i, Execute, m.next.Steps[i].Forward, def.Retry.MaxAttempts)
		if def.Compensation != nil {
			add(i, Compensate, m.next.Steps[i].Backward, def.Compensation.Retry.MaxAttempts)
		}
	}
	return out
}

// applyRebound folds a saga.rebound. A command keeps the version that it was created under for all its attempts (S5).
func (in *Instance) applyRebound(r *Rebound) {
	for i := range in.Steps {
		for _, leg := range []*Leg{&in.Steps[i].Forward, &in.Steps[i].Backward} {
			if leg.Created && leg.Version == 0 {
				leg.Version = r.From
			}
		}
	}
	for _, state := range r.Legs {
		s := &in.Steps[state.Step]
		leg := &s.Forward
		if state.Verb == Compensate {
			leg = &s.Backward
		}
		payload, version := leg.Payload, leg.Version
		*leg = state.Leg
		leg.Payload, leg.Version = payload, version
		s.Status, s.Error = state.Status, nil
		if state.Error != nil {
			failure := *state.Error
			s.Error = &failure
		}
	}
	in.Version = r.To
}
