package definition

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// The names that an expression can begin with.
const (
	inputRoot  = "input"
	stepsRoot  = "steps"
	outputRoot = "output"
)

// plainPath is an expression of names and indexes alone: input.items[0].sku, steps['create-order'].output.id.
type plainPath struct {
	root string
	step string // with stepsRoot: whose output
	rest []element
}

// parsePlain reads a plain path; false if src is something larger. A path into steps that does not go through a step's output is
// read too, with step empty: whoever checks it can say what is wrong.
func parsePlain(src string) (plainPath, bool) {
	src = strings.TrimSpace(src)
	end := nameEnd(src, 0)
	root := src[:end]
	if root != inputRoot && root != stepsRoot && root != outputRoot {
		return plainPath{}, false
	}
	elements, ok := parseElements(src[end:])
	if !ok {
		return plainPath{}, false
	}
	p := plainPath{root: root, rest: elements}
	if root == stepsRoot && len(elements) >= 2 && elements[0].index < 0 && elements[1].index < 0 && elements[1].name == outputRoot {
		p.step, p.rest = elements[0].name, elements[2:]
	}
	return p, true
}

func nameEnd(s string, i int) int {
	for i < len(s) && (s[i] == '_' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || s[i] >= '0' && s[i] <= '9') {
		i++
	}
	return i
}

func parseElements(s string) ([]element, bool) {
	var elements []element
	for s != "" {
		switch {
		case s[0] == '.':
			end := nameEnd(s, 1)
			if !isName(s[1:end]) {
				return nil, false
			}
			elements, s = append(elements, element{s[1:end], -1}), s[end:]
		case strings.HasPrefix(s, "['") || strings.HasPrefix(s, `["`):
			end := strings.IndexByte(s[2:], s[1])
			if end < 0 || len(s) < end+4 || s[end+3] != ']' || strings.ContainsAny(s[2:end+2], "\\\n\r") {
				return nil, false
			}
			elements, s = append(elements, element{s[2 : end+2], -1}), s[end+4:]
		case s[0] == '[':
			end := strings.IndexByte(s, ']')
			if end < 0 {
				return nil, false
			}
			n, err := strconv.ParseUint(s[1:end], 10, 31)
			if err != nil || end > 2 && s[1] == '0' {
				return nil, false
			}
			elements, s = append(elements, element{"", int(n)}), s[end+1:]
		default:
			return nil, false
		}
	}
	return elements, true
}

// eval answers the raw JSON at the path, `null` where there is nothing.
func (p *plainPath) eval(scope *saga.Scope) json.RawMessage {
	var raw json.RawMessage
	switch p.root {
	case inputRoot:
		raw = scope.Input
	case outputRoot:
		raw = scope.Output
	case stepsRoot:
		raw = stepOutput(scope, p.step)
	}
	if raw = lookup(raw, p.rest); len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}

func stepOutput(scope *saga.Scope, step string) json.RawMessage {
	if scope.StepOutput == nil {
		return nil
	}
	return scope.StepOutput(step)
}

func isNull(raw []byte) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }
