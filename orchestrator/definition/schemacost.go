package definition

import (
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	// maxSchemaCost is how many schemas may apply to one and the same value. A schema that refers twice to one that refers twice to
	// the next doubles it each time, and thirty of them would check one value for minutes.
	maxSchemaCost = 10_000
	// schemaDepth is how deep a value is supposed to be nested: what doubles with each level has passed maxSchemaCost by then.
	schemaDepth = 16
)

// schemaCost counts how many schemas apply to one value.
type schemaCost struct {
	applied map[*jsonschema.Schema][]*jsonschema.Schema
	counted [schemaDepth + 1]map[*jsonschema.Schema]int
}

// tooCostly reports whether a schema may apply more than maxSchemaCost schemas to one value within what it checks.
func tooCostly(s *jsonschema.Schema) bool {
	c := &schemaCost{applied: map[*jsonschema.Schema][]*jsonschema.Schema{}}
	for depth := range schemaDepth + 1 {
		c.counted[depth] = map[*jsonschema.Schema]int{}
		if c.count(s, depth) > maxSchemaCost {
			return true
		}
	}
	return false
}

// count answers the most schemas that s comes to apply to a single value that many levels down.
func (c *schemaCost) count(s *jsonschema.Schema, depth int) int {
	if n, found := c.counted[depth][s]; found {
		return n
	}
	most := 0
	all := c.closure(s)
	if depth == 0 {
		most = len(all)
	} else {
		places, everywhere := children(all)
		rest := c.sum(everywhere, depth-1)
		most = rest
		for _, schemas := range places {
			most = max(most, min(rest+c.sum(schemas, depth-1), maxSchemaCost+1))
		}
	}
	c.counted[depth][s] = most
	return most
}

func (c *schemaCost) sum(schemas []*jsonschema.Schema, depth int) int {
	total := 0
	for _, s := range schemas {
		total = min(total+c.count(s, depth), maxSchemaCost+1)
	}
	return total
}

// closure lists the schemas that s applies to the same value, itself included, each as often as it is applied; no more than
// maxSchemaCost and one. A schema within itself, which the validator stops, is listed once.
func (c *schemaCost) closure(s *jsonschema.Schema) []*jsonschema.Schema {
	if all, found := c.applied[s]; found {
		return all
	}
	c.applied[s] = []*jsonschema.Schema{s}
	all := []*jsonschema.Schema{s}
	parts := slices.Concat(s.AllOf, s.AnyOf, s.OneOf, []*jsonschema.Schema{s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else})
	if s.DynamicRef != nil {
		parts = append(parts, s.DynamicRef.Ref)
	}
	for _, part := range slices.AppendSeq(parts, maps.Values(s.DependentSchemas)) {
		if part != nil {
			all = append(all, c.closure(part)...)
			all = all[:min(len(all), maxSchemaCost+1)]
		}
	}
	c.applied[s] = all
	return all
}

// children lists what schemas apply to the members and elements of a value: those of one name, and those of any.
func children(schemas []*jsonschema.Schema) (places map[string][]*jsonschema.Schema, everywhere []*jsonschema.Schema) {
	places = map[string][]*jsonschema.Schema{}
	add := func(schema any) {
		if s, ok := schema.(*jsonschema.Schema); ok && s != nil {
			everywhere = append(everywhere, s)
		}
	}
	for _, s := range schemas {
		for name, child := range s.Properties {
			places[name] = append(places[name], child)
		}
		for _, child := range s.PatternProperties {
			add(child)
		}
		for i, child := range s.PrefixItems {
			name := indexPath("", i)
			places[name] = append(places[name], child)
		}
		for _, child := range []any{s.AdditionalProperties, s.PropertyNames, s.UnevaluatedProperties, s.Items2020, s.Contains, s.UnevaluatedItems} {
			add(child)
		}
	}
	return places, everywhere
}
