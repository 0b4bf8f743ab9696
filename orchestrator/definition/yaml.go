package definition

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// parse reads the source into a tree; nil after a problem.
func parse(c *collector) *node {
	if len(c.src) > MaxSourceBytes {
		c.add(position{1, 1}, "", "%d bytes: at most %d are read", len(c.src), MaxSourceBytes)
		return nil
	}
	c.src = bytes.TrimPrefix(c.src, []byte("\uFEFF"))
	if !c.characters() {
		return nil
	}
	trimmed := bytes.TrimLeft(c.src, " \t\r\n")
	if strings.HasSuffix(c.file, ".json") || bytes.HasPrefix(trimmed, []byte("{")) && json.Valid(trimmed) {
		return readJSON(c)
	}
	return readYAML(c)
}

// characters reports, as a problem, the first byte that neither JSON nor YAML may have.
func (c *collector) characters() bool {
	line, start := 1, 0
	for i := 0; i < len(c.src); {
		r, size := utf8.DecodeRune(c.src[i:])
		at := position{line, utf8.RuneCount(c.src[start:i]) + 1}
		switch {
		case r == utf8.RuneError && size <= 1:
			c.add(at, "", "not UTF-8: byte 0x%02x", c.src[i])
			return false
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f, r == 0xFFFE, r == 0xFFFF:
			c.add(at, "", "the control character %U", r)
			return false
		case r == '\n':
			line, start = line+1, i+1
		}
		i += size
	}
	return true
}

func readYAML(c *collector) *node {
	dec := yaml.NewDecoder(bytes.NewReader(c.src))
	var doc, next yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		c.add(position{1, 1}, "", "empty: want a definition")
		return nil
	}
	if err != nil {
		c.yamlError(err)
		return nil
	}
	switch err := dec.Decode(&next); {
	case errors.Is(err, io.EOF):
	case err != nil:
		c.yamlError(err)
		return nil
	default:
		c.add(position{next.Line, next.Column}, "", "a second document: want one definition")
		return nil
	}
	r := &yamlReader{c: c, number: numberText(), odd: oddNumbers(), open: map[*yaml.Node]bool{}}
	return r.value(doc.Content[0], 0, "")
}

func (c *collector) yamlError(err error) {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		c.add(position{1, 1}, "", "not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	message := load.Message
	if load.ContextMsg != "" {
		message += " " + load.ContextMsg
	}
	c.add(position{load.Mark.Line, load.Mark.Column}, "", "not YAML: %s", message)
}

// oddNumbers matches what YAML 1.2 takes for a number and JSON does not.
func oddNumbers() *regexp.Regexp {
	return regexp.MustCompile(`^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
}

// yamlReader turns YAML's nodes into JSON values: YAML 1.2's core schema, so yes and on are text.
type yamlReader struct {
	c           *collector
	budget      budget
	number, odd *regexp.Regexp
	open        map[*yaml.Node]bool // what aliases are being followed
	full        bool
}

// value reads y; nil after a problem that makes it useless.
func (r *yamlReader) value(y *yaml.Node, depth int, path string) *node {
	at := position{y.Line, y.Column}
	if r.full {
		return nil
	}
	if !r.budget.spend(len(y.Value)) || depth > maxTreeDepth {
		r.full = true
		r.c.add(at, shorten(path), "too large: at most %d values, nested at most %d deep, what aliases repeat included", maxTreeNodes, maxTreeDepth)
		return nil
	}
	if y.Style&yaml.TaggedStyle != 0 && (y.Tag != "!!str" || y.Kind != yaml.ScalarNode) {
		r.c.add(at, path, "the tag %s: tags are not allowed", y.Tag)
		return nil
	}
	switch y.Kind {
	case yaml.AliasNode:
		if r.open[y.Alias] {
			r.c.add(at, path, "the alias *%s stands inside what it names", y.Value)
			return nil
		}
		r.open[y.Alias] = true
		defer delete(r.open, y.Alias)
		return r.value(y.Alias, depth, path)
	case yaml.ScalarNode:
		return r.scalar(y, at, path)
	case yaml.SequenceNode:
		n := &node{kind: arrayKind, pos: at}
		for i, item := range y.Content {
			if v := r.value(item, depth+1, indexPath(path, i)); v != nil {
				n.items = append(n.items, v)
			}
		}
		return n
	case yaml.MappingNode:
		return r.object(y, at, depth, path)
	case yaml.DocumentNode, yaml.StreamNode:
	}
	r.c.add(at, path, "not a JSON value")
	return nil
}

func (r *yamlReader) object(y *yaml.Node, at position, depth int, path string) *node {
	n := &node{kind: objectKind, pos: at}
	seen := map[string]position{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := r.key(y.Content[i], path)
		if key == nil {
			continue
		}
		item := r.value(y.Content[i+1], depth+1, fieldPath(path, key.text))
		if r.c.duplicate(seen, key, path) || item == nil {
			continue
		}
		n.keys, n.items = append(n.keys, key), append(n.items, item)
	}
	return n
}

func (r *yamlReader) key(y *yaml.Node, path string) *node {
	at := position{y.Line, y.Column}
	for y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	if y.Kind != yaml.ScalarNode {
		r.c.add(at, path, "a key that is no text")
		return nil
	}
	if y.Tag == "!!merge" && plain(y) {
		r.c.add(at, path, "the merge key <<: it is not allowed")
		return nil
	}
	n := r.scalar(y, at, path)
	if n != nil && n.kind != stringKind {
		r.c.add(at, path, "the key %s is %s: put it in quotes", y.Value, n.kind)
		return nil
	}
	return n
}

func plain(y *yaml.Node) bool {
	return y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
}

func (r *yamlReader) scalar(y *yaml.Node, at position, path string) *node {
	n := &node{kind: stringKind, text: y.Value, pos: at}
	if !plain(y) {
		if y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			n.textPos = r.c.literalAt(position{at.line, at.column + 1}, y.Value)
		}
		return n
	}
	switch y.Value {
	case "", "~", "null", "Null", "NULL":
		n.kind, n.text = nullKind, ""
		return n
	case "true", "True", "TRUE", "false", "False", "FALSE":
		n.kind, n.text = boolKind, strings.ToLower(y.Value)
		return n
	}
	switch {
	case r.number.MatchString(y.Value):
		n.kind = numberKind
	case r.odd.MatchString(y.Value):
		r.c.add(at, path, "%s is no JSON number: write it as one, or in quotes if it is text", y.Value)
	default:
		n.textPos = r.c.literalAt(at, y.Value)
	}
	return n
}
