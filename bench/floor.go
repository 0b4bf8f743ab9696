package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// round is what one side came to in one round.
type round struct {
	Rate     float64       `json:"sagas_per_second"`
	P50, P99 time.Duration `json:"-"`
	P50ms    float64       `json:"p50_ms"`
	P99ms    float64       `json:"p99_ms"`
}

func newRound(rate float64, p50, p99 time.Duration) round {
	return round{Rate: rate, P50: p50, P99: p99, P50ms: float64(p50) / 1e6, P99ms: float64(p99) / 1e6}
}

// floorRound runs the floor's three processes, as its served.sh does.
func floorRound(ctx context.Context, s settings, p programs, sv *servers, inFlight int) (round, error) {
	db, err := sv.database(ctx, "floor")
	if err != nil {
		return round{}, err
	}
	addr, err := freeAddr()
	if err != nil {
		return round{}, err
	}
	common := []string{"-pg", db, "-kafka", sv.kafka, "-http", addr, "-d", s.measure.String()}
	part, err := start(ctx, s, nil, p.floor, append(common, "-role", "part")...)
	if err != nil {
		return round{}, err
	}
	defer part.kill()
	settle(ctx, time.Second) // both make the tables; the last one counts
	var out bytes.Buffer
	orch := exec.CommandContext(ctx, p.floor, append(common, "-role", "orch", "-inflight", strconv.Itoa(inFlight))...)
	orch.Stdout, orch.Stderr = &out, os.Stderr
	if err := orch.Start(); err != nil {
		return round{}, err
	}
	// As served.sh, but never more posters than sagas in flight: the floor then waits for itself.
	settle(ctx, 2*time.Second)
	drive, err := start(ctx, s, nil, p.floor, append(common, "-role", "drive", "-posters", strconv.Itoa(min(inFlight, posters)))...)
	if err != nil {
		return round{}, err
	}
	defer drive.kill()
	if err := orch.Wait(); err != nil {
		return round{}, fmt.Errorf("the floor failed: %w", err)
	}
	return parseFloor(out.String())
}

var floorLine = regexp.MustCompile(`sagas/s=(\S+) .*p50=(\S+) p99=(\S+)`) // what the floor prints at its end

func parseFloor(text string) (round, error) {
	m := floorLine.FindStringSubmatch(text)
	if m == nil {
		return round{}, fmt.Errorf("the floor printed %q", text)
	}
	rate, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return round{}, err
	}
	p50, err := time.ParseDuration(m[2])
	if err != nil {
		return round{}, err
	}
	p99, err := time.ParseDuration(m[3])
	return newRound(rate, p50, p99), err
}

// settle waits for what the floor's processes give no sign of.
func settle(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
