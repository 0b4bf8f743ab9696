package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The parts of a run.
const (
	partClosed       = "closed"
	partOpen         = "open"
	partCompensating = "compensating"
	partCost         = "cost"
	partSize         = "size"
	partReplicas     = "replicas"
	partWatch        = "watch"
)

func allParts() []string {
	return []string{partClosed, partOpen, partCompensating, partCost, partSize, partReplicas, partWatch}
}

const (
	// posters is how many starts are on their way at once, at most: as many connections as the floor's own driver has.
	posters = 128
	// floorWarmUp is how long the floor runs before it measures; it can't be told otherwise.
	floorWarmUp = 3 * time.Second
	// costInFlight is where costs are taken when the closed loop is left out, and compensatingInFlight where a tenth is undone.
	costInFlight         = 64
	compensatingInFlight = 64
	compensatingShare    = 0.1
)

// settings are the flags.
type settings struct {
	parts    []string
	inFlight []int
	rates    []int
	rounds   int
	measure  time.Duration
	warmUp   time.Duration
	postgres string
	kafka    string
	results  string
	doc      string
	profiles string
	report   bool
	verbose  bool

	// Of the part size.
	stored, waiting int
	sizeInFlight    int
	reads           int
	// Of the part replicas.
	replicas         []int
	replicasInFlight int
	observe          time.Duration
}

func (s *settings) has(part string) bool { return slices.Contains(s.parts, part) }

// kept is what stays of a round's costs where the part was not asked for: whether the machine was quiet.
func (s *settings) kept(spent sample) sample {
	if s.has(partCost) {
		return spent
	}
	out := sample{}
	if others, known := spent[othersCPU]; known {
		out[othersCPU] = others
	}
	return out
}

// levels are the numbers in flight of the closed loop.
func (s *settings) levels() []int {
	switch {
	case s.has(partClosed):
		return s.inFlight
	case s.has(partCost):
		return []int{costInFlight}
	}
	return nil
}

// command is how the same run is asked for again.
func (s *settings) command() string {
	text := fmt.Sprintf("make bench PARTS=%s INFLIGHT=%s RATES=%s ROUNDS=%d", strings.Join(s.parts, ","), numbers(s.inFlight), numbers(s.rates), s.rounds)
	var more []string
	differs := func(flag string, value, usual any) {
		if value != usual {
			more = append(more, fmt.Sprintf("%s %v", flag, value))
		}
	}
	differs("-d", s.measure, measureDefault)
	differs("-warmup", s.warmUp, floorWarmUp)
	if s.has(partSize) {
		differs("-stored", s.stored, storedDefault)
		differs("-waiting", s.waiting, waitingDefault)
		differs("-size-inflight", s.sizeInFlight, sizeInFlightDefault)
		differs("-reads", s.reads, readsDefault)
	}
	if s.has(partReplicas) {
		differs("-replicas", numbers(s.replicas), replicasDefault)
		differs("-replicas-inflight", s.replicasInFlight, replicasInFlightDefault)
		differs("-observe", s.observe, observeDefault)
	}
	if len(more) > 0 {
		text += " ARGS='" + strings.Join(more, " ") + "'"
	}
	return text
}

func numbers(ns []int) string {
	texts := make([]string, len(ns))
	for i, n := range ns {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ",")
}

const (
	measureDefault          = 10 * time.Second
	storedDefault           = 1_000_000
	waitingDefault          = 100_000
	sizeInFlightDefault     = 64
	readsDefault            = 300
	replicasDefault         = "1,2,3"
	replicasInFlightDefault = 256
	observeDefault          = 20 * time.Second
)

func readFlags(args []string) (settings, error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprint(f.Output(), "Measures the engine beside the floor, in turn on the same servers.\n\n  go run ./bench [flags]\n  go run ./bench -report   writes the page from the results\n\n")
		f.PrintDefaults()
	}
	s := settings{}
	parts := f.String("parts", strings.Join(allParts(), ","), "what to measure: closed (sagas/s), open (latency at a rate), compensating, cost (CPU, WAL, rows, records), size (with many sagas stored), replicas, watch (browsers that look on)")
	inFlight := f.String("inflight", "1,8,64,256,1024,4096", "sagas in flight of the closed loop, a list")
	rates := f.String("rates", "50,200,1000", "starts a second of the open loop, a list")
	f.IntVar(&s.rounds, "rounds", 5, "rounds, floor and engine in turn; medians are taken over them")
	f.DurationVar(&s.measure, "d", measureDefault, "how long a round measures")
	f.DurationVar(&s.warmUp, "warmup", floorWarmUp, "how long the engine runs before; the floor always takes 3 s")
	f.StringVar(&s.postgres, "pg", os.Getenv("SKALD_BENCH_DATABASE_URL"), "URL of a Postgres superuser instead of one started for the run (SKALD_BENCH_DATABASE_URL)")
	f.StringVar(&s.kafka, "kafka", os.Getenv("SKALD_BENCH_KAFKA_BROKERS"), "address of a Kafka broker instead of one started for the run (SKALD_BENCH_KAFKA_BROKERS)")
	f.StringVar(&s.results, "results", filepath.Join("bench", "results"), "folder of latest.json")
	f.StringVar(&s.profiles, "profiles", "", "folder for CPU and allocation profiles of the engine and its participants, a folder for each load; empty: none are taken, for they cost a few percent")
	f.BoolVar(&s.report, "report", false, "measure nothing: write the page from latest.json")
	f.StringVar(&s.doc, "doc", filepath.Join("docs", "benchmarks.md"), "the page that -report writes; - is standard output")
	f.IntVar(&s.stored, "stored", storedDefault, "part size: sagas stored")
	f.IntVar(&s.waiting, "waiting", waitingDefault, "part size: of them waiting")
	f.IntVar(&s.sizeInFlight, "size-inflight", sizeInFlightDefault, "part size: sagas in flight")
	f.IntVar(&s.reads, "reads", readsDefault, "part size: requests of each kind that are timed")
	replicas := f.String("replicas", replicasDefault, "part replicas: how many, a list")
	f.IntVar(&s.replicasInFlight, "replicas-inflight", replicasInFlightDefault, "part replicas: sagas in flight")
	f.DurationVar(&s.observe, "observe", observeDefault, "part replicas: how long is looked on after one joins, leaves or is killed")
	f.BoolVar(&s.verbose, "v", false, "show what the programs print")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	var errs []error
	if f.NArg() > 0 {
		errs = append(errs, fmt.Errorf("unexpected %q", f.Arg(0)))
	}
	for part := range strings.SplitSeq(*parts, ",") {
		if part = strings.TrimSpace(part); !slices.Contains(allParts(), part) {
			errs = append(errs, fmt.Errorf("-parts %q: want some of %s", *parts, strings.Join(allParts(), ",")))
			break
		}
		s.parts = append(s.parts, part)
	}
	var err error
	s.inFlight, err = readNumbers("-inflight", *inFlight)
	errs = append(errs, err)
	s.rates, err = readNumbers("-rates", *rates)
	errs = append(errs, err)
	s.replicas, err = readNumbers("-replicas", *replicas)
	errs = append(errs, err, s.validate())
	if s.rounds < 1 {
		errs = append(errs, fmt.Errorf("-rounds %d: want 1 or more", s.rounds))
	}
	if s.measure < time.Second {
		errs = append(errs, fmt.Errorf("-d %s: want a second or more", s.measure))
	}
	if s.warmUp < 0 {
		errs = append(errs, fmt.Errorf("-warmup %s: want a positive time, or none", s.warmUp))
	}
	return s, errors.Join(errs...)
}

// validate looks at the flags of the parts size and replicas.
func (s *settings) validate() error {
	var errs []error
	if s.stored < 1000 || s.waiting < 0 || s.waiting > s.stored {
		errs = append(errs, fmt.Errorf("-stored %d -waiting %d: want 1000 or more, and no more that wait", s.stored, s.waiting))
	}
	for _, each := range []struct {
		name  string
		value int
	}{{"-size-inflight", s.sizeInFlight}, {"-reads", s.reads}, {"-replicas-inflight", s.replicasInFlight}} {
		if each.value < 1 {
			errs = append(errs, fmt.Errorf("%s %d: want 1 or more", each.name, each.value))
		}
	}
	if s.observe < 2*time.Second {
		errs = append(errs, fmt.Errorf("-observe %s: want two seconds or more", s.observe))
	}
	return errors.Join(errs...)
}

func readNumbers(name, list string) ([]int, error) {
	var out []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%s %q: want numbers such as 64,1024", name, list)
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}
