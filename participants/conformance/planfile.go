package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/skaldhq/skald/participants/wire"
)

// maxPlan is the largest plan that is read, in bytes.
const maxPlan = 1 << 20

// PlanProblem is one thing that is wrong with a plan.
type PlanProblem struct {
	File    string
	Line    int // from 1
	Column  int // from 1
	Path    string
	Message string
}

func (p PlanProblem) String() string {
	if p.Path == "" {
		return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Column, p.Path, p.Message)
}

// PlanError is everything that is wrong with a plan, by position.
type PlanError struct{ Problems []PlanProblem }

// Error lists the problems, one a line.
func (e *PlanError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// ReadPlan reads a plan from YAML or JSON. file stands in the problems. The error is a *PlanError with all of them. The grammar is closed:
// participant, command, payload, refused, flaky, compensation (command, payload) and probe; the first three are required.
func ReadPlan(file string, src []byte) (*Plan, error) {
	r := &planReader{file: file}
	plan := r.read(src)
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b PlanProblem) int {
			if a.Line != b.Line {
				return a.Line - b.Line
			}
			return a.Column - b.Column
		})
		return nil, &PlanError{Problems: r.problems}
	}
	return plan, nil
}

// planReader gathers the problems of one plan.
type planReader struct {
	file     string
	problems []PlanProblem
}

func (r *planReader) add(at *yaml.Node, path, format string, args ...any) {
	r.problems = append(r.problems, PlanProblem{r.file, max(at.Line, 1), max(at.Column, 1), path, fmt.Sprintf(format, args...)})
}

func (r *planReader) read(src []byte) *Plan {
	top := &yaml.Node{Line: 1, Column: 1}
	if len(src) > maxPlan {
		r.add(top, "", "%d bytes: at most %d are read", len(src), maxPlan)
		return nil
	}
	var doc, next yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(src))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		r.add(top, "", "empty: want a plan")
		return nil
	case err != nil:
		r.syntax(err)
		return nil
	}
	if err := dec.Decode(&next); err == nil {
		r.add(&next, "", "a second document: want one plan")
		return nil
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
		return nil
	}
	return r.plan(doc.Content[0])
}

func (r *planReader) syntax(err error) {
	at := &yaml.Node{Line: 1, Column: 1}
	var load *yaml.LoadError
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if errors.As(err, &load) {
		at.Line, at.Column, message = load.Mark.Line, load.Mark.Column, load.Message
	}
	r.add(at, "", "not YAML: %s", message)
}

func (r *planReader) plan(n *yaml.Node) *Plan {
	fields := r.fields(n, "", []string{"participant", "command", "payload"}, "refused", "flaky", "compensation", "probe")
	p := &Plan{
		Participant: r.text(fields["participant"], "participant", "a participant's name ([a-z][a-z0-9-]*)", wire.ValidName),
		Command:     r.command(fields["command"], "command"),
		Payload:     r.json(fields["payload"], "payload"),
		Refused:     r.json(fields["refused"], "refused"),
		Flaky:       r.json(fields["flaky"], "flaky"),
		Probe:       r.command(fields["probe"], "probe"),
	}
	if n := fields["compensation"]; n != nil {
		undo := r.fields(n, "compensation", []string{"command"}, "payload")
		p.Undo = r.command(undo["command"], "compensation.command")
		p.UndoPayload = r.json(undo["payload"], "compensation.payload")
	}
	return p
}

// fields are the values of an object by key; unknown, repeated and missing keys are problems.
func (r *planReader) fields(n *yaml.Node, path string, required []string, optional ...string) map[string]*yaml.Node {
	known := slices.Concat(required, optional)
	fields := map[string]*yaml.Node{}
	if n.Kind != yaml.MappingNode {
		r.add(n, path, "want an object with %s", strings.Join(known, ", "))
		return fields
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !slices.Contains(known, key.Value):
			r.add(key, under(path, key.Value), "no such key: want %s", strings.Join(known, ", "))
		case fields[key.Value] != nil:
			r.add(key, under(path, key.Value), "stands here twice")
		default:
			fields[key.Value] = value
		}
	}
	for _, name := range required {
		if fields[name] == nil {
			r.add(n, under(path, name), "is missing")
		}
	}
	return fields
}

func under(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (r *planReader) command(n *yaml.Node, path string) string {
	return r.text(n, path, "a command's name, such as ReserveItems.v1", wire.ValidCommandName)
}

func (r *planReader) text(n *yaml.Node, path, what string, valid func(string) bool) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || !valid(n.Value) {
		r.add(n, path, "want %s", what)
		return ""
	}
	return n.Value
}

func (r *planReader) json(n *yaml.Node, path string) json.RawMessage {
	if n == nil {
		return nil
	}
	var v any
	err := n.Decode(&v)
	var out []byte
	if err == nil {
		out, err = json.Marshal(v)
	}
	if err != nil {
		r.add(n, path, "is no JSON: %v", err)
		return nil
	}
	return out
}
