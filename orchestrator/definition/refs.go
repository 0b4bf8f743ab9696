package definition

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// view is what an expression may refer to.
type view struct {
	names    []string        // of all steps
	settled  map[string]bool // steps that have run, or were skipped, whenever the expression is evaluated
	self     string          // the step that it belongs to; empty: the saga
	own      bool            // `output` is there: a compensation
	atStart  bool            // evaluated when a saga starts
	describe string          // for messages, such as "a payload"
}

// checkStep answers what is wrong with referring to a step's output; empty if nothing is.
func (v *view) checkStep(name string) string {
	switch {
	case !slices.Contains(v.names, name):
		return fmt.Sprintf("there is no step %q%s", name, didYouMean(name, v.names))
	case v.atStart:
		return fmt.Sprintf("%s is evaluated when a saga starts, and %s has not run then: only input is there", v.describe, name)
	case name == v.self && v.own:
		return "a compensation finds its own step's output in `output`"
	case name == v.self:
		return fmt.Sprintf("%s has not run yet when %s is evaluated", name, v.describe)
	case !v.settled[name]:
		return fmt.Sprintf("%s need not have run before %s: only steps that come before it can be referred to", name, v.self)
	}
	return ""
}

const (
	wantStepOutput = "a step is referred to as steps['name'].output"
	noOwnOutput    = "output is there in a compensation's payload alone; a step's output is steps['name'].output"
)

// checkPath answers what is wrong with a plain path here; empty if nothing is.
func (v *view) checkPath(p plainPath) string {
	switch {
	case p.root == stepsRoot && p.step == "":
		return wantStepOutput
	case p.root == stepsRoot:
		return v.checkStep(p.step)
	case p.root == outputRoot && !v.own:
		return noOwnOutput
	}
	return ""
}

// references walks a parsed expression and finds what it refers to.
type references struct {
	view  *view
	steps []string
	uses  map[string]bool // roots
	fault func(id int64, message string)
}

func (r *references) visit(e ast.Expr) {
	if name, ok := stepRef(e); ok {
		r.fault(e.ID(), fmt.Sprintf("%s; here steps['%s'] stands without .output", wantStepOutput, name))
		return
	}
	switch e.Kind() {
	case ast.IdentKind:
		r.ident(e)
	case ast.SelectKind:
		s := e.AsSelect()
		name, ok := stepRef(s.Operand())
		if !ok {
			r.visit(s.Operand())
			return
		}
		r.output(e.ID(), name, s)
	case ast.CallKind:
		r.call(e.ID(), e.AsCall())
	case ast.ComprehensionKind:
		r.comprehension(e)
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			r.visit(item)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.visit(entry.AsMapEntry().Key())
			r.visit(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			r.visit(field.AsStructField().Value())
		}
	case ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

func (r *references) output(id int64, name string, s ast.SelectExpr) {
	switch {
	case s.FieldName() != outputRoot:
		r.fault(id, fmt.Sprintf("%s; a step has no %q", wantStepOutput, s.FieldName()))
	case s.IsTestOnly():
		r.fault(id, fmt.Sprintf("has() of a step's output is always true: compare it, steps['%s'].output != null", name))
	default:
		if message := r.view.checkStep(name); message != "" {
			r.fault(id, message)
			return
		}
		r.uses[stepsRoot] = true
		if !slices.Contains(r.steps, name) {
			r.steps = append(r.steps, name)
		}
	}
}

func (r *references) ident(e ast.Expr) {
	switch name := e.AsIdent(); name {
	case stepsRoot:
		r.fault(e.ID(), wantStepOutput)
	case outputRoot:
		if !r.view.own {
			r.fault(e.ID(), noOwnOutput)
		}
		r.uses[name] = true
	case inputRoot:
		r.uses[name] = true
	}
}

func (r *references) call(id int64, call ast.CallExpr) {
	if call.FunctionName() == "matches" {
		pattern := call.Args()[len(call.Args())-1]
		if pattern.Kind() != ast.LiteralKind {
			r.fault(id, "the pattern of matches() is a constant text: one that comes from data is not bounded")
		}
	}
	if call.IsMemberFunction() {
		r.visit(call.Target())
	}
	for _, arg := range call.Args() {
		r.visit(arg)
	}
}

func (r *references) comprehension(e ast.Expr) {
	c := e.AsComprehension()
	for _, name := range []string{c.IterVar(), c.IterVar2()} {
		if name == inputRoot || name == stepsRoot || name == outputRoot {
			r.fault(e.ID(), fmt.Sprintf("a variable of its own named %s hides what the expression can see: choose another name", name))
			return
		}
	}
	for _, part := range []ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} {
		r.visit(part)
	}
}

// stepRef reports whether e is steps['name'] or steps.name.
func stepRef(e ast.Expr) (string, bool) {
	switch e.Kind() {
	case ast.SelectKind:
		s := e.AsSelect()
		return s.FieldName(), isSteps(s.Operand())
	case ast.CallKind:
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Index, operators.OptIndex, operators.OptSelect:
		default:
			return "", false
		}
		if len(call.Args()) != 2 || !isSteps(call.Args()[0]) || call.Args()[1].Kind() != ast.LiteralKind {
			return "", false
		}
		name, ok := call.Args()[1].AsLiteral().(types.String)
		return string(name), ok
	case ast.ComprehensionKind, ast.IdentKind, ast.ListKind, ast.LiteralKind, ast.MapKind, ast.StructKind, ast.UnspecifiedExprKind:
	}
	return "", false
}

func isSteps(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == stepsRoot }

// celMessage makes CEL's messages read like ours.
func celMessage(message string) string {
	message = strings.TrimPrefix(message, "Syntax error: ")
	message = strings.ReplaceAll(message, " (in container '')", "")
	if i := strings.Index(message, " expecting {"); i >= 0 {
		message = message[:i]
	}
	if name, ok := strings.CutPrefix(message, "undeclared reference to '"); ok {
		name = strings.TrimSuffix(name, "'")
		return fmt.Sprintf("there is no %q%s", name, didYouMean(name, celNames()))
	}
	return message
}

func celNames() []string {
	return []string{inputRoot, stepsRoot, outputRoot, "has", "size", "string", "int", "double", "uint", "bool", "timestamp", "duration",
		"startsWith", "endsWith", "contains", "matches", "all", "exists", "exists_one", "map", "filter", "orValue", "or", "hasValue", "value",
		"optMap", "optFlatMap", "type", "dyn", "bytes"}
}

// hint explains an error of evaluation that CEL puts tersely.
func hint(err error) string {
	message := err.Error()
	switch {
	case strings.HasPrefix(message, "no such overload"):
		return message + " (the types do not fit: numbers with and without a fraction need double() or int() to be mixed, and null fits nothing)"
	case strings.HasPrefix(message, "no such key"):
		return message + " (use has() or .? where a key may be absent)"
	}
	return message
}

// allowedType answers what is wrong with the type of an expression; empty if nothing is.
func allowedType(t *cel.Type, want ...*cel.Type) string {
	switch t.Kind() {
	case types.DynKind, types.AnyKind, types.TypeParamKind:
		return ""
	case types.BytesKind, types.TypeKind:
		return fmt.Sprintf("a value of the type %s has no JSON form", cel.FormatCELType(t))
	}
	if len(want) == 0 || slices.ContainsFunc(want, func(w *cel.Type) bool { return w.IsExactType(t) }) {
		return ""
	}
	names := make([]string, len(want))
	for i, w := range want {
		names[i] = cel.FormatCELType(w)
	}
	return fmt.Sprintf("gives %s: want %s", cel.FormatCELType(t), alternatives(names))
}
