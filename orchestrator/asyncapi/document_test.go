package asyncapi

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/participants/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

func canonical(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join("testdata", "trip.yaml")
	src, err := os.ReadFile(file)
	require.NoError(t, err)
	source, err := definition.ReadSource(file, src)
	require.NoError(t, err)
	return source.JSON
}

func TestDocument(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]Options{
		"engine.golden.json": {Topics: wire.Topics{Prefix: "staging."}},
		"trains.golden.json": {Participant: "trains"},
	} {
		got, err := Document(canonical(t), opts)
		require.NoError(t, err)
		file := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.WriteFile(file, append(got, '\n'), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got)+"\n", "go test ./orchestrator/asyncapi -update, and read the difference")
	}
}

func TestDocument_Errors(t *testing.T) {
	t.Parallel()
	_, err := Document(canonical(t), Options{Participant: "planes"})
	require.EqualError(t, err, `trip has no step of participant "planes"`)
	_, err = Document([]byte(`[]`), Options{})
	require.ErrorContains(t, err, "read the definition")
}

// What a template gives, as a schema.
func TestShape(t *testing.T) {
	t.Parallel()
	d := &describer{plan: &plan{}, doc: document{Components: components{Schemas: map[string]any{
		"input": map[string]any{"required": []any{"id"}, "properties": map[string]any{
			"id": map[string]any{"type": "string"}, "note": map[string]any{"type": "string"},
			"legs": map[string]any{"items": map[string]any{"type": "integer"}},
			"pair": map[string]any{"prefixItems": []any{map[string]any{"type": "string"}}},
			"any":  true,
		}},
		"book-output": map[string]any{"required": []any{"seat"}, "properties": map[string]any{"seat": map[string]any{"type": "string"}}},
	}}}}
	for template, want := range map[string]string{
		`"${input.id}"`:                       `{"$ref":"#/components/schemas/input/properties/id"}`,
		`"${input.note}"`:                     `{"anyOf":[{"$ref":"#/components/schemas/input/properties/note"},{"type":"null"}]}`,
		`"${input.legs[0]}"`:                  `{"anyOf":[{"$ref":"#/components/schemas/input/properties/legs/items"},{"type":"null"}]}`,
		`"${input.pair[0]}"`:                  `{"anyOf":[{"$ref":"#/components/schemas/input/properties/pair/prefixItems/0"},{"type":"null"}]}`,
		`"${input.pair[1]}"`:                  `{}`,
		`"${input.any.thing}"`:                `{}`,
		`"${input.nothing}"`:                  `{}`,
		`"${input}"`:                          `{"$ref":"#/components/schemas/input"}`,
		`"${steps['book'].output.seat}"`:      `{"anyOf":[{"$ref":"#/components/schemas/book-output/properties/seat"},{"type":"null"}]}`,
		`"${steps['other'].output.seat}"`:     `{}`,
		`"${output.seat}"`:                    `{"anyOf":[{"$ref":"#/components/schemas/book-output/properties/seat"},{"type":"null"}]}`,
		`"${input.legs.size()}"`:              `{}`,
		`"trip ${input.id}"`:                  `{"type":"string"}`,
		`"plain $${text}"`:                    `{"const":"plain ${text}"}`,
		`""`:                                  `{"const":""}`,
		`4`:                                   `{"const":4}`,
		`null`:                                `{"const":null}`,
		`["${input.id}",true]`:                `{"items":[{"$ref":"#/components/schemas/input/properties/id"},{"const":true}],"maxItems":2,"minItems":2,"type":"array"}`,
		`{"b":1,"a":{"c":"${input.any[0]}"}}`: `{"properties":{"a":{"properties":{"c":{}},"required":["c"],"type":"object"},"b":{"const":1}},"required":["a","b"],"type":"object"}`,
	} {
		got, err := json.Marshal(d.payload(json.RawMessage(template), &step{Name: "book"}))
		require.NoError(t, err)
		require.JSONEq(t, want, string(got), template)
	}
}
