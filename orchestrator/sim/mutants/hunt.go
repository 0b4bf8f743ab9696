package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// hunt looks for mutants in one checkout. The unchanged simulation is built once, to tell a mutant's doing from anything else's.
type hunt struct {
	root, dir string
	unchanged string // the test binary without any mutant
	seeds     int
	adapters  bool

	mu     sync.Mutex       // guards passes
	passes map[uint64]error // seeds that the unchanged simulation has run
}

// Result is what became of one mutant.
type Result struct {
	Mutant   Mutant
	Found    bool
	Why      string // not found: the reason
	Seeds    int    // that it took
	Violated string // the guarantee that the simulation named
	Message  string // what it said, in a line
	Took     time.Duration
	Suite    string // what the real adapter's suite made of it: found, not found, or empty where it was not asked
}

func newHunt(ctx context.Context, root string, seeds int) (*hunt, error) {
	dir, err := os.MkdirTemp("", "skald-mutants-")
	if err != nil {
		return nil, err
	}
	h := &hunt{root: root, dir: dir, seeds: seeds, unchanged: filepath.Join(dir, "unchanged.test"), passes: map[uint64]error{}}
	if err := h.build(ctx, "./orchestrator/sim", h.unchanged, ""); err != nil {
		h.close()
		return nil, fmt.Errorf("build the simulation without a mutant: %w", err)
	}
	return h, nil
}

func (h *hunt) close() { _ = os.RemoveAll(h.dir) }

// all looks for the mutants, so many at a time, and answers in their order.
func (h *hunt) all(ctx context.Context, mutants []Mutant, parallel int) []Result {
	out := make([]Result, len(mutants))
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(parallel, 1) {
		wg.Go(func() {
			for i := range next {
				began := time.Now()
				out[i] = h.one(ctx, mutants[i])
				out[i].Mutant, out[i].Took = mutants[i], time.Since(began)
				fmt.Println(out[i])
			}
		})
	}
	for i := range mutants {
		next <- i
	}
	close(next)
	wg.Wait()
	return out
}

func (h *hunt) one(ctx context.Context, m Mutant) Result {
	dir := filepath.Join(h.dir, m.Name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return Result{Why: err.Error()}
	}
	defer func() { _ = os.RemoveAll(dir) }()
	over, err := overlay(h.root, dir, m.Edits)
	if err != nil {
		return Result{Why: err.Error()}
	}
	binary := filepath.Join(dir, "sim.test")
	if err := h.build(ctx, "./orchestrator/sim", binary, over); err != nil {
		return Result{Why: "it does not compile: " + err.Error()}
	}
	r := h.run(ctx, binary)
	_ = os.Remove(binary)
	if h.adapters && m.Suite != "" {
		r.Suite = h.suite(ctx, m, dir)
	}
	return r
}

func (h *hunt) build(ctx context.Context, pkg, to, over string) error {
	args := []string{"test", "-c", "-ldflags=-s -w", "-o", to}
	if over != "" {
		args = append(args, "-overlay", over)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = h.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

var (
	violated = regexp.MustCompile(`violated: (rule \d+|[A-Za-z]\w*)(.*)`)
	seedLine = regexp.MustCompile(`seeds? (?:needed: )?(\d+)(?:\n|, trace)`)
)

// run has the mutant's simulation look for a violation, and reads what it says.
func (h *hunt) run(ctx context.Context, binary string) Result {
	out, err := h.simulate(ctx, binary, "-test.run=^TestSeeds$", "-seeds="+strconv.Itoa(h.seeds))
	if err == nil {
		return Result{Why: fmt.Sprintf("not found in %d seeds", h.seeds)}
	}
	r := finding(out, err)
	if r.Why != "" {
		return r
	}
	if err := h.passesUnchanged(ctx, uint64(r.Seeds)); err != nil {
		r.Why = fmt.Sprintf("seed %d fails without the mutant too: %v", r.Seeds, err)
		return r
	}
	r.Found = true
	return r
}

// finding reads what the simulation said when it failed; Why says what is missing.
func finding(out []byte, err error) Result {
	what := violated.FindSubmatch(out)
	if what == nil {
		return Result{Why: fmt.Sprintf("the simulation broke without naming a guarantee: %v\n%s", err, tail(out))}
	}
	r := Result{Violated: string(what[1]), Message: strings.TrimSpace(string(what[2]))}
	if r.Violated == "world" {
		r.Why = "the simulation contradicts itself, which is no finding: " + r.Message
		return r
	}
	where := seedLine.FindSubmatch(out)
	if where == nil {
		r.Why = "the simulation does not say which seed it was:\n" + tail(out)
		return r
	}
	seed, err := strconv.Atoi(string(where[1]))
	if err != nil {
		r.Why = err.Error()
	}
	r.Seeds = seed
	return r
}

// passesUnchanged reports whether a seed holds without any mutant.
func (h *hunt) passesUnchanged(ctx context.Context, seed uint64) error {
	h.mu.Lock()
	err, known := h.passes[seed]
	h.mu.Unlock()
	if known {
		return err
	}
	out, err := h.simulate(ctx, h.unchanged, "-test.run=^TestSeed$", fmt.Sprintf("-seed=%d", seed))
	if err != nil {
		if what := violated.Find(out); what != nil {
			err = errors.New(string(what))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.passes[seed] = err
	return err
}

func (h *hunt) simulate(ctx context.Context, binary string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, binary, append(args, "-test.timeout=10m")...)
	cmd.Dir = filepath.Join(h.root, "orchestrator/sim")
	return cmd.CombinedOutput()
}

// suite runs the conformance suite on the mutant of the real adapter, which must fail, and without it, which must not.
func (h *hunt) suite(ctx context.Context, m Mutant, dir string) string {
	over, err := overlay(h.root, dir, m.Adapter)
	if err != nil {
		return err.Error()
	}
	out, err := h.goTest(ctx, m.Suite, "-overlay", over)
	switch {
	case err == nil:
		return "not found"
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		return "does not compile:\n" + tail(out)
	}
	if out, err := h.goTest(ctx, m.Suite); err != nil {
		return "fails without the mutant too:\n" + tail(out)
	}
	return "found"
}

// goTest runs `PACKAGE TEST` with further arguments of go test.
func (h *hunt) goTest(ctx context.Context, suite string, args ...string) ([]byte, error) {
	pkg, test, _ := strings.Cut(suite, " ")
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"test", "-run", test}, args...), pkg)...)
	cmd.Dir = h.root
	return cmd.CombinedOutput()
}

func tail(out []byte) string {
	const most = 4000
	if len(out) > most {
		out = out[len(out)-most:]
	}
	return string(out)
}
