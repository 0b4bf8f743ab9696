package definition

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// expression is a plain path, or CEL's program where it is something larger.
type expression struct {
	src     string
	path    *plainPath
	program cel.Program
	needs   needs // of CEL
}

// eval answers raw JSON. An error begins with the expression's source.
func (e *expression) eval(f *frame) (json.RawMessage, error) {
	if e.path != nil {
		return e.path.eval(&f.scope), nil
	}
	v, err := e.run(f)
	if err != nil {
		return nil, err
	}
	out, err := appendValue(nil, v)
	if err == nil && len(out) > saga.MaxInstanceBytes {
		err = errTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s", shorten(e.src), hint(err))
	}
	return out, nil
}

func (e *expression) run(f *frame) (ref.Val, error) {
	v, _, err := e.program.Eval(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", shorten(e.src), hint(err))
	}
	return v, nil
}

// frame is one evaluation of a template: what its expressions decode is decoded once. It is not safe for concurrent use.
type frame struct {
	scope   saga.Scope
	needs   needs // of all the template's CEL
	decoded map[string]ref.Val
}

// ResolveName implements CEL's Activation.
func (f *frame) ResolveName(name string) (any, bool) {
	if v, ok := f.decoded[name]; ok {
		return v, true
	}
	var v ref.Val
	switch name {
	case inputRoot:
		v = decodeNeeded(f.scope.Input, f.needs[name])
	case outputRoot:
		v = decodeNeeded(f.scope.Output, f.needs[name])
	case stepsRoot:
		v = f.steps()
	default:
		return nil, false
	}
	if f.decoded == nil {
		f.decoded = make(map[string]ref.Val, 3)
	}
	f.decoded[name] = v
	return v, true
}

func (f *frame) steps() ref.Val {
	steps := make(map[ref.Val]ref.Val, len(f.needs))
	for key, what := range f.needs {
		if step, ok := strings.CutPrefix(key, stepKey("")); ok {
			steps[types.String(step)] = types.NewRefValMap(types.DefaultTypeAdapter,
				map[ref.Val]ref.Val{types.String(outputRoot): decodeNeeded(stepOutput(&f.scope, step), what)})
		}
	}
	return types.NewRefValMap(types.DefaultTypeAdapter, steps)
}

// Parent implements CEL's Activation.
func (f *frame) Parent() cel.Activation { return nil }

// compiler turns sources of expressions into expressions, and reports what is wrong with them.
type compiler struct {
	*collector
	env *cel.Env
}

// spot is where an expression stands.
type spot struct {
	node   *node
	offset int // of its first character within the node's text
	path   string
}

func (s spot) at(offset int) position { return s.node.charPos(s.offset + offset) }

// compile answers nil after a problem. Where types are wanted, CEL must give one of them, or one that is known only later.
func (c *compiler) compile(src string, at spot, v *view, want ...*cel.Type) *expression {
	if strings.TrimSpace(src) == "" {
		c.add(at.at(0), at.path, "an empty expression")
		return nil
	}
	if p, ok := parsePlain(src); ok {
		if message := v.checkPath(p); message != "" {
			c.add(at.at(len(src)-len(strings.TrimLeft(src, " \t\n"))), at.path, "%s", message)
			return nil
		}
		return &expression{src: src, path: &p}
	}
	parsed, issues := c.env.Parse(src)
	if c.issues(issues, at) {
		return nil
	}
	refs := &references{view: v, needs: needs{}}
	good := true
	refs.fault = func(id int64, message string) {
		good = false
		start := parsed.NativeRep().SourceInfo().GetStartLocation(id)
		c.add(at.located(start.Line(), start.Column()), at.path, "%s", message)
	}
	refs.visit(parsed.NativeRep().Expr())
	if !good {
		return nil
	}
	checked, issues := c.env.Check(parsed)
	if c.issues(issues, at) {
		return nil
	}
	if message := allowedType(checked.OutputType(), want...); message != "" {
		c.add(at.at(0), at.path, "%s %s", strings.TrimSpace(src), message)
		return nil
	}
	program, err := c.env.Program(checked, limits()...)
	if err != nil {
		c.add(at.at(0), at.path, "%s", celMessage(err.Error()))
		return nil
	}
	e := &expression{src: src, program: program, needs: refs.needs}
	if !c.rehearse(e, checked, at, v) {
		return nil
	}
	return e
}

// issues reports CEL's own problems; false if there are none.
func (c *compiler) issues(issues *cel.Issues, at spot) bool {
	if issues == nil || issues.Err() == nil {
		return false
	}
	for _, e := range issues.Errors() {
		c.add(at.located(e.Location.Line(), e.Location.Column()), at.path, "%s", celMessage(e.Message))
	}
	return true
}

// located is the place of CEL's line (from 1) and column (from 0).
func (s spot) located(line, column int) position {
	if line != 1 {
		return s.node.pos
	}
	return s.at(max(column, 0))
}

// rehearse evaluates an expression with everything unknown but the step's own output, which is null: steps that may have had an
// effect without ever answering are undone too. What fails so always fails.
func (c *compiler) rehearse(e *expression, checked *cel.Ast, at spot, v *view) bool {
	program, err := c.env.Program(checked, append(limits(), cel.EvalOptions(cel.OptPartialEval))...)
	if err != nil {
		c.add(at.at(0), at.path, "%s", err)
		return false
	}
	vars, err := cel.PartialVars(map[string]any{outputRoot: nil}, cel.AttributePattern(inputRoot), cel.AttributePattern(stepsRoot))
	if err != nil {
		c.add(at.at(0), at.path, "%s", err)
		return false
	}
	value, _, err := program.Eval(vars)
	if err == nil && !types.IsUnknown(value) {
		_, err = appendValue(nil, value)
	}
	if err == nil {
		return true
	}
	if _, uses := e.needs[outputRoot]; uses {
		c.add(at.at(0), at.path, "output is null when the step was never answered, and then this fails: %s", hint(err))
	} else {
		c.add(at.at(0), at.path, "this always fails: %s", hint(err))
	}
	return false
}

// errNullText is an expression within a text that gave null.
var errNullText = errors.New("null cannot be inserted into a text")
