// Package allocs holds the hot code to a number of allocations, so that it does not grow slower change by change. Allocations are
// counted, not timed: the figure is the same on every machine. It is for tests alone.
package allocs

import "testing"

// Case is a piece of hot code.
type Case struct {
	Name string
	// Measured is how many allocations a run took when the limit was set, and Limit how many it may take: a little more, as
	// map growth and pools differ from run to run. Who lowers the one lowers the other.
	Measured, Limit float64
	// Run is called once to warm up and then Runs times.
	Run func()
}

// Runs is how often a case is run; its figure is the mean.
const Runs = 50

// Check fails where a case takes more than its limit, and where a limit is so far from its figure that it would hide a change: more than
// a tenth and two allocations above it. The test that calls it must not be parallel, and has the build tag !race: the race detector
// allocates too.
func Check(t *testing.T, cases []Case) {
	t.Helper()
	check(t, cases)
}

// reporter is what check needs of a test.
type reporter interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
}

func check(t reporter, cases []Case) {
	t.Helper()
	for _, c := range cases {
		if loose := c.Measured*1.1 + 2; c.Limit > loose || c.Limit < c.Measured {
			t.Errorf("%s: limit %v: want %v to %v for a figure of %v", c.Name, c.Limit, c.Measured, loose, c.Measured)
		}
		got := testing.AllocsPerRun(Runs, c.Run)
		t.Logf("%-20s %6.0f allocs", c.Name, got)
		if got > c.Limit {
			t.Errorf("%s: %v allocations, and %v is the limit (%v when it was set): find out what allocates (go test -bench, -memprofile)", c.Name, got, c.Limit, c.Measured)
		}
	}
}

// Benchmark times the cases.
func Benchmark(b *testing.B, cases []Case) {
	for _, c := range cases {
		b.Run(c.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Run()
			}
		})
	}
}
