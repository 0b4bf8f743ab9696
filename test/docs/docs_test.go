package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/saga"
)

const root = "../.."

// page is a page of the documentation. Path is from the root of the repository.
type page struct {
	path, text string
	prose      string // text without its fenced blocks
}

// pages are all pages: README.md, CONTRIBUTING.md, and those below docs.
func pages(t *testing.T) []page {
	t.Helper()
	paths := []string{"README.md", "CONTRIBUTING.md"}
	walk(t, "docs", ".md", func(path string) { paths = append(paths, path) })
	var out []page
	for _, path := range paths {
		text := read(t, path)
		out = append(out, page{path, text, regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(text, "")})
	}
	require.Greater(t, len(out), 8, "the pages are not where this test looks for them")
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(b)
}

// walk calls f with each file below folder whose name ends in suffix, its path from the root.
func walk(t *testing.T, folder, suffix string, f func(path string)) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(path, suffix) {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			f(filepath.ToSlash(rel))
		}
		return nil
	})
	require.NoError(t, err)
}

func exists(path string) bool {
	_, err := os.Stat(filepath.Join(root, path))
	return err == nil
}

func TestLinksResolve(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	seen := 0
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(p.prose, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			seen++
			target, anchor, _ := strings.Cut(m[1], "#")
			path := p.path
			if target != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(p.path), target))
				require.True(t, exists(path), "%s links to %s, which is not there", p.path, m[1])
			}
			if anchor != "" {
				require.Contains(t, anchors(read(t, path)), anchor, "%s links to %s; there is no such heading", p.path, m[1])
			}
		}
	}
	require.Greater(t, seen, 20)
}

// anchors are those that a page's headings get.
func anchors(text string) []string {
	var out []string
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		out = append(out, strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return out
}

func TestMakeTargetsExist(t *testing.T) {
	t.Parallel()
	makefile := read(t, "Makefile")
	named := regexp.MustCompile("(?m)(?:`|^)make ([a-z][a-z-]*)")
	seen := 0
	for _, p := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(p.text, -1) {
			seen++
			require.Regexp(t, `(?m)^`+m[1]+`:`, makefile, "%s names make %s", p.path, m[1])
		}
	}
	require.Positive(t, seen)
}

// A path in backticks begins with a folder or is a file of the root.
func TestPathsExist(t *testing.T) {
	t.Parallel()
	quoted := regexp.MustCompile("`((?:api|bench|cmd|configs|docs|migrations|orchestrator|participants|test|tools)/[A-Za-z0-9_./-]+)`")
	seen := 0
	for _, p := range pages(t) {
		for _, m := range quoted.FindAllStringSubmatch(p.prose, -1) {
			seen++
			require.True(t, exists(m[1]), "%s names %s, which is not there", p.path, m[1])
		}
	}
	require.Greater(t, seen, 50)
}

// Functions that stand in brackets behind a file are in that file.
func TestFunctionsAreInTheirFiles(t *testing.T) {
	t.Parallel()
	pair := regexp.MustCompile("`([a-z/_]+\\.go)` \\((`[A-Za-z`, ]+`)\\)")
	seen := 0
	for _, p := range pages(t) {
		for _, m := range pair.FindAllStringSubmatch(p.prose, -1) {
			for _, name := range strings.Split(m[2], ", ") {
				seen++
				require.Regexp(t, `(?m)^func (\([^)]*\) )?`+strings.Trim(name, "`")+`[(\[]`, read(t, m[1]), "%s says that %s is in %s", p.path, name, m[1])
			}
		}
	}
	require.Greater(t, seen, 10)
}

// sources calls f with each Go file of the repository.
func sources(t *testing.T, f func(path, text string)) {
	t.Helper()
	walk(t, ".", ".go", func(path string) { f(path, read(t, path)) })
}

func TestRulesThatCodeQuotesExist(t *testing.T) {
	t.Parallel()
	rules := read(t, "docs/rules.md")
	group := regexp.MustCompile(`design rules? ([0-9]+(?:(?:, | and )[0-9]+)*)`)
	seen := 0
	sources(t, func(path, text string) {
		for _, m := range group.FindAllStringSubmatch(text, -1) {
			for _, n := range regexp.MustCompile(`[0-9]+`).FindAllString(m[1], -1) {
				seen++
				require.Contains(t, rules, "\n## Rule "+n+": ", "%s quotes design rule %s", path, n)
			}
		}
	})
	require.Greater(t, seen, 20)
}

func TestGuaranteesThatCodeQuotesExist(t *testing.T) {
	t.Parallel()
	guarantees := read(t, "docs/guarantees.md")
	bracket := regexp.MustCompile(`[(\[]([SL][0-9]{1,2}(?:, [SL][0-9]{1,2})*)[)\]]`)
	seen := 0
	check := func(path, text string) {
		for _, m := range bracket.FindAllStringSubmatch(text, -1) {
			for _, name := range strings.Split(m[1], ", ") {
				seen++
				require.Contains(t, guarantees, "\n| "+name+" | ", "%s quotes %s", path, name)
			}
		}
	}
	sources(t, check)
	for _, p := range pages(t) {
		check(p.path, p.text)
	}
	require.Greater(t, seen, 40)
}

// A test that a page names is there, and so is a case of a suite, such as `Commit_ManySagas`.
func TestTestsThatPagesNameExist(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	sources(t, func(path, text string) {
		if !strings.HasPrefix(path, "test/docs/") {
			code.WriteString(text)
		}
	})
	all := code.String()
	seen := 0
	for _, p := range pages(t) {
		for _, m := range regexp.MustCompile("`(Test[A-Z][A-Za-z0-9_]*)`").FindAllStringSubmatch(p.prose, -1) {
			seen++
			require.True(t, strings.Contains(all, "func "+m[1]+"("), "%s names %s, which is no test", p.path, m[1])
		}
		for _, m := range regexp.MustCompile("`([A-Z][A-Za-z]+_[A-Z][A-Za-z]+)`").FindAllStringSubmatch(p.prose, -1) {
			if strings.HasPrefix(m[1], "Test") || strings.ToUpper(m[1]) == m[1] {
				continue
			}
			seen++
			require.True(t, strings.Contains(all, `"`+m[1]+`":`), "%s names the case %s, which is none", p.path, m[1])
		}
	}
	require.Greater(t, seen, 30)
}

// The README's listings are those that are compiled and run.
func TestReadmeShowsTheExample(t *testing.T) {
	t.Parallel()
	readme := read(t, "README.md")
	program := read(t, "docs/examples/trains/main.go")
	_, program, found := strings.Cut(program, "\n)\n\n")
	require.True(t, found)
	require.Contains(t, readme, "```go\n"+program+"```")
	trip := read(t, "docs/examples/trains/trip.yaml")
	require.Contains(t, readme, "```yaml\n"+trip+"```")
	_, err := definition.Read("trip.yaml", []byte(trip))
	require.NoError(t, err)
}

// docs/rules.md has a line for each status and names each action.
func TestRulesNameEverything(t *testing.T) {
	t.Parallel()
	rules := read(t, "docs/rules.md")
	for _, s := range saga.Statuses() {
		require.Contains(t, rules, "\n| `"+string(s)+"` | ")
	}
	for _, s := range saga.StepStatuses() {
		require.Contains(t, rules, "\n| `"+string(s)+"` | ")
	}
	for _, a := range saga.Actions() {
		require.Contains(t, rules, "**"+string(a)+"**")
	}
	for _, m := range regexp.MustCompile(`Attention[A-Za-z]+ +AttentionReason = "([a-z_.]+)"`).FindAllStringSubmatch(read(t, "orchestrator/saga/status.go"), -1) {
		require.Contains(t, rules, "\n| `"+m[1]+"` | ", "an attention reason")
	}
	for _, m := range regexp.MustCompile(`Code[A-Za-z]+ += "([a-z_]+)"`).FindAllStringSubmatch(read(t, "orchestrator/saga/decision.go"), -1) {
		require.Contains(t, rules, "`"+m[1]+"`", "a refusal")
	}
}

// The metrics that docs/operations.md names are registered, and none is left out.
func TestMetricsAreThere(t *testing.T) {
	t.Parallel()
	names := func(text, pattern string) (out []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	source := ""
	for _, path := range []string{"api/metrics.go", "api/gauges.go", "api/durations.go", "api/participant_gauges.go", "cmd/skald/metrics.go", "cmd/skald/pool_metrics.go", "cmd/skald/tracing.go"} {
		source += read(t, path)
	}
	registered := names(source, `"(skald_[a-z_]+)"`)
	require.Equal(t, registered, names(read(t, "docs/operations.md"), "`(skald_[a-z_]+)[`{]"))
}

// The records of docs/protocol.md are the golden files.
func TestProtocolShowsTheGoldenFiles(t *testing.T) {
	t.Parallel()
	protocol := read(t, "docs/protocol.md")
	golden := regexp.MustCompile("`([a-z/]+testdata/[a-z/-]+\\.golden)`").FindAllStringSubmatch(protocol, -1)
	require.Greater(t, len(golden), 7)
	for _, m := range golden {
		require.Contains(t, protocol, "```text\n"+strings.TrimRight(read(t, m[1]), "\n")+"\n```", m[1])
	}
}

// Each command that a page names is one of the command line.
func TestCommandsExist(t *testing.T) {
	t.Parallel()
	var commands []string
	walk(t, "cmd/skald", ".go", func(path string) {
		if strings.Count(path, "/") > 2 {
			return
		}
		for _, m := range regexp.MustCompile(`(?m)^\t([A-Z][A-Za-z]+) +[a-zA-Z]+Cmd +.*cmd:""`).FindAllStringSubmatch(read(t, path), -1) {
			commands = append(commands, strings.ToLower(m[1]))
		}
	})
	require.Contains(t, commands, "serve")
	named := regexp.MustCompile("(?m)(?:`|^|/)skald ([a-z]+)(?: ([a-z]+)\\b)?")
	for _, p := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(p.text, -1) {
			require.True(t, slices.Contains(commands, m[1]), "%s names skald %s", p.path, m[1])
			if slices.Contains([]string{"saga", "definition", "migrate", "topics"}, m[1]) && m[2] != "" {
				require.True(t, slices.Contains(commands, m[2]), "%s names skald %s %s", p.path, m[1], m[2])
			}
		}
	}
}
