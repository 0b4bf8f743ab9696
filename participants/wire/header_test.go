package wire_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants/wire"
)

func TestHeaderName_KnowsEveryHeader(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "header.go", nil, 0)
	require.NoError(t, err)
	known := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Header") {
			return true
		}
		name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		known++
		b := []byte(name)
		require.Equal(t, name, wire.HeaderName(b))
		require.Zero(t, testing.AllocsPerRun(10, func() { wire.HeaderName(b) }), name)
		return true
	})
	require.Greater(t, known, 20)
	require.Equal(t, "x-own", wire.HeaderName([]byte("x-own")))
}
