// Command bench runs the engine beside the floor: the least durable work that any Kafka and Postgres orchestrator must do for a
// three-step saga, with no logic (folder floor, a program of its own). Both run in turn on the same servers, driver,
// orchestrator and participants each in a process of its own, and the ratio of their medians is printed and kept in
// results/latest.json. Absolute rates say more about the machine than about the engine.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// settings are the flags.
type settings struct {
	inFlight []int
	rounds   int
	measure  time.Duration
	postgres string
	kafka    string
	results  string
	verbose  bool
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "participants" { // the same binary, as the participants' process
		if err := runParticipants(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "participants:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	s, err := readFlags(args)
	if err != nil {
		return err
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
	programs, err := build(ctx, work)
	if err != nil {
		return err
	}
	servers, err := startServers(ctx, s, work)
	if err != nil {
		return err
	}
	defer servers.stop()
	report := newReport(s)
	for _, n := range s.inFlight {
		for round := 1; round <= s.rounds; round++ {
			fl, err := floorRound(ctx, s, programs, servers, n)
			if err != nil {
				return fmt.Errorf("floor at %d in flight: %w", n, err)
			}
			en, err := engineRound(ctx, s, programs, servers, n, work)
			if err != nil {
				return fmt.Errorf("engine at %d in flight: %w", n, err)
			}
			report.add(n, fl, en)
			fmt.Printf("%5d in flight, round %d/%d: floor %7.0f sagas/s p50 %8s | engine %7.0f sagas/s p50 %8s p99 %8s\n", n, round, s.rounds,
				fl.Rate, fl.P50.Round(10*time.Microsecond), en.Rate, en.P50.Round(10*time.Microsecond), en.P99.Round(10*time.Microsecond))
		}
	}
	report.print(os.Stdout)
	return report.write(filepath.Join(s.results, "latest.json"))
}

func readFlags(args []string) (settings, error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	s := settings{}
	inFlight := f.String("inflight", "1,64,1024", "sagas in flight, a list")
	f.IntVar(&s.rounds, "rounds", 5, "rounds, floor and engine in turn; medians are taken over them")
	f.DurationVar(&s.measure, "d", 10*time.Second, "how long a round measures, after 3 s of warming up")
	f.StringVar(&s.postgres, "pg", "", "URL of a Postgres superuser instead of one started for the run")
	f.StringVar(&s.kafka, "kafka", "", "address of a Kafka broker instead of one started for the run")
	f.StringVar(&s.results, "results", filepath.Join("bench", "results"), "folder of latest.json")
	f.BoolVar(&s.verbose, "v", false, "show what the programs print")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	for _, text := range strings.Split(*inFlight, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return s, fmt.Errorf("-inflight %q: want numbers such as 64,1024", *inFlight)
		}
		s.inFlight = append(s.inFlight, n)
	}
	if s.rounds < 1 {
		return s, fmt.Errorf("-rounds %d: want 1 or more", s.rounds)
	}
	return s, nil
}
