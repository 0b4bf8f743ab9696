package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// String is the result in a line, with the reason where there is something to say.
func (r Result) String() string {
	took := r.Took.Round(100 * time.Millisecond)
	if !r.Found {
		return fmt.Sprintf("NOT FOUND %s (%s): %s", r.Mutant.Name, took, r.Why)
	}
	return fmt.Sprintf("found %s in %d seeds (%s): %s %s", r.Mutant.Name, r.Seeds, took, r.Violated, r.Message)
}

// bad reports whether the result is a failure.
func (r Result) bad() bool { return !r.Found || r.Suite != "" && r.Suite != "found" }

func notFound(results []Result) int {
	n := 0
	for _, r := range results {
		if r.bad() {
			n++
		}
	}
	return n
}

// printTable prints a line per mutant. A guarantee that the mutant's file does not name has a question mark: found, but not for
// the reason that was thought of.
func printTable(to io.Writer, results []Result) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nmutant\tseeds\tviolated\ttime\treal adapter's suite")
	for _, r := range results {
		seeds, violated := "-", "NOT FOUND"
		if r.Found {
			seeds, violated = fmt.Sprint(r.Seeds), r.Violated
			if !slices.Contains(r.Mutant.Breaks, violated) {
				violated += "? (" + strings.Join(r.Mutant.Breaks, ", ") + ")"
			}
		}
		suite, _, _ := strings.Cut(r.Suite, "\n")
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f s\t%s\n", r.Mutant.Name, seeds, violated, r.Took.Seconds(), suite)
	}
	_ = w.Flush()
}
