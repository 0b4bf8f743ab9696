package definition

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// MaxKeyBytes is how long a business key may be.
const MaxKeyBytes = 512

// condition is a `when`: it answers true or false, or fails.
type condition struct {
	e    *expression
	path string
}

// businessKey is a `key`: it answers a text that is not empty. Whole numbers become text.
type businessKey struct{ e *expression }

// labels answers an object of texts. Numbers and booleans become text, and labels that are null are left out.
type labels []label

type label struct {
	name  string
	value *template
	path  string
}

var (
	_ saga.Expr = (*condition)(nil)
	_ saga.Expr = (*businessKey)(nil)
	_ saga.Expr = labels(nil)
)

// Eval answers true or false.
func (c *condition) Eval(scope saga.Scope) (json.RawMessage, error) {
	raw, err := c.e.eval(&frame{scope: scope, needs: c.e.needs})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.path, err)
	}
	if s := string(raw); s != "true" && s != "false" {
		return nil, fmt.Errorf("%s: %s gives %s: want true or false", c.path, shorten(c.e.src), shorten(s))
	}
	return raw, nil
}

// Eval answers a JSON string.
func (k *businessKey) Eval(scope saga.Scope) (json.RawMessage, error) {
	raw, err := k.e.eval(&frame{scope: scope, needs: k.e.needs})
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	text, err := keyText(raw)
	if err != nil {
		return nil, fmt.Errorf("key: %s: %w", shorten(k.e.src), err)
	}
	return appendString(nil, text), nil
}

func keyText(raw json.RawMessage) (string, error) {
	text := string(raw)
	switch {
	case raw[0] == '"':
		text = unquote(raw)
	case isNull(raw):
		return "", errors.New("is null: a saga of this definition needs a business key")
	case numberText().Match(raw) && !strings.ContainsAny(text, ".eE"):
	default:
		return "", fmt.Errorf("gives %s: want text or a whole number", shorten(text))
	}
	if text == "" || len(text) > MaxKeyBytes {
		return "", fmt.Errorf("is %d bytes long: want 1 to %d", len(text), MaxKeyBytes)
	}
	return text, nil
}

// Eval answers an object of strings.
func (l labels) Eval(scope saga.Scope) (json.RawMessage, error) {
	out := []byte{'{'}
	for _, label := range l {
		raw, err := label.value.Eval(scope)
		if err != nil {
			return nil, err
		}
		switch raw[0] {
		case 'n':
			continue
		case '{', '[':
			return nil, fmt.Errorf("%s: want text", label.path)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(appendString(out, label.name), ':')
		if raw[0] == '"' {
			out = append(out, raw...)
		} else {
			out = appendString(out, string(raw))
		}
	}
	return append(out, '}'), nil
}

// bare compiles an expression that stands without ${}; nil after a problem.
func (c *compiler) bare(n *node, path string, v *view, want ...*cel.Type) *expression {
	switch {
	case n.kind != stringKind:
		c.add(n.pos, path, "%s: want an expression as text", n.kind)
		return nil
	case strings.HasPrefix(strings.TrimSpace(n.text), "${"):
		c.add(n.pos, path, "write the expression without ${}: it is no template")
		return nil
	}
	return c.compile(n.text, spot{n, 0, path}, v, want...)
}

// labels compiles labels; nil after a problem.
func (c *compiler) labels(n *node, v *view) labels {
	if n.kind != objectKind {
		c.add(n.pos, "labels", "%s: want an object of texts", n.kind)
		return nil
	}
	compiled := labels{}
	for i, key := range n.keys {
		path := fieldPath("labels", key.text)
		if key.text == "" || len(key.text) > 63 || strings.Contains(key.text, ":") {
			c.add(key.pos, path, "a label's name has 1 to 63 characters and no colon")
		}
		if n.items[i].kind != stringKind {
			c.add(n.items[i].pos, path, "%s: want text, such as \"${input.region}\"", n.items[i].kind)
			continue
		}
		if t := c.template(n.items[i], path, v); t != nil {
			compiled = append(compiled, label{key.text, t, path})
		}
	}
	slices.SortFunc(compiled, func(a, b label) int { return strings.Compare(a.name, b.name) })
	return compiled
}
