package participanttest

import (
	"context"
	_ "embed"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
)

// World is a barrier, and a place for effects in its transactions.
type World struct {
	Barrier participants.Barrier
	// Effect writes name in the transaction that a handler finds in Request.Tx.
	Effect func(ctx context.Context, tx any, name string) error
	// Effects returns what was committed, in order.
	Effects func() []string
	// Break makes a statement of the transaction fail, as a violated constraint would; nil where there are none.
	Break func(ctx context.Context, tx any) error
}

// barrierCases are what every barrier in any language must do; the file says how it is read.
//
//go:embed testdata/barrier.txt
var barrierCases string

// RunBarrierSuite checks a barrier against the rules of the protocol, one subtest a case of testdata/barrier.txt. newWorld is called
// for each and returns one with no rows.
func RunBarrierSuite(t *testing.T, newWorld func(t testing.TB) World) {
	groups := map[string][]script{}
	for _, s := range scripts(t, barrierCases) {
		group, _, _ := strings.Cut(s.name, "/")
		groups[group] = append(groups[group], s)
	}
	require.Len(t, groups, 5)
	breaks := newWorld(t).Break != nil // where no statement can fail, cases of one that does have no meaning
	for group, cases := range groups {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			for _, s := range cases {
				if s.needsBreak() && !breaks {
					continue
				}
				t.Run(strings.TrimPrefix(s.name, group+"/"), func(t *testing.T) {
					t.Parallel()
					s.play(newRig(t, newWorld(t)))
				})
			}
		})
	}
}

// script is a case of the file.
type script struct {
	name  string
	lines []string
}

func scripts(t testing.TB, text string) []script {
	t.Helper()
	var all []script
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "case "); ok {
			all = append(all, script{name: name})
		} else if line != "" && !strings.HasPrefix(line, "#") {
			require.NotEmpty(t, all, "a line before the first case: %s", line)
			all[len(all)-1].lines = append(all[len(all)-1].lines, line)
		}
	}
	return all
}

func (s script) needsBreak() bool {
	for _, line := range s.lines {
		if strings.Contains(line, " break ") {
			return true
		}
	}
	return false
}
