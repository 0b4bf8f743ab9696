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

// need is what CEL needs of a root: only that is decoded.
type need struct {
	whole  bool
	fields []string // of an object; without whole
}

// needs are the roots that an expression refers to: input, output, and each step's output by stepKey.
type needs map[string]need

func stepKey(step string) string { return stepsRoot + "/" + step }

func (n needs) add(root string, more need) {
	have := n[root]
	have.whole = have.whole || more.whole
	for _, field := range more.fields {
		if !slices.Contains(have.fields, field) {
			have.fields = append(have.fields, field)
		}
	}
	n[root] = have
}

// only reports whether nothing but that root is needed.
func (n needs) only(root string) bool {
	_, found := n[root]
	return found && len(n) == 1
}

// references walks a parsed expression and finds what it refers to.
type references struct {
	view  *view
	needs needs
	fault func(id int64, message string)
}

func (r *references) visit(e ast.Expr) {
	if name, ok := stepRef(e); ok {
		r.fault(e.ID(), fmt.Sprintf("%s; here steps['%s'] stands without .output", wantStepOutput, name))
		return
	}
	if r.root(e, need{whole: true}) {
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		s := e.AsSelect()
		if !r.root(s.Operand(), need{fields: []string{s.FieldName()}}) {
			r.visit(s.Operand())
		}
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
		r.fault(e.ID(), fmt.Sprintf("there is no type %s: write {'name': value}", e.AsStruct().TypeName()))
	case ast.IdentKind, ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

// root reports whether e is input, output, or a step's output, and notes what is needed of it.
func (r *references) root(e ast.Expr, what need) bool {
	switch e.Kind() {
	case ast.IdentKind:
		switch name := e.AsIdent(); name {
		case stepsRoot:
			r.fault(e.ID(), wantStepOutput)
			return true
		case outputRoot:
			if !r.view.own {
				r.fault(e.ID(), noOwnOutput)
			}
			r.needs.add(name, what)
			return true
		case inputRoot:
			r.needs.add(name, what)
			return true
		}
	case ast.SelectKind:
		s := e.AsSelect()
		if name, ok := stepRef(s.Operand()); ok {
			r.output(e.ID(), name, s, what)
			return true
		}
	case ast.CallKind, ast.ComprehensionKind, ast.ListKind, ast.LiteralKind, ast.MapKind, ast.StructKind, ast.UnspecifiedExprKind:
	}
	return false
}

func (r *references) output(id int64, name string, s ast.SelectExpr, what need) {
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
		r.needs.add(stepKey(name), what)
	}
}

func (r *references) call(id int64, call ast.CallExpr) {
	if call.FunctionName() == "matches" {
		pattern := call.Args()[len(call.Args())-1]
		if pattern.Kind() != ast.LiteralKind {
			r.fault(id, "the pattern of matches() is a constant text: one that comes from data is not bounded")
		}
	}
	if field, ok := constantField(call); ok && r.root(call.Args()[0], need{fields: []string{field}}) {
		return
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
		name, ok := constantField(e.AsCall())
		return name, ok && isSteps(e.AsCall().Args()[0])
	case ast.ComprehensionKind, ast.IdentKind, ast.ListKind, ast.LiteralKind, ast.MapKind, ast.StructKind, ast.UnspecifiedExprKind:
	}
	return "", false
}

// constantField reports whether a call is x['name'], x[?'name'] or x.?name.
func constantField(call ast.CallExpr) (string, bool) {
	switch call.FunctionName() {
	case operators.Index, operators.OptIndex, operators.OptSelect:
	default:
		return "", false
	}
	if len(call.Args()) != 2 || call.Args()[1].Kind() != ast.LiteralKind {
		return "", false
	}
	name, ok := call.Args()[1].AsLiteral().(types.String)
	return string(name), ok
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
		name, _, _ = strings.Cut(name, "'")
		return fmt.Sprintf("there is no %q%s", name, didYouMean(name, celNames()))
	}
	return message
}

func celNames() []string {
	return []string{
		inputRoot, stepsRoot, outputRoot, "has", "size", "string", "int", "double", "uint", "bool", "timestamp", "duration",
		"startsWith", "endsWith", "contains", "matches", "all", "exists", "exists_one", "map", "filter", "orValue", "or", "hasValue", "value",
		"optMap", "optFlatMap", "type", "dyn", "bytes",
	}
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
