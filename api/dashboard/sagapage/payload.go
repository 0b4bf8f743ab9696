package sagapage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/skaldhq/skald/api/dashboard/ui"
)

// payloadView is a document that a definition, a participant or a caller wrote. It is hostile: it is only ever shown as text.
type payloadView struct {
	Title  string
	Tree   *node  // nil: Raw
	Raw    string // what cannot be read, or is too large for a tree
	Cut    bool   // Raw is not all of it
	Bytes  int
	Masked bool // a part is hidden from whoever looks
}

// node is a value of JSON.
type node struct {
	Key   string // as JSON, with its quotes; empty in arrays and at the top
	Text  string // of a scalar
	Kind  string // string, number, word, object or array
	Under []*node
	Open  bool
}

const (
	treeBytes  = 32 << 10 // beyond it a document is shown as text
	rawBytes   = 64 << 10 // beyond it text is cut
	treeDepth  = 32
	openedKids = 12 // objects and arrays with more begin closed
)

// seePayload makes a document readable; nil where there is none.
func seePayload(title string, raw json.RawMessage) *payloadView {
	if len(raw) == 0 {
		return nil
	}
	v := &payloadView{Title: title, Bytes: len(raw), Masked: bytes.Contains(raw, []byte(`"[redacted]"`))}
	if len(raw) <= treeBytes {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if tree, err := readNode(dec, 0); err == nil {
			v.Tree = tree
			return v
		}
	}
	text := raw
	if len(text) > rawBytes {
		text, v.Cut = text[:rawBytes], true
	}
	v.Raw = ui.VisibleLines(strings.ToValidUTF8(string(text), "\uFFFD"))
	return v
}

func readNode(dec *json.Decoder, depth int) (*node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case string:
		return &node{Kind: "string", Text: quoted(token)}, nil
	case json.Number:
		return &node{Kind: "number", Text: token.String()}, nil
	case bool:
		return &node{Kind: "word", Text: fmt.Sprint(token)}, nil
	case json.Delim:
		if depth == treeDepth {
			return nil, fmt.Errorf("deeper than %d", treeDepth)
		}
		return readUnder(dec, token, depth)
	}
	return &node{Kind: "word", Text: "null"}, nil
}

func readUnder(dec *json.Decoder, open json.Delim, depth int) (*node, error) {
	n := &node{Kind: "array"}
	if open == '{' {
		n.Kind = "object"
	}
	for dec.More() {
		key := ""
		if n.Kind == "object" {
			token, err := dec.Token()
			if err != nil {
				return nil, err
			}
			key = quoted(fmt.Sprint(token))
		}
		under, err := readNode(dec, depth+1)
		if err != nil {
			return nil, err
		}
		under.Key = key
		n.Under = append(n.Under, under)
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	n.Open = depth == 0 || len(n.Under) <= openedKids && depth < 3
	return n, nil
}

// summary says what a closed object or array holds.
func (n *node) summary() string {
	what, many := "field", "fields"
	if n.Kind == "array" {
		what, many = "item", "items"
	}
	return counted(len(n.Under), what, many)
}

func (n *node) brackets() (open, end string) {
	if n.Kind == "array" {
		return "[", "]"
	}
	return "{", "}"
}

// quoted is a string as JSON writes it, with nothing in it that could change how the text around it reads.
func quoted(s string) string {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `"?"`
	}
	return ui.VisibleLines(strings.TrimSuffix(buf.String(), "\n"))
}
