package definition

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestRead_Wrong reads every wrong definition and compares all its problems, with their snippets, to the golden file beside it.
func TestRead_Wrong(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/wrong/*")
	require.NoError(t, err)
	sources := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		sources++
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			_, err := Read(filepath.Base(file), readFile(t, file))
			var problems *Problems
			require.True(t, errors.As(err, &problems), "the error of Read is a *Problems; got %v", err)
			got := problems.Snippets()
			golden := file + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			require.Empty(t, cmp.Diff(string(readFile(t, golden)), got), "run the test with -update and read the difference")
		})
	}
	require.GreaterOrEqual(t, sources, 30)
}
