package definition

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

func readSchema(t testing.TB, schema string) saga.Schema {
	t.Helper()
	d, err := Read("t.json", []byte(`{"saga": "t", "version": 1, "input": `+schema+
		`, "steps": [{"name": "a", "participant": "p", "command": "A.v1", "effect": "none"}]}`))
	require.NoError(t, err)
	return d.Input
}

func violations(t testing.TB, err error) []Violation {
	t.Helper()
	var invalid *InvalidError
	require.True(t, errors.As(err, &invalid), "want an *InvalidError, got %v", err)
	return invalid.Violations
}

func TestSchema_AllViolationsAtOnce(t *testing.T) {
	t.Parallel()
	d := orderPlacement(t)
	require.NoError(t, d.Input.Validate(json.RawMessage(`{"order_id":"1","customer_id":"2","items":[{"sku":"s","quantity":1.0}],"amount_cents":5,
		"payment_token":"t","more":1}`)))
	err := d.Input.Validate(json.RawMessage(`{"order_id": "", "items": [{"sku": 5}, {"sku": "a", "quantity": 0}], "amount_cents": 1.5, "ship_to": null}`))
	require.Equal(t, []Violation{
		{"/amount_cents", "got number, want integer"},
		{"/customer_id", "is missing"},
		{"/items/0/quantity", "is missing"},
		{"/items/0/sku", "got number, want string"},
		{"/items/1/quantity", "minimum: got 0, want 1"},
		{"/order_id", "minLength: got 0, want 1"},
		{"/payment_token", "is missing"},
		{"/ship_to", "got null, want string"},
	}, violations(t, err))
	require.ErrorContains(t, err, "/customer_id: is missing; ")
}

func TestSchema_Shapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, schema, value string
		want                []Violation
	}{
		{"Unknown", `{"properties": {"a/b": true}, "additionalProperties": false}`, `{"a/b": 1, "c~d": 2}`, []Violation{{"/c~0d", "is not allowed"}}},
		{"Never", `{"properties": {"a": false}}`, `{"a": 1}`, []Violation{{"/a", "is not allowed"}}},
		{"Alternatives", `{"anyOf": [{"type": "string"}, {"required": ["a"]}]}`, `{}`, []Violation{{"", "matches no alternative: /a is missing, or got object, want string"}}},
		{"OneOfBoth", `{"oneOf": [{"type": "integer"}, {"minimum": 1}]}`, `3`, []Violation{{"", "'oneOf' failed, subschemas 0, 1 matched"}}},
		{"Reference", `{"$ref": "#/$defs/x", "$defs": {"x": {"type": "array", "items": {"$ref": "#/$defs/x"}}}}`, `[[], [1]]`, []Violation{{"/1/0", "got number, want array"}}},
		{"NotJSON", `true`, `{"a":`, []Violation{{"", "not JSON: unexpected EOF"}}},
		{"Empty", `true`, ``, []Violation{{"", "not JSON: EOF"}}},
		{"HugeExponent", `{"properties": {"a": {"maximum": 5}}}`, `{"a": 1e1000000000}`, []Violation{{"/a", "1e1000000000: the exponent is beyond 1000"}}},
		{"LargeButFine", `{"minimum": 1e400}`, `1e401`, nil},
		{
			"BigIntegersCompareExactly", `{"maximum": 12345678901234567890}`, `12345678901234567891`,
			[]Violation{{"", "maximum: got 1.2345678901234567×10¹⁹, want 1.2345678901234567×10¹⁹"}},
		},
		{"FormatIsAnAnnotation", `{"format": "email"}`, `"nobody"`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := readSchema(t, c.schema).Validate(json.RawMessage(c.value))
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, c.want, violations(t, err))
		})
	}
}

// A schema whose cost doubles with each reference, or with each level of the value, is refused; what refers to itself once is not.
func TestSchema_Cost(t *testing.T) {
	t.Parallel()
	var doubling strings.Builder
	for i := range 20 {
		fmt.Fprintf(&doubling, `"d%d": {"anyOf": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}]}, `, i, i+1, i+1)
	}
	for _, c := range []struct {
		name, schema string
		good         bool
	}{
		{"Doubling", `{"$ref": "#/$defs/d0", "$defs": {` + doubling.String() + `"d20": {"type": "string"}}}`, false},
		{"DoublingWithDepth", `{"properties": {"x": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}`, false},
		{"DoublingWithDepthAnywhere", `{"properties": {"x": {"$ref": "#"}}, "patternProperties": {"x": {"$ref": "#"}}}`, false},
		{"Tree", `{"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}, "required": ["value"]}`, true},
		{"TreeOfParts", `{"allOf": [{"properties": {"left": {"$ref": "#"}}}, {"properties": {"right": {"$ref": "#"}}}]}`, true},
		{"List", `{"$ref": "#/$defs/list", "$defs": {"list": {"prefixItems": [{"type": "integer"}, {"$ref": "#/$defs/list"}]}}}`, true},
		{"Itself", `{"$ref": "#"}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read("t.json", []byte(`{"saga": "t", "version": 1, "input": `+c.schema+
				`, "steps": [{"name": "a", "participant": "p", "command": "A.v1", "effect": "none"}]}`))
			if c.good {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, "t.json:1:38: input: too costly: it may apply more than 10000 schemas to one value")
		})
	}
}
