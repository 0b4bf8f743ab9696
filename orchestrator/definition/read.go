package definition

import (
	"slices"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Source is a definition and the JSON to keep of it.
type Source struct {
	Definition *saga.Definition
	// JSON is the canonical JSON: what Definition.Hash is over, and what Read answers the same definition for.
	JSON []byte
}

// Read reads a definition from YAML or JSON. JSON is taken for what begins with a brace and is JSON, and for names that end in
// .json. The name stands in the problems. The error is always a *Problems with everything that is wrong. The definition is linked.
func Read(name string, src []byte) (*saga.Definition, error) {
	source, err := ReadSource(name, src)
	if err != nil {
		return nil, err
	}
	return source.Definition, nil
}

// ReadSource is Read, with the canonical JSON.
func ReadSource(name string, src []byte) (*Source, error) {
	c := newCollector(name, src)
	root := parse(c)
	if err := c.err(); err != nil {
		return nil, err
	}
	r := &reader{collector: c, root: root, def: &saga.Definition{}}
	r.read()
	if err := c.err(); err != nil {
		return nil, err
	}
	r.def.Hash = root.hash()
	return &Source{Definition: r.def, JSON: root.canonical()}, nil
}

// Canonical is the source as canonical JSON: without white space, keys sorted, numbers as written. It checks no more than that the
// source can be parsed; the error is a *Problems.
func Canonical(name string, src []byte) ([]byte, error) {
	c := newCollector(name, src)
	root := parse(c)
	if err := c.err(); err != nil {
		return nil, err
	}
	return root.canonical(), nil
}

// reader turns a tree into a definition.
type reader struct {
	*collector
	root  *node
	def   *saga.Definition
	steps []*node // as listed; nil where one is no object
	// after is whether the graph could be read; it means nothing to check kinds otherwise.
	graphRead bool
	ancestors []map[int]bool
}

func (r *reader) read() {
	if r.root.kind != objectKind {
		r.add(r.root.pos, "", "%s: want an object with saga, version and steps", r.root.kind)
		return
	}
	r.top()
	r.graph()
	r.link()
	r.expressions()
}

// link adds the problems of the graph and of kinds, with their places.
func (r *reader) link() {
	for _, p := range r.def.Link() {
		at, path := r.locate(p.Path)
		if r.isBad(path) || r.isBad(p.Path) || !r.graphRead && aboutGraph(p.Path) {
			continue
		}
		r.add(at, path, "%s", p.Message)
	}
}

// aboutGraph reports whether a problem of Link may follow from a graph that could not be read.
func aboutGraph(path string) bool {
	last := path[len(parentPath(path)):]
	return slices.Contains([]string{".kind", ".compensation", ".after"}, last) || last == "" || last[0] == '['
}

// locate answers where a path stands. A setting that a step has from `defaults` stands there, and takes that path.
func (r *reader) locate(path string) (position, string) {
	n, rest := r.root.find(path)
	if rest == "" {
		return n.pos, path
	}
	for _, setting := range settings() {
		if len(path) > len(setting) && path[len(path)-len(setting)-1:] == "."+setting {
			if d, rest := r.root.find("defaults." + setting); rest == "" {
				return d.pos, "defaults." + setting
			}
		}
	}
	return n.pos, path
}

// settings are what `defaults` may hold, by path.
func settings() []string {
	return []string{"timeout", "retry.max_attempts", "retry.initial", "retry.multiplier", "retry.max", "retry.jitter"}
}

// find walks a path of names and indexes as far as it exists; rest is what does not.
func (n *node) find(path string) (last *node, rest string) {
	for path != "" {
		end := 1
		for end < len(path) && path[end] != '.' && path[end] != '[' {
			end++
		}
		part := path[:end]
		next := n.child(part)
		if next == nil {
			return n, path
		}
		n, path = next, path[end:]
	}
	return n, ""
}

// child answers the value at one part of a path: name, .name or [2]; nil if there is none.
func (n *node) child(part string) *node {
	switch {
	case part[0] == '[':
		i := 0
		for _, c := range part[1 : len(part)-1] {
			if c < '0' || c > '9' || i > len(n.items) {
				return nil
			}
			i = i*10 + int(c-'0')
		}
		if n.kind != arrayKind || i >= len(n.items) {
			return nil
		}
		return n.items[i]
	case part[0] == '.':
		return n.get(part[1:])
	default:
		return n.get(part)
	}
}
