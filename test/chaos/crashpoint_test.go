package chaos

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/sim/crashpoint"
	"github.com/skaldhq/skald/test/stack"
)

// lanesOf is how many stacks are worked through side by side: what the machine can bear, since a lane mostly waits.
func lanesOf() int {
	if stack.Raced {
		return 3
	}
	return 6
}

// TestCrashPoints kills the real binary, as kill -9 does, at every crash point, for sagas in every phase that the point can meet:
// between two statements of an open transaction, after a commit before its answer, between append and acknowledgement, in a
// drain, between migrations. Another process takes over; the saga ends, its certificate agrees with the participants' tables,
// and nothing has happened twice.
func TestCrashPoints(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	t.Parallel()
	hits := &counter{n: map[crashpoint.Point]int{}}
	all, lanes := rounds(), lanesOf()
	var working sync.WaitGroup // not t.Parallel, which counts processors: a lane mostly waits
	for i := range lanes {
		working.Go(func() {
			t.Run(fmt.Sprintf("lane-%d", i), func(t *testing.T) {
				l := newLane(t, i)
				for j := i; j < len(all) && !t.Failed(); j += lanes {
					if l.play(all[j]); !t.Failed() {
						hits.add(all[j].point)
					}
				}
				l.end()
			})
		})
	}
	working.Go(func() {
		t.Run("migrating", func(t *testing.T) {
			testMigrating(t)
			hits.add(crashpoint.Migrating)
		})
	})
	working.Wait()
	var counts strings.Builder
	for _, p := range crashpoint.All() {
		fmt.Fprintf(&counts, "%4d %s\n", hits.n[p], p)
	}
	t.Logf("kills by crash point:\n%s", counts.String())
	for _, p := range crashpoint.All() {
		require.Positive(t, hits.n[p], "nobody was ever killed at %s: the hooks are not on", p)
	}
}

// TestCrashPoints_OrdinaryBuild: nothing that kills is in the binary that people run.
func TestCrashPoints_OrdinaryBuild(t *testing.T) {
	t.Parallel()
	deps := func(tags string) string {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", tags, "github.com/skaldhq/skald/cmd/skald").CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	require.NotContains(t, deps(""), "orchestrator/sim")
	require.Contains(t, deps("crashpoints"), "orchestrator/sim/crashpoint", "the tag is another one: the test above shows nothing")
}

type counter struct {
	mu sync.Mutex // guards n
	n  map[crashpoint.Point]int
}

func (c *counter) add(p crashpoint.Point) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[p]++
}

// round is one kill.
type round struct {
	point crashpoint.Point
	phase crashpoint.Phase // of the saga; the definition of that name goes through it
}

func (r round) String() string { return fmt.Sprintf("%s-%s", r.point, r.phase) }

// rounds are the kills, all but those between migrations. A start meets no phase but its own. Under the race detector, which makes
// every process slow, each point has one phase, in turn.
func rounds() []round {
	var all []round
	turn := 0
	for _, p := range crashpoint.All() {
		switch p {
		case crashpoint.Migrating: // not with a saga
		case crashpoint.StartBegin, crashpoint.StartInserted, crashpoint.StartUnknown, crashpoint.StartCommitted:
			all = append(all, round{p, crashpoint.Forward})
		default:
			phases := crashpoint.AllPhases()
			if stack.Raced {
				phases = phases[turn%len(phases):][:1]
				turn++
			}
			for _, phase := range phases {
				all = append(all, round{p, phase})
			}
		}
	}
	return all
}
