// Command mutants proves that the simulation bites. A mutant is the engine with one promise of its code taken out: a small edit of a
// source file, kept in testdata, one file a mutant. Production code has no hooks for it: the edited file is laid over the real one
// when the simulation's test binary is built (go test -c -overlay). The simulation must find each mutant, within so many seeds.
//
//	go run ./orchestrator/sim/mutants all
//	go run ./orchestrator/sim/mutants timeout-as-failed drain-loses-rows
//
// It prints, per mutant, the seeds that it took, the guarantee that the simulation names and the time; and it exits with 0 exactly
// when all that were asked for are found. An edit that does not apply exactly once, a mutant that does not compile, one that
// breaks the simulation instead of a promise, and one that is not found are failures, each with its reason. What a seed shows
// must be the mutant's doing: the same seed is run without it, and has to pass.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	seeds := flags.Int("seeds", 5000, "within how many seeds a mutant must be found")
	parallel := flags.Int("parallel", 2, "how many mutants are built and run at a time")
	adapters := flags.Bool("adapters", false, "also run the conformance suites on the mutants of the real adapters (needs Postgres and Kafka, as make test does)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	asked, err := choose(filepath.Join(root, "orchestrator/sim/mutants/testdata"), flags.Args())
	if err != nil {
		return err
	}
	h, err := newHunt(ctx, root, *seeds)
	if err != nil {
		return err
	}
	defer h.close()
	h.adapters = *adapters
	results := h.all(ctx, asked, *parallel)
	printTable(os.Stdout, results)
	if n := notFound(results); n > 0 {
		return fmt.Errorf("%d of %d mutants were not found", n, len(results))
	}
	fmt.Printf("all %d mutants were found, each within %d seeds\n", len(results), *seeds)
	return nil
}

// choose reads the mutants of those names, all for `all`, in the order of their names.
func choose(dir string, names []string) ([]Mutant, error) {
	all, err := ReadAll(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	if slices.Equal(names, []string{"all"}) {
		return all, nil
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("say which mutants to look for, or all; there are %s", strings.Join(Names(), ", "))
	}
	var out []Mutant
	for _, name := range names {
		i := slices.IndexFunc(all, func(m Mutant) bool { return m.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no mutant %q; there are %s", name, strings.Join(Names(), ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
