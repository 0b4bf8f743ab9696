package definition

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Sample makes up a small value that a schema accepts; `{}` where that is not simple, or there is no schema. It is the same each time.
func Sample(s saga.Schema) json.RawMessage {
	empty := json.RawMessage(`{}`)
	own, ok := s.(*schema)
	if !ok {
		return empty
	}
	value, err := json.Marshal(sample(own.compiled, 8))
	if err != nil || own.Validate(value) != nil {
		return empty
	}
	return value
}

func sample(s *jsonschema.Schema, depth int) any {
	switch {
	case s == nil || depth == 0:
		return map[string]any{}
	case s.Const != nil:
		return *s.Const
	case s.Enum != nil && len(s.Enum.Values) > 0:
		return s.Enum.Values[0]
	case s.Ref != nil:
		return sample(s.Ref, depth-1)
	}
	for _, alternatives := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		if len(alternatives) > 0 && s.Types == nil && s.Properties == nil {
			return sample(alternatives[0], depth-1)
		}
	}
	var types []string
	if s.Types != nil {
		types = s.Types.ToStrings()
	}
	switch {
	case len(types) == 0 || slices.Contains(types, "object"):
		return sampleObject(s, depth)
	case slices.Contains(types, "array"):
		list := []any{}
		for s.MinItems != nil && len(list) < min(*s.MinItems, 10) {
			list = append(list, sampleItem(s, len(list), depth))
		}
		return list
	case slices.Contains(types, "string"):
		if s.MinLength == nil {
			return "text"
		}
		return strings.Repeat("text", (min(*s.MinLength, 1000)+3)/4)
	case slices.Contains(types, "integer") || slices.Contains(types, "number"):
		return sampleNumber(s)
	case slices.Contains(types, "boolean"):
		return true
	}
	return nil
}

func sampleItem(s *jsonschema.Schema, i, depth int) any {
	if i < len(s.PrefixItems) {
		return sample(s.PrefixItems[i], depth-1)
	}
	return sample(s.Items2020, depth-1)
}

// sampleObject has the properties that are required.
func sampleObject(s *jsonschema.Schema, depth int) any {
	object := map[string]any{}
	for _, name := range s.Required {
		object[name] = sample(s.Properties[name], depth-1)
	}
	return object
}

func sampleNumber(s *jsonschema.Schema) any {
	if s.Minimum != nil {
		return json.Number(s.Minimum.FloatString(0))
	}
	return json.Number("1")
}
