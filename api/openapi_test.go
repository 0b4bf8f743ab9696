package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew") //nolint:gochecknoglobals // flags are

func TestOpenAPI_IsTheGoldenFile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.do(t, exchange{method: "GET", path: "/openapi.json"})
	require.Equal(t, 200, w.Code)
	var got bytes.Buffer
	require.NoError(t, json.Indent(&got, w.Body.Bytes(), "", " "))
	got.WriteByte('\n')
	golden := filepath.Join("testdata", "openapi.json")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String(), "the API changed; if it should, run the test with -update and read the difference")
}

func TestOpenAPI_IsWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Equal(t, "3.1.0", b.api.huma.OpenAPI().OpenAPI)
	ids := map[string]bool{}
	for route, op := range operations(b) {
		require.NotEmpty(t, op.Summary, route)
		require.NotEmpty(t, op.Tags, route)
		require.False(t, ids[op.OperationID], "%s is there twice", op.OperationID)
		ids[op.OperationID] = true
		require.Contains(t, op.Responses, "422", route)
		require.Contains(t, op.Responses, "500", route)
		if op.Metadata[metaPermission] != Public {
			for _, status := range []string{"401", "403", "429", "503"} {
				require.Contains(t, op.Responses, status, route)
			}
		}
		if op.RequestBody == nil {
			continue
		}
		for _, status := range []string{"400", "413", "415"} {
			require.Contains(t, op.Responses, status, route)
		}
		require.NotContains(t, op.RequestBody.Content, "application/octet-stream", route)
	}
}
