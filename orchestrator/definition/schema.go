package definition

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	broken "github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/skaldhq/skald/orchestrator/saga"
)

const (
	draft         = "https://json-schema.org/draft/2020-12/schema"
	maxViolations = 100
	// maxExponent is the largest power of ten that a schema compares: 1e1000000000 would take a gigabyte to write out.
	maxExponent = 1000
)

// Violation is one way in which a value breaks a schema.
type Violation struct {
	Path    string // a JSON pointer (RFC 6901) into the value; empty: the value as a whole
	Message string
}

// InvalidError is the error of Schema.Validate: every violation, by path.
type InvalidError struct{ Violations []Violation }

func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		lines[i] = v.Message
		if v.Path != "" {
			lines[i] = v.Path + ": " + v.Message
		}
	}
	return strings.Join(lines, "; ")
}

// schema is a compiled JSON Schema 2020-12. `format` is an annotation and asserts nothing, as that draft has it.
type schema struct{ compiled *jsonschema.Schema }

var _ saga.Schema = (*schema)(nil)

// Validate answers nil or an *InvalidError. What is no JSON, or empty, is an InvalidError too. It is safe for concurrent use.
func (s *schema) Validate(raw json.RawMessage) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return &InvalidError{[]Violation{{"", "not JSON: " + err.Error()}}}
	}
	var violations []Violation
	hugeNumbers(value, nil, &violations)
	if len(violations) == 0 {
		violations = violationsOf(s.compiled.Validate(value))
	}
	if len(violations) == 0 {
		return nil
	}
	slices.SortFunc(violations, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	violations = slices.Compact(violations)
	return &InvalidError{violations[:min(len(violations), maxViolations)]}
}

// hugeNumbers finds numbers that cannot be compared at a bearable cost.
func hugeNumbers(value any, path []string, found *[]Violation) {
	switch v := value.(type) {
	case map[string]any:
		for k, item := range v {
			hugeNumbers(item, append(path, k), found)
		}
	case []any:
		for i, item := range v {
			hugeNumbers(item, append(path, strconv.Itoa(i)), found)
		}
	case json.Number:
		if i := strings.IndexAny(string(v), "eE"); i >= 0 {
			if e, err := strconv.Atoi(string(v[i+1:])); err != nil || e > maxExponent || e < -maxExponent {
				*found = append(*found, Violation{pointer(path), fmt.Sprintf("%s: the exponent is beyond %d", shorten(string(v)), maxExponent)})
			}
		}
	}
}

func violationsOf(err error) []Violation {
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return []Violation{{"", err.Error()}}
	}
	return leaves(invalid, nil)
}

// leaves flattens an error to what a person can act on: a missing or unknown property at its own path, and alternatives as one.
func leaves(e *jsonschema.ValidationError, found []Violation) []Violation {
	at := pointer(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *broken.Required:
		for _, name := range k.Missing {
			found = append(found, Violation{pointer(append(slices.Clip(e.InstanceLocation), name)), "is missing"})
		}
		return found
	case *broken.AdditionalProperties:
		for _, name := range k.Properties {
			found = append(found, Violation{pointer(append(slices.Clip(e.InstanceLocation), name)), "is not allowed"})
		}
		return found
	case *broken.FalseSchema:
		return append(found, Violation{at, "is not allowed"})
	case *broken.AnyOf, *broken.OneOf:
		if len(e.Causes) == 0 {
			break
		}
		var reasons []string
		for _, cause := range e.Causes {
			for _, v := range leaves(cause, nil) {
				reasons = append(reasons, strings.TrimPrefix(strings.TrimPrefix(v.Path, at)+" "+v.Message, " "))
			}
		}
		slices.Sort(reasons)
		return append(found, Violation{at, "matches no alternative: " + strings.Join(slices.Compact(reasons), ", or ")})
	}
	if len(e.Causes) == 0 {
		message := (&jsonschema.ValidationError{ErrorKind: e.ErrorKind}).BasicOutput().Error.String()
		return append(found, Violation{at, message})
	}
	for _, cause := range e.Causes {
		found = leaves(cause, found)
	}
	return found
}

func pointer(tokens []string) string {
	var out strings.Builder
	for _, t := range tokens {
		out.WriteByte('/')
		out.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(t))
	}
	return out.String()
}

// schema compiles a JSON Schema; nil after a problem.
func (c *compiler) schema(n *node, path string) saga.Schema {
	if n.kind != objectKind && n.kind != boolKind {
		c.add(n.pos, path, "%s: want a JSON Schema", n.kind)
		return nil
	}
	if d := n.get("$schema"); d != nil && strings.TrimSuffix(d.text, "#") != draft {
		c.add(d.pos, fieldPath(path, "$schema"), "want %s", draft)
		return nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(n.canonical()))
	if err != nil {
		c.add(n.pos, path, "not a JSON Schema: %v", err)
		return nil
	}
	var huge []Violation
	hugeNumbers(doc, nil, &huge)
	if c.schemaProblems(n, path, huge) {
		return nil
	}
	const url = "skald:///schema"
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(noLoader{})
	err = compiler.AddResource(url, doc)
	var compiled *jsonschema.Schema
	if err == nil {
		compiled, err = compiler.Compile(url)
	}
	if err == nil {
		if tooCostly(compiled) {
			c.add(n.pos, path, "too costly: it may apply more than %d schemas to one value", maxSchemaCost)
			return nil
		}
		return &schema{compiled}
	}
	var invalid *jsonschema.SchemaValidationError
	if !errors.As(err, &invalid) || !c.schemaProblems(n, path, violationsOf(invalid.Err)) {
		c.add(n.pos, path, "not a JSON Schema: %s", strings.ReplaceAll(err.Error(), url, ""))
	}
	return nil
}

// schemaProblems reports violations within the schema n; false if there are none.
func (c *compiler) schemaProblems(n *node, path string, violations []Violation) bool {
	for _, v := range violations {
		at, where := n, path
		for _, token := range strings.Split(v.Path, "/")[1:] {
			token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
			var next *node
			if at.kind == arrayKind {
				next = at.child("[" + token + "]")
				where += "[" + token + "]"
			} else {
				next = at.get(token)
				where = fieldPath(where, token)
			}
			if next == nil {
				break
			}
			at = next
		}
		c.add(at.pos, where, "%s", v.Message)
	}
	return len(violations) > 0
}

var errRemote = errors.New("only references within the schema itself are followed, such as #/$defs/name")

// noLoader refuses to load anything: a definition never makes the engine open a file or a connection.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(string) (any, error) { return nil, errRemote }
