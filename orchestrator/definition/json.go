package definition

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// readJSON reads a source that is JSON: YAML's reader would refuse surrogate pairs in escapes and long keys, which JSON allows.
func readJSON(c *collector) *node {
	r := &jsonReader{c: c, dec: json.NewDecoder(bytes.NewReader(c.src)), line: 1}
	r.dec.UseNumber()
	root := r.value(0, "")
	if root == nil {
		return nil
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		c.add(r.here(), "", "text after the end of the definition")
		return nil
	}
	return root
}

type jsonReader struct {
	c      *collector
	dec    *json.Decoder
	budget budget
	// offset, line and start (of the line) are how far positions have been counted.
	offset, line, start int
}

// here is the place of the next token.
func (r *jsonReader) here() position {
	at := int(r.dec.InputOffset())
	for at < len(r.c.src) && strings.IndexByte(" \t\r\n,:", r.c.src[at]) >= 0 {
		at++
	}
	for ; r.offset < at; r.offset++ {
		if r.c.src[r.offset] == '\n' {
			r.line++
			r.start = r.offset + 1
		}
	}
	return position{r.line, utf8.RuneCount(r.c.src[r.start:at]) + 1}
}

// value reads the next value; nil after a problem.
func (r *jsonReader) value(depth int, path string) *node {
	at := r.here()
	token, err := r.dec.Token()
	if err != nil {
		r.c.add(at, path, "not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
		return nil
	}
	n := &node{pos: at}
	size := 0
	switch t := token.(type) {
	case nil:
	case bool:
		n.kind, n.text = boolKind, "false"
		if t {
			n.text = "true"
		}
	case json.Number:
		n.kind, n.text, size = numberKind, t.String(), len(t)
	case string:
		n.kind, n.text, size = stringKind, t, len(t)
		n.textPos = r.c.literalAt(position{at.line, at.column + 1}, t)
	case json.Delim:
		if t == '[' {
			n.kind = arrayKind
		} else {
			n.kind = objectKind
		}
	}
	if !r.budget.spend(size) || depth > maxTreeDepth {
		r.c.add(at, shorten(path), "too large: at most %d values, nested at most %d deep", maxTreeNodes, maxTreeDepth)
		return nil
	}
	switch n.kind {
	case arrayKind:
		return r.array(n, depth, path)
	case objectKind:
		return r.object(n, depth, path)
	case nullKind, boolKind, numberKind, stringKind:
	}
	return n
}

func (r *jsonReader) array(n *node, depth int, path string) *node {
	for r.dec.More() {
		item := r.value(depth+1, indexPath(path, len(n.items)))
		if item == nil {
			return nil
		}
		n.items = append(n.items, item)
	}
	return r.end(n, path)
}

func (r *jsonReader) object(n *node, depth int, path string) *node {
	seen := map[string]position{}
	for r.dec.More() {
		key := r.value(depth+1, path)
		if key == nil {
			return nil
		}
		item := r.value(depth+1, fieldPath(path, key.text))
		if item == nil {
			return nil
		}
		if r.c.duplicate(seen, key, path) {
			continue
		}
		n.keys, n.items = append(n.keys, key), append(n.items, item)
	}
	return r.end(n, path)
}

func (r *jsonReader) end(n *node, path string) *node {
	at := r.here()
	if _, err := r.dec.Token(); err != nil {
		r.c.add(at, path, "not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
		return nil
	}
	return n
}

// duplicate reports, as a problem, a key that its object has already.
func (c *collector) duplicate(seen map[string]position, key *node, path string) bool {
	first, found := seen[key.text]
	if found {
		c.add(key.pos, fieldPath(path, key.text), "the key %q is already there, in line %d", key.text, first.line)
		return true
	}
	seen[key.text] = key.pos
	return false
}

// literalAt answers the place if the text stands there in the source as it is, on one line; else the zero position.
func (c *collector) literalAt(at position, text string) position {
	if c.runes == nil {
		for _, line := range sourceLines(c.src) {
			c.runes = append(c.runes, []rune(line))
		}
	}
	if text == "" || at.line < 1 || at.line > len(c.runes) || at.column < 1 || at.column > len(c.runes[at.line-1]) {
		return position{}
	}
	rest := c.runes[at.line-1][at.column-1:]
	i := 0
	for _, r := range text {
		if i >= len(rest) || rest[i] != r {
			return position{}
		}
		i++
	}
	return at
}
