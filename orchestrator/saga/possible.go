package saga

// Choice is an action that a saga's state allows.
type Choice struct {
	Action Action
	Step   string // empty: the saga as a whole
}

// Possible lists what an operator could do with a saga now, actions on the whole first, then those on each step in the order of the
// steps. env is that of now, as for Blocked. An action with an output or a payload can still be refused for what it gives, and a
// rebind for the version that it names.
func Possible(def *Definition, in Instance, env Env) []Choice {
	var out []Choice
	try := newTrial(def, &in, env)
	for _, action := range Actions() {
		if !action.NeedsStep() {
			if try.allows(Acted{Action: action}) {
				out = append(out, Choice{Action: action})
			}
		}
	}
	if !in.Status.Terminal() && in.Broken == "" {
		out = append(out, Choice{Action: ActionRebind})
	}
	for i := range def.Steps {
		for _, action := range Actions() {
			if action.NeedsStep() && try.allows(Acted{Action: action, Step: def.Steps[i].Name}) {
				out = append(out, Choice{action, def.Steps[i].Name})
			}
		}
	}
	return out
}

// trial asks whether actions would be refused for a saga's state.
type trial struct {
	def *Definition
	in  *Instance
	env Env
	m   *machine // as the saga stands; nil after an action was tried that changed it
}

func newTrial(def *Definition, in *Instance, env Env) *trial {
	return &trial{def: def, in: in, env: env}
}

// allows reports whether the action would be done, and would change something.
func (t *trial) allows(a Acted) bool {
	if t.m == nil {
		t.m = newMachine(t.def, *t.in, Event{Env: t.env})
		t.m.trial = true
	}
	refused := t.m.tryAct(a) != nil // a refusal changes nothing, so the machine serves again
	ignored := t.m.ignored
	if !refused {
		t.m = nil
	}
	return !refused && !ignored
}
