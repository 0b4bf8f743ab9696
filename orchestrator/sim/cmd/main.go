// Command cmd runs the simulated world with many seeds, up to the first that breaks a promise: make sim SEEDS=100000 SEED=1. What
// fails is shrunk and kept as a world that the tests run from then on. It exits 0 when every seed held, 1 when one did not, or when
// something that a long run must see never happened.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/skaldhq/skald/orchestrator/sim"
)

// notes is how many of the last notes of its trace a failure shows.
const notes = 200

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("sim", flag.ExitOnError)
	first := flags.Uint64("seed", 1, "the first seed")
	seeds := flags.Int("seeds", 1000, "how many seeds")
	twice := flags.Int("twice", 1000, "so many of them are run twice, and the traces compared")
	parallel := flags.Int("parallel", 0, "worlds at a time; 0: one for each core")
	sagas := flags.Int("sagas", 0, "sagas of a world; 0: drawn")
	replicas := flags.Int("replicas", 0, "replicas of a world; 0: drawn")
	outside := flags.Int("outside", 0, "starts of a world that come as records and in SQL, beside those of clients")
	shrink := flags.Bool("shrink", true, "shrink what fails")
	keep := flags.String("keep", "orchestrator/sim/testdata/regress", "where what fails is kept; empty: nowhere")
	progress := flags.Bool("progress", onTerminal(), "say how far it is")
	_ = flags.Parse(args) // it exits

	debug.SetGCPercent(1000) // a world is small and lives for milliseconds
	began := time.Now()
	c := sim.Campaign{First: *first, Seeds: *seeds, Parallel: *parallel, Twice: *twice, Options: sim.Options{Sagas: *sagas, Replicas: *replicas, Outside: *outside}}
	if *progress {
		c.Progress = func(done int) {
			if done%100 == 0 {
				fmt.Fprintf(os.Stderr, "\r%d of %d seeds, %s", done, *seeds, time.Since(began).Round(time.Second))
			}
		}
	}
	sum, failure := c.Run()
	if *progress {
		fmt.Fprintln(os.Stderr)
	}
	if failure != nil {
		tell(failure, *first, *shrink, *keep)
	}
	sum.Print(os.Stdout)
	fmt.Printf("from seed %d, %d of them twice, in %s\n", *first, min(*twice, sum.Seeds), time.Since(began).Round(time.Millisecond))
	switch {
	case failure != nil:
		return fmt.Errorf("seed %d breaks %s", failure.Options.Seed, failure.Violation.Guarantee)
	case len(sum.Missing()) > 0:
		return errors.New("what never happened is not tested")
	}
	return nil
}

// tell says what is wrong with a seed: as it was found, and, shrunk, with the end of its trace.
func tell(failure *sim.Failure, first uint64, shrink bool, keep string) {
	fmt.Println(failure)
	fmt.Println(failure.Violation)
	fmt.Printf("seeds needed: %d\n", failure.Options.Seed-first+1)
	if shrink {
		failure = sim.Shrink(failure)
		fmt.Printf("shrunk to %d faults, and run with them alone:\n", len(failure.Options.Only))
	}
	opt := failure.Options
	opt.Notes = notes
	if _, err := sim.Run(opt); err != nil {
		fmt.Println(err)
	}
	if keep == "" {
		return
	}
	file, err := sim.RegressOf(failure).Write(keep)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("kept as", file)
}

func onTerminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
