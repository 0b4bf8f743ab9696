package definition

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/types"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// template is a JSON value with expressions in its strings, flattened: constant JSON between the values of expressions.
type template struct {
	segments []segment
	size     int   // of the constants
	needs    needs // of its CEL
}

var _ saga.Expr = (*template)(nil)

// segment is constant JSON followed by an expression's value.
type segment struct {
	constant []byte
	e        *expression // nil: none
	asText   bool        // inserted into a string
	path     string
}

// Eval answers the template with its expressions evaluated. It is safe for concurrent use.
func (t *template) Eval(scope saga.Scope) (json.RawMessage, error) {
	f := &frame{scope: scope, needs: t.needs}
	if s := t.segments[0]; len(t.segments) == 1 && len(s.constant) == 0 && s.e != nil {
		raw, err := s.e.eval(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.path, err)
		}
		return raw, nil
	}
	out := make([]byte, 0, t.size+64*len(t.segments))
	for _, s := range t.segments {
		out = append(out, s.constant...)
		if s.e == nil {
			continue
		}
		var err error
		if out, err = s.append(out, f); err != nil {
			return nil, fmt.Errorf("%s: %w", s.path, err)
		}
		if len(out) > saga.MaxInstanceBytes {
			return nil, fmt.Errorf("%s: %w", s.path, errTooLarge)
		}
	}
	return out, nil
}

func (s *segment) append(out []byte, f *frame) ([]byte, error) {
	raw, err := s.e.eval(f)
	if err != nil {
		return nil, err
	}
	if !s.asText {
		return append(out, raw...), nil
	}
	switch raw[0] {
	case 'n':
		return nil, fmt.Errorf("%s: %w", shorten(s.e.src), errNullText)
	case '"': // both are inside of JSON strings: what is escaped there is escaped here
		return append(out, raw[1:len(raw)-1]...), nil
	case '{', '[':
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			return nil, fmt.Errorf("%s: %w", shorten(s.e.src), err)
		}
		return appendEscaped(out, compact.String()), nil
	}
	return append(out, raw...), nil
}

// templateBuilder flattens a template.
type templateBuilder struct {
	*compiler
	view *view
	t    template
	text []byte // constant JSON since the last expression
	bad  bool
}

// template compiles a template; nil after a problem.
func (c *compiler) template(n *node, path string, v *view) *template {
	b := &templateBuilder{compiler: c, view: v}
	b.value(n, path)
	if b.bad {
		return nil
	}
	if len(b.text) > 0 || len(b.t.segments) == 0 {
		b.t.segments = append(b.t.segments, segment{constant: b.text})
		b.t.size += len(b.text)
	}
	return &b.t
}

func (b *templateBuilder) value(n *node, path string) {
	switch n.kind {
	case nullKind, boolKind, numberKind:
		b.text = n.appendJSON(b.text)
	case stringKind:
		b.string(n, path)
	case arrayKind:
		b.text = append(b.text, '[')
		for i, item := range n.items {
			if i > 0 {
				b.text = append(b.text, ',')
			}
			b.value(item, indexPath(path, i))
		}
		b.text = append(b.text, ']')
	case objectKind:
		b.object(n, path)
	}
}

// object writes keys in their order by bytes, as the canonical JSON has them: a definition that was stored and read again must
// give the same bytes.
func (b *templateBuilder) object(n *node, path string) {
	b.text = append(b.text, '{')
	for i, at := range n.sorted() {
		key := n.keys[at]
		if i > 0 {
			b.text = append(b.text, ',')
		}
		if strings.Contains(key.text, "${") {
			b.bad = true
			b.add(key.pos, fieldPath(path, key.text), "expressions stand in values, not in keys")
		}
		b.text = append(appendString(b.text, key.text), ':')
		b.value(n.items[at], fieldPath(path, key.text))
	}
	b.text = append(b.text, '}')
}

func (b *templateBuilder) string(n *node, path string) {
	pieces, unclosed := split(n.text)
	if unclosed >= 0 {
		b.bad = true
		b.add(n.charPos(unclosed), path, "${ without its }; write $${ for the text itself")
		return
	}
	if len(pieces) == 1 && pieces[0].expression {
		b.expression(n, pieces[0], path, false)
		return
	}
	b.text = append(b.text, '"')
	for _, p := range pieces {
		if p.expression {
			b.expression(n, p, path, true)
		} else {
			b.text = appendEscaped(b.text, p.text)
		}
	}
	b.text = append(b.text, '"')
}

func (b *templateBuilder) expression(n *node, p piece, path string, asText bool) {
	at := spot{n, p.offset, path}
	e := b.compile(p.text, at, b.view)
	if e == nil || asText && !b.neverNull(e, at) {
		b.bad = true
		return
	}
	b.t.segments = append(b.t.segments, segment{b.text, e, asText, path})
	b.t.size += len(b.text)
	b.text = nil
	for root, what := range e.needs {
		if b.t.needs == nil {
			b.t.needs = needs{}
		}
		b.t.needs.add(root, what)
	}
}

// neverNull reports, as a problem, an expression within a text that is null when the step's own output is.
func (b *templateBuilder) neverNull(e *expression, at spot) bool {
	switch {
	case e.path != nil && e.path.root == outputRoot:
	case e.path == nil && e.needs.only(outputRoot):
		v, err := e.run(&frame{needs: e.needs})
		if err != nil || v == nil {
			return true // reported by the rehearsal
		}
		if o, ok := v.(*types.Optional); ok && !o.HasValue() {
			break
		}
		if v != types.NullValue {
			return true
		}
	default:
		return true
	}
	b.add(at.at(0), at.path, "output is null when the step was never answered, and null cannot be inserted into a text")
	return false
}
