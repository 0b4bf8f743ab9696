package definition

// Text says what a string of a template is.
type Text struct {
	Literal string // where it has no expression
	Pure    bool   // it has none
	Whole   bool   // it is one expression and nothing else: the value takes its type
	// Of a whole expression that is a plain path: what it copies.
	Root string // input, steps or output; empty: it is no plain path
	Step string // with steps
	Path []any  // names (string) and indexes (int)
}

// ReadText reads a string of a template that was checked.
func ReadText(s string) Text {
	pieces, _ := split(s)
	switch {
	case len(pieces) == 0:
		return Text{Pure: true}
	case len(pieces) == 1 && !pieces[0].expression:
		return Text{Pure: true, Literal: pieces[0].text}
	case len(pieces) > 1:
		return Text{}
	}
	p, plain := parsePlain(pieces[0].text)
	if !plain {
		return Text{Whole: true}
	}
	t := Text{Whole: true, Root: p.root, Step: p.step}
	for _, e := range p.rest {
		if e.index >= 0 {
			t.Path = append(t.Path, e.index)
		} else {
			t.Path = append(t.Path, e.name)
		}
	}
	return t
}
