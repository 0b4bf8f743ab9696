package definition

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Limits of the source. What aliases repeat counts as often as it is repeated.
const (
	// MaxSourceBytes is the largest source that Read takes.
	MaxSourceBytes = 256 << 10
	maxTreeBytes   = 1 << 20
	maxTreeNodes   = 50_000
	maxTreeDepth   = 64
)

type kind int

const (
	nullKind kind = iota
	boolKind
	numberKind
	stringKind
	arrayKind
	objectKind
)

func (k kind) String() string {
	return [...]string{"null", "true or false", "a number", "text", "a list", "an object"}[k]
}

// node is one JSON value of the source, with its place.
type node struct {
	kind  kind
	text  string  // of a string its value, of a number how it was written, of a bool true or false
	keys  []*node // of an object: strings, each once
	items []*node // elements, or the values by key
	pos   position
	// textPos is where the first character of a string's value stands, if the whole value stands there as it is; else zero.
	textPos position
}

// get answers the value of a key, or nil.
func (n *node) get(key string) *node {
	for i, k := range n.keys {
		if k.text == key {
			return n.items[i]
		}
	}
	return nil
}

// charPos is the place of a character of a string's value, or of the string if that is all that is known.
func (n *node) charPos(offset int) position {
	if n.textPos.line == 0 {
		return n.pos
	}
	return position{n.textPos.line, n.textPos.column + offset}
}

// fieldPath appends a key to a path: .name, or ['odd name'].
func fieldPath(path, key string) string {
	if !isName(key) {
		return path + "['" + strings.ReplaceAll(strings.ReplaceAll(key, `\`, `\\`), `'`, `\'`) + "']"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func indexPath(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// budget bounds a tree while it is built.
type budget struct{ nodes, bytes int }

func (b *budget) spend(bytes int) bool {
	b.nodes++
	b.bytes += bytes
	return b.nodes <= maxTreeNodes && b.bytes <= maxTreeBytes
}

// numberText is JSON's grammar of numbers.
func numberText() *regexp.Regexp {
	return regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
}

// canonical is the tree as JSON: no white space, object keys sorted by bytes, numbers as they were written, and strings with the
// fewest escapes. Two sources with the same canonical JSON are the same definition.
func (n *node) canonical() []byte { return n.appendJSON(nil) }

func (n *node) hash() [32]byte { return sha256.Sum256(n.canonical()) }

func (n *node) appendJSON(out []byte) []byte {
	switch n.kind {
	case nullKind:
		return append(out, "null"...)
	case boolKind, numberKind:
		return append(out, n.text...)
	case stringKind:
		return appendString(out, n.text)
	case arrayKind:
		out = append(out, '[')
		for i, item := range n.items {
			if i > 0 {
				out = append(out, ',')
			}
			out = item.appendJSON(out)
		}
		return append(out, ']')
	case objectKind:
		out = append(out, '{')
		for i, at := range n.sorted() {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendString(out, n.keys[at].text), ':')
			out = n.items[at].appendJSON(out)
		}
		return append(out, '}')
	}
	return out
}

// sorted lists the indexes of an object's keys in the order of the keys.
func (n *node) sorted() []int {
	order := make([]int, len(n.keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(n.keys[a].text, n.keys[b].text) })
	return order
}
