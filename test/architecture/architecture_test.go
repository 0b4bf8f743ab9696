package architecture_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/skaldhq/skald/"

// rule says what a folder's packages (tests left out) may import of this module, or what nobody there may import at all.
type rule struct {
	folder string   // a package and those below it
	but    []string // packages below it that have rules of their own
	may    []string // of this module; a trailing /... takes those below
	never  []string // of anything, the standard library too
	std    bool     // nothing but the standard library and `may`
	why    string
}

func rules() []rule {
	return []rule{
		{
			folder: "orchestrator/saga", std: true, never: []string{"context", "log", "log/slog", "net", "net/http", "os", "math/rand", "math/rand/v2", "sync", "io"},
			why: "the domain is pure: a clock, a log, a lock or I/O in it would make the same inputs give two Decisions",
		},
		{folder: "participants/wire", std: true, why: "other teams' services import the protocol; it must cost them nothing"},
		{folder: "participants", but: []string{"participants/internal/pgtest"}, may: []string{"participants/..."}, why: "the SDK is what other teams import; the engine must not come along"},
		{
			folder: "participants/conformance", may: []string{"participants/wire", "participants/conformance/..."},
			why: "the kit judges participants from outside: what it shared with the SDK would be wrong in both, and not seen",
		},
		{
			folder: "orchestrator", but: []string{"orchestrator/sim", "orchestrator/storetest"},
			may: []string{"orchestrator/...", "participants/wire"}, why: "the engine does not know its drivers (cmd, api) nor the participants' SDK",
		},
		{
			folder: "orchestrator", but: []string{"orchestrator/sim", "orchestrator/storetest", "orchestrator/tracing"}, may: []string{"orchestrator/...", "participants/wire"},
			never: []string{"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/trace", "go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/sdk/trace"},
			why:   "the engine says what has ended, and orchestrator/tracing alone makes spans of it: who does not trace pays nothing",
		},
		{folder: "orchestrator/definition", may: []string{"orchestrator/saga", "orchestrator/definition/..."}, why: "definitions are read into the domain, and the domain alone"},
		{
			folder: "api", but: []string{"api/client"}, may: []string{"api/...", "orchestrator", "orchestrator/saga", "orchestrator/definition/..."},
			never: []string{module + "orchestrator/postgres", module + "orchestrator/kafka", "github.com/jackc/pgx/v5", "github.com/IBM/sarama"},
			why:   "the API speaks to the engine's ports; which database or broker stands behind them is the composition root's business",
		},
		{folder: "api/client", may: []string{}, why: "a client must be importable without the server"},
		{
			folder: "bench/load", may: []string{"api/client"},
			why: "the load is put on from outside: `skald bench` brings it to users' servers, where nothing but the API is known",
		},
		{folder: "configs", may: []string{"participants/wire"}, why: "configuration is read before anything else exists; it knows the protocol's names and keys alone"},
		{folder: "migrations", may: []string{}, why: "a migration never changes with the code"},
	}
}

type listed struct {
	ImportPath string
	Imports    []string
	Standard   bool
	Dir        string
}

// TestDirectionOfImports keeps the rules of docs/architecture.md. It looks at the imports of packages, tests left out.
func TestDirectionOfImports(t *testing.T) {
	t.Parallel()
	packages := list(t)
	for _, r := range rules() {
		t.Run(strings.ReplaceAll(r.folder, "/", "-"), func(t *testing.T) {
			t.Parallel()
			seen := 0
			for _, p := range packages {
				path := strings.TrimPrefix(p.ImportPath, module)
				if !below(path, r.folder) || slices.ContainsFunc(r.but, func(b string) bool { return below(path, b) }) {
					continue
				}
				seen++
				for _, imported := range p.Imports {
					require.NotContains(t, r.never, imported, "%s imports %s, but %s", path, imported, r.why)
					own, ours := strings.CutPrefix(imported, module)
					switch {
					case ours:
						require.True(t, below(own, r.folder) && len(r.may) == 0 || allowed(own, r.may), "%s imports %s, but %s", path, own, r.why)
					case r.std:
						require.NotContains(t, strings.Split(imported, "/")[0], ".", "%s imports %s, but %s", path, imported, r.why)
					}
				}
			}
			require.Positive(t, seen, "the rule is about %s, and there is no such package", r.folder)
		})
	}
}

func below(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

func allowed(path string, may []string) bool {
	return slices.ContainsFunc(may, func(m string) bool {
		if folder, ok := strings.CutSuffix(m, "/..."); ok {
			return below(path, folder)
		}
		return path == m
	})
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Standard,Dir", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	require.NoError(t, err, "list the module's packages")
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else {
			require.NoError(t, err)
		}
		all = append(all, p)
	}
}

// TestWorkersAreStraightLine: in package orchestrator only run.go starts goroutines, makes channels, selects or waits on timers, so
// that the code that is simulated is the code that runs.
func TestWorkersAreStraightLine(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "orchestrator", "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "run.go" {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			what := ""
			switch n := n.(type) {
			case *ast.GoStmt:
				what = "starts a goroutine"
			case *ast.SelectStmt:
				what = "selects"
			case *ast.ChanType:
				what = "has a channel"
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Sleep", "After", "NewTimer", "NewTicker", "AfterFunc", "Since"}, n.Sel.Name) {
					what = "reads the machine's clock (time." + n.Sel.Name + ")"
				}
			}
			if what != "" {
				require.Fail(t, "workers call ports, and run.go alone knows goroutines", "%s %s", set.Position(n.Pos()), what)
			}
			return true
		})
	}
}
