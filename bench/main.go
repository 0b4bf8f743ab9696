// Command bench runs the engine beside the floor: the least durable work that any Kafka and Postgres orchestrator must do for a
// three-step saga, with no logic (folder floor, a program of its own). Both run in turn on the same servers, driver,
// orchestrator and participants each in a process of its own, and the ratios of their rounds are printed and kept in
// results/latest.json. Absolute rates say more about the machine than about the engine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/skaldhq/skald/bench/proc"
)

func main() {
	if asParticipants() {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C kills
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// asParticipants runs this program as the participants' process where it was started as that.
func asParticipants() bool {
	if len(os.Args) != 4 || os.Args[1] != "participants" {
		return false
	}
	if err := runParticipants(os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "participants:", err)
		os.Exit(1)
	}
	return true
}

func run(ctx context.Context, args []string) error {
	s, err := readFlags(args)
	if err != nil {
		return err
	}
	latest := filepath.Join(s.results, "latest.json")
	if s.report {
		return writePage(latest, s.doc)
	}
	work, err := os.MkdirTemp("/var/tmp", "skald-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.Chmod(work, 0o755); err != nil { // Postgres runs as another user than root
		return err
	}
	fmt.Println("building the floor and the engine")
	root, err := repository(ctx)
	if err != nil {
		return err
	}
	programs, err := build(ctx, root, work)
	if err != nil {
		return err
	}
	sv, err := startServers(ctx, &s, work)
	if err != nil {
		return err
	}
	defer sv.stop()
	result, err := newResult(ctx, &s, sv, root)
	if err != nil {
		return err
	}
	g := newGathering()
	err = everyRound(ctx, &s, programs, sv, g)
	result.Seconds = time.Since(result.At).Round(time.Second).Seconds()
	result.Complete = err == nil
	result.fill(g)
	if result.measured() {
		result.print(os.Stdout)
	}
	file := latest
	if err != nil {
		file = filepath.Join(s.results, "partial.json") // latest.json keeps the last whole run
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	err = errors.Join(err, result.write(file))
	fmt.Println("\nwritten to", file)
	return err
}

// repository is the root of the checkout that the benchmark is run in.
func repository(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/skaldhq/skald").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func newResult(ctx context.Context, s *settings, sv *servers, root string) (*Result, error) {
	described, err := sv.describe(ctx)
	if err != nil {
		return nil, err
	}
	if described.PostgresSettings["fsync"] != "on" || described.PostgresSettings["synchronous_commit"] != "on" {
		fmt.Println("this Postgres does not flush what it commits: the figures are good for nothing but trying the benchmark")
	}
	return &Result{
		Schema: schemaVersion, At: time.Now().UTC().Truncate(time.Second), Command: s.command(), Commit: commit(ctx, root),
		Machine: proc.FS{}.Machine(), Servers: described,
		Settings: Settings{s.parts, s.rounds, s.measure.Seconds(), s.warmUp.Seconds(), posters, s.reads, s.observe.Seconds()},
		asked:    s,
	}, nil
}

// commit names what is measured; empty: nobody knows.
func commit(ctx context.Context, root string) string {
	cmd := exec.CommandContext(ctx, "git", "describe", "--always", "--abbrev=12", "--dirty")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
