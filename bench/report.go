package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// report gathers the rounds. Its JSON is results/latest.json.
type report struct {
	At           time.Time          `json:"at"`
	Command      string             `json:"command"`
	CPUs         int                `json:"cpus"`
	Floor        map[string][]round `json:"floor"`
	Engine       map[string][]round `json:"engine"`
	RatioToFloor map[string]float64 `json:"ratio_to_floor"`    // medians of sagas/s; of one in flight, p50 engine / p50 floor
	RatioAlone   float64            `json:"p50_ratio_at_one"`  // engine's p50 / floor's, 1 in flight; 0: not measured
	FloorRate    map[string]float64 `json:"floor_per_second"`  // medians
	EngineRate   map[string]float64 `json:"engine_per_second"` // medians
}

func newReport(s settings) *report {
	return &report{
		At: time.Now().UTC(), Command: fmt.Sprintf("make bench INFLIGHT=%s ROUNDS=%d", join(s.inFlight), s.rounds), CPUs: runtime.NumCPU(),
		Floor: map[string][]round{}, Engine: map[string][]round{}, RatioToFloor: map[string]float64{}, FloorRate: map[string]float64{}, EngineRate: map[string]float64{},
	}
}

func join(ns []int) string {
	out := ""
	for i, n := range ns {
		if i > 0 {
			out += ","
		}
		out += strconv.Itoa(n)
	}
	return out
}

func (r *report) add(inFlight int, floor, engine round) {
	key := strconv.Itoa(inFlight)
	r.Floor[key] = append(r.Floor[key], floor)
	r.Engine[key] = append(r.Engine[key], engine)
	r.FloorRate[key], r.EngineRate[key] = median(r.Floor[key], rate), median(r.Engine[key], rate)
	r.RatioToFloor[key] = r.EngineRate[key] / r.FloorRate[key]
	if inFlight == 1 {
		r.RatioAlone = median(r.Engine[key], p50) / median(r.Floor[key], p50)
	}
}

func rate(r round) float64 { return r.Rate }
func p50(r round) float64  { return r.P50ms }

func median(rounds []round, of func(round) float64) float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\nmedians of sagas/s (lowest to highest), on %d cores that hold everything\n", r.CPUs)
	fmt.Fprintf(w, "%9s  %26s  %26s  %s\n", "in flight", "floor", "engine", "engine / floor")
	keys := make([]int, 0, len(r.Floor))
	for k := range r.Floor {
		n, _ := strconv.Atoi(k) // made by add
		keys = append(keys, n)
	}
	slices.Sort(keys)
	for _, n := range keys {
		k := strconv.Itoa(n)
		fmt.Fprintf(w, "%9d  %26s  %26s  %.2f\n", n, spread(r.Floor[k]), spread(r.Engine[k]), r.RatioToFloor[k])
	}
	if r.RatioAlone > 0 {
		fmt.Fprintf(w, "one saga alone: p50 of the engine is %.2f times the floor's\n", r.RatioAlone)
	}
}

func spread(rounds []round) string {
	low := slices.MinFunc(rounds, func(a, b round) int { return int(a.Rate - b.Rate) })
	high := slices.MaxFunc(rounds, func(a, b round) int { return int(a.Rate - b.Rate) })
	return fmt.Sprintf("%.0f (%.0f to %.0f)", median(rounds, rate), low.Rate, high.Rate)
}

func (r *report) write(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}
