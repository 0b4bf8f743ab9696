package asyncapi

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/orchestrator/asyncapi"
	"github.com/skaldhq/skald/orchestrator/definition"
)

// The documents of the sample definitions, from each side, are what AsyncAPI 3.0 says, and all that they refer to is there.
func TestDocuments(t *testing.T) {
	schema := specification(t)
	samples, err := fs.Glob(configs.Definitions(), "*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, samples)
	for _, name := range samples {
		src, err := fs.ReadFile(configs.Definitions(), name)
		require.NoError(t, err)
		source, err := definition.ReadSource(name, src)
		require.NoError(t, err)
		sides := map[string]bool{"": true}
		for i := range source.Definition.Steps {
			sides[source.Definition.Steps[i].Participant] = true
		}
		for side := range sides {
			t.Run(name+" "+side, func(t *testing.T) {
				text, err := asyncapi.Document(source.JSON, asyncapi.Options{Participant: side})
				require.NoError(t, err)
				doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
				require.NoError(t, err)
				require.NoError(t, schema.Validate(doc))
				require.Positive(t, resolve(t, doc, doc))
			})
		}
	}
	wrong, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"asyncapi": "3.0.0", "info": {"title": "a"}, "operations": {"a": {"action": "shout"}}}`))
	require.NoError(t, err)
	require.Error(t, schema.Validate(wrong), "the schema must be able to refuse")
}

// specification is the schema of AsyncAPI 3.0 as its authors publish it.
func specification(t *testing.T) *jsonschema.Schema {
	t.Helper()
	if testing.Short() {
		t.Skip("needs npm")
	}
	file := filepath.Join("node_modules", "@asyncapi", "specs", "schemas", "3.0.0.json")
	if _, err := os.Stat(file); err != nil {
		out, err := exec.CommandContext(t.Context(), "npm", "ci").CombinedOutput()
		if err != nil && os.Getenv("CI") == "" && os.Getenv("SKALD_TEST_BROWSER") == "" {
			t.Skipf("npm ci: %v\n%s", err, out)
		}
		require.NoError(t, err, "npm ci: %s", out)
	}
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("asyncapi.json", doc))
	schema, err := c.Compile("asyncapi.json")
	require.NoError(t, err)
	return schema
}

// resolve follows every reference within the document, and counts them.
func resolve(t *testing.T, doc, value any) (n int) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		if at, ok := v["$ref"].(string); ok {
			n++
			require.True(t, present(doc, at), "%s leads nowhere", at)
		}
		for _, each := range v {
			n += resolve(t, doc, each)
		}
	case []any:
		for _, each := range v {
			n += resolve(t, doc, each)
		}
	}
	return n
}

// present follows a JSON pointer (RFC 6901).
func present(doc any, at string) bool {
	for part := range strings.SplitSeq(strings.TrimPrefix(at, "#/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch v := doc.(type) {
		case map[string]any:
			next, ok := v[part]
			if !ok {
				return false
			}
			doc = next
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return false
			}
			doc = v[i]
		case json.Number, string, bool, nil:
			return false
		}
	}
	return true
}
