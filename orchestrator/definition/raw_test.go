package definition

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// lookup finds what a full decoding finds, in any JSON and at any path.
func TestLookup_AgreesWithDecoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := genJSON(3).Draw(t, "value")
		raw, err := json.MarshalIndent(value, " ", rapid.SampledFrom([]string{"", "\t"}).Draw(t, "indent"))
		require.NoError(t, err)
		path := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) element {
			if rapid.Bool().Draw(t, "named") {
				return element{rapid.SampledFrom(jsonNames()).Draw(t, "name"), -1}
			}
			return element{"", rapid.IntRange(0, 3).Draw(t, "index")}
		}), 0, 3).Draw(t, "path")
		got := lookup(raw, path)
		want, found := walk(value, path)
		if !found {
			require.Nil(t, got)
			return
		}
		text, err := json.Marshal(want)
		require.NoError(t, err)
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, got))
		require.Equal(t, string(text), compact.String())
	})
}

func jsonNames() []string { return []string{"a", "b\"", "ä", "", "<\\", "\u2028"} }

func genJSON(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		most := 5
		if depth == 0 {
			most = 3
		}
		switch rapid.IntRange(0, most).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return json.Number(strconv.Itoa(rapid.Int().Draw(t, "number")))
		case 3:
			return rapid.SampledFrom(append(jsonNames(), "]", "}", ",", `\"`)).Draw(t, "text")
		case 4:
			return rapid.SliceOfN(genJSON(depth-1), 0, 3).Draw(t, "list")
		default:
			return rapid.MapOfN(rapid.SampledFrom(jsonNames()), genJSON(depth-1), 0, 4).Draw(t, "object")
		}
	})
}

func walk(value any, path []element) (any, bool) {
	for _, e := range path {
		switch v := value.(type) {
		case map[string]any:
			next, found := v[e.name]
			if !found || e.index >= 0 {
				return nil, false
			}
			value = next
		case []any:
			if e.index < 0 || e.index >= len(v) {
				return nil, false
			}
			value = v[e.index]
		default:
			return nil, false
		}
	}
	return value, true
}

// FuzzLookup: whatever the bytes, lookup ends, does not panic, and answers a part of what it was given.
func FuzzLookup(f *testing.F) {
	f.Add([]byte(`{"a": [1, {"b": "x\"y"}]}`), "a", 1)
	f.Add([]byte(`{"a": {`), "a", 0)
	f.Add([]byte(`["\`), "", 0)
	f.Fuzz(func(t *testing.T, raw []byte, name string, index int) {
		for _, path := range [][]element{{{name, -1}}, {{"", max(index, 0)}}, {{name, -1}, {"", max(index, 0)}, {name, -1}}} {
			got := lookup(raw, path)
			require.True(t, bytes.Contains(raw, got))
			if json.Valid(raw) && got != nil {
				require.True(t, json.Valid(got), "a part of JSON is JSON")
			}
		}
	})
}
