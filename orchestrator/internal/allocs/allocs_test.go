//go:build !race

package allocs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

type recorder struct{ failures int }

func (r *recorder) Helper()               {}
func (r *recorder) Logf(string, ...any)   {}
func (r *recorder) Errorf(string, ...any) { r.failures++ }

func TestCheck(t *testing.T) {
	var kept []byte
	one := func() { kept = make([]byte, 100) }
	for name, c := range map[string]struct {
		of       Case
		failures int
	}{
		"as it was":      {Case{Name: "a", Measured: 1, Limit: 1, Run: one}, 0},
		"less":           {Case{Name: "a", Measured: 2, Limit: 2, Run: one}, 0},
		"more":           {Case{Name: "a", Measured: 0, Limit: 0, Run: one}, 1},
		"a loose limit":  {Case{Name: "a", Measured: 1, Limit: 9, Run: one}, 1},
		"below its own":  {Case{Name: "a", Measured: 3, Limit: 2, Run: one}, 1},
		"loose and more": {Case{Name: "a", Measured: 5, Limit: 0, Run: one}, 2},
	} {
		r := &recorder{}
		check(r, []Case{c.of})
		require.Equal(t, c.failures, r.failures, name)
	}
	require.Len(t, kept, 100)
}
