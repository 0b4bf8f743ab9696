package definition

import (
	"maps"

	"cel.dev/cel-go/cel"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// expressions compiles every expression and schema of the definition.
func (r *reader) expressions() {
	env, err := newEnv()
	if err != nil { // the environment is constant: its test fails first
		r.add(r.root.pos, "", "set up CEL: %v", err)
		return
	}
	c := &compiler{r.collector, env}
	d, names := r.def, r.stepNames()
	if n := r.root.get("input"); n != nil {
		d.Input = c.schema(n, "input")
	}
	start := func(what string) *view { return &view{names: names, atStart: true, describe: what} }
	if n := r.root.get("key"); n != nil {
		if e := c.bare(n, "key", start("the key"), cel.StringType, cel.IntType); e != nil {
			d.Key = &businessKey{e}
		}
	}
	if n := r.root.get("labels"); n != nil {
		d.Labels = c.labels(n, start("a label"))
	}
	for i, n := range r.steps {
		r.stepExpressions(c, i, n, names)
	}
	if n := r.root.get("output"); n != nil {
		settled := map[string]bool{}
		for _, name := range names {
			settled[name] = true
		}
		if t := c.template(n, "output", &view{names: names, settled: settled, describe: "the output"}); t != nil {
			d.Output = t
		}
	}
}

func (r *reader) stepExpressions(c *compiler, i int, n *node, names []string) {
	s, path := &r.def.Steps[i], indexPath("steps", i)
	forward := view{names: names, self: s.Name, settled: map[string]bool{}, describe: "its payload"}
	for a := range maps.Keys(r.ancestors[i]) {
		if a != i {
			forward.settled[names[a]] = true
		}
	}
	if n := n.get("when"); n != nil {
		when := forward
		when.describe = "its condition"
		if e := c.bare(n, fieldPath(path, "when"), &when, cel.BoolType); e != nil {
			s.When = &condition{e, fieldPath(path, "when")}
		}
	}
	if n := n.get("payload"); n != nil {
		s.Payload = orNil(c.template(n, fieldPath(path, "payload"), &forward))
	}
	if n := n.get("returns"); n != nil {
		s.Returns = c.schema(n, fieldPath(path, "returns"))
	}
	if s.Compensation == nil {
		return
	}
	if n := n.get("compensation").get("payload"); n != nil {
		undo := forward
		undo.own = true
		s.Compensation.Payload = orNil(c.template(n, fieldPath(fieldPath(path, "compensation"), "payload"), &undo))
	}
}

// orNil keeps a nil template from becoming an interface that is not nil.
func orNil(t *template) saga.Expr {
	if t == nil {
		return nil
	}
	return t
}
