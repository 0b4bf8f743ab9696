package definition

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSample(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`{"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "string", "minLength": 5}, "b": {"enum": ["x", "y"]}, "c": true}}`: `{"a":"texttext","b":"x"}`,
		`{"type": "array", "minItems": 2, "items": {"type": "integer", "minimum": 7}}`:                                                              `[7,7]`,
		`{"$ref": "#/$defs/x", "$defs": {"x": {"type": "boolean"}}}`:                                                                                `true`,
		`{"anyOf": [{"const": 5}, {"type": "string"}]}`:                                                                                             `5`,
		`{"type": "null"}`: `null`,
		`true`:             `{}`,
		`{"type": "string", "pattern": "^[0-9]+$"}`:                                                               `{}`, // not simple
		`{"type": "object", "required": ["self"], "properties": {"self": {"$ref": "#"}}}`:                         `{}`, // never ends
		`{"type": "object", "required": ["n"], "properties": {"n": {"type": "number", "exclusiveMinimum": 1e9}}}`: `{}`,
	} {
		require.Equal(t, want, string(Sample(readSchema(t, schema))), schema)
	}
	require.Equal(t, `{}`, string(Sample(nil)))
}
