package main

import (
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const root = "../../.."

// TestMutants_Apply holds what can be held without running the simulation: every mutant is there, and each of its edits still applies
// exactly once and leaves a Go file. Whether it compiles, and is found, the full run tells (make mutants).
func TestMutants_Apply(t *testing.T) {
	t.Parallel()
	all, err := ReadAll(os.DirFS("testdata"))
	require.NoError(t, err)
	require.Len(t, all, len(Names()), "the mutants that there have to be")
	guarantee := regexp.MustCompile(`^(S([1-9]|1\d|2[0-3])|L[1-8]|rule ([1-9]|1[0-5])|invariant)$`)
	for _, m := range all {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			for _, g := range m.Breaks {
				require.Regexp(t, guarantee, g, "what it breaks is a guarantee or a rule")
			}
			for _, edits := range [][]Edit{m.Edits, m.Adapter} {
				files, err := Apply(os.DirFS(root), edits)
				require.NoError(t, err)
				for file, text := range files {
					formatted, err := format.Source([]byte(text))
					require.NoError(t, err, "%s is no Go file with the edit", file)
					require.Equal(t, string(formatted), text, "%s is not formatted with the edit", file)
				}
			}
		})
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	m, err := Read("x", "It forgets\nto wait.\n\nbreaks: S1, rule 3\nsuite: ./p TestX\n\n@@ a.go\n keep\n-old\n+new\n\n end\n@@ adapter b.go\n-one\n+two\n")
	require.NoError(t, err)
	require.Equal(t, Mutant{
		Name: "x", What: "It forgets to wait.", Breaks: []string{"S1", "rule 3"}, Suite: "./p TestX",
		Edits:   []Edit{{File: "a.go", Old: "keep\nold\n\nend\n", New: "keep\nnew\n\nend\n"}},
		Adapter: []Edit{{File: "b.go", Old: "one\n", New: "two\n"}},
	}, m)
	for name, text := range map[string]string{
		"says nothing":       "\n\nbreaks: S1\n\n@@ a.go\n-o\n+n\n",
		"breaks nothing":     "It.\n\n@@ a.go\n-o\n+n\n",
		"edits nothing":      "It.\n\nbreaks: S1\n",
		"changes nothing":    "It.\n\nbreaks: S1\n\n@@ a.go\n o\n",
		"says nowhere":       "It.\n\nbreaks: S1\n\n@@ a.go\n+n\n",
		"adapter, no suite":  "It.\n\nbreaks: S1\n\n@@ a.go\n-o\n+n\n@@ adapter b.go\n-o\n+n\n",
		"outside an edit":    "It.\n\nbreaks: S1\n\n-o\n",
		"neither stays nor…": "It.\n\nbreaks: S1\n\n@@ a.go\no\n",
	} {
		_, err := Read("x", text)
		require.Error(t, err, name)
	}
}

func TestReadAll_NamesAndFilesAgree(t *testing.T) {
	t.Parallel()
	good := &fstest.MapFile{Data: []byte("It.\n\nbreaks: S1\n\n@@ a.go\n-o\n+n\n")}
	dir := fstest.MapFS{}
	for _, name := range Names() {
		dir[name+".txt"] = good
	}
	_, err := ReadAll(dir)
	require.NoError(t, err)
	dir["another.txt"] = good
	_, err = ReadAll(dir)
	require.ErrorContains(t, err, "no mutant's name")
	delete(dir, "another.txt")
	delete(dir, "timeout-as-failed.txt")
	_, err = ReadAll(dir)
	require.ErrorContains(t, err, "timeout-as-failed has no file")
}

func TestApply_ExactlyOnce(t *testing.T) {
	t.Parallel()
	src := fstest.MapFS{"a.go": {Data: []byte("one\ntwo\ntwo\n")}}
	files, err := Apply(src, []Edit{{"a.go", "one\n", "1\n"}, {"a.go", "1\ntwo\n", "1\n2\n"}})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a.go": "1\n2\ntwo\n"}, files, "edits of one file follow one another")
	_, err = Apply(src, []Edit{{"a.go", "two\n", "2\n"}})
	require.ErrorContains(t, err, "occurs 2 times")
	_, err = Apply(src, []Edit{{"a.go", "three\n", "3\n"}})
	require.ErrorContains(t, err, "occurs 0 times")
	_, err = Apply(src, []Edit{{"b.go", "one\n", "1\n"}})
	require.Error(t, err)
}

func TestFinding(t *testing.T) {
	t.Parallel()
	for _, said := range []string{
		"--- FAIL: TestSeeds\n  Error: violated: S11 at 1m2s: left stands\nseeds needed: 37\n",
		"--- FAIL: TestSeeds\n  Error: violated: S11 at 1m2s: left stands\n  seed 37, trace 7d19, 0 faults\n",
	} {
		require.Equal(t, Result{Violated: "S11", Message: "at 1m2s: left stands", Seeds: 37}, finding([]byte(said), os.ErrClosed))
	}
	for name, said := range map[string]string{
		"no guarantee":   "panic: nil",
		"contradicts it": "violated: world at 1s: a mark of nobody\nseed 3, trace 1",
		"no seed":        "violated: S1 at 1s: gone",
	} {
		require.NotEmpty(t, finding([]byte(said), os.ErrClosed).Why, name)
	}
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(from, "p"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(from, "p/a.go"), []byte("old\n"), 0o600))
	file, err := overlay(from, to, []Edit{{"p/a.go", "old\n", "new\n"}})
	require.NoError(t, err)
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	require.JSONEq(t, `{"Replace": {"`+filepath.Join(from, "p/a.go")+`": "`+filepath.Join(to, "p+a.go")+`"}}`, string(written))
	edited, err := os.ReadFile(filepath.Join(to, "p+a.go"))
	require.NoError(t, err)
	require.Equal(t, "new\n", string(edited))
}
