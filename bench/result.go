package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skaldhq/skald/bench/proc"
)

// schemaVersion is Result.Schema. 2 (2026-11): figures with every round, by measure; costs, the open loop, compensation. What is added to it
// later may be absent: size, replicas and watching.
const schemaVersion = 2

// Result is results/latest.json. README.md in this folder says what each measure is.
type Result struct {
	Schema   int       `json:"schema"`
	At       time.Time `json:"at"` // when the run began
	Seconds  float64   `json:"took_seconds"`
	Complete bool      `json:"complete"` // false: it was interrupted, and fewer rounds are in it
	Command  string    `json:"command"`
	Commit   string    `json:"commit,omitempty"` // -dirty: with changes that were not committed

	Machine  proc.Machine `json:"machine"`
	Servers  Servers      `json:"servers"`
	Settings Settings     `json:"settings"`

	// RatioToFloor is by sagas in flight: the engine's sagas/s over the floor's, the median over the rounds of the ratio within
	// each. The two rates are medians of their own.
	RatioToFloor    map[string]float64 `json:"ratio_to_floor"`
	FloorPerSecond  map[string]float64 `json:"floor_per_second"`
	EnginePerSecond map[string]float64 `json:"engine_per_second"`

	Closed       []Pair        `json:"closed,omitempty"`
	Open         []Pair        `json:"open,omitempty"`
	Compensating *Compensating `json:"compensating,omitempty"`
	Size         *Size         `json:"size,omitempty"`
	Replicas     *Replicas     `json:"replicas,omitempty"`
	Watching     *Watching     `json:"watching,omitempty"`
	Goals        []Goal        `json:"goals"`

	asked *settings // nil: it was read from a file
}

// measured reports whether there is anything to tell.
func (r *Result) measured() bool {
	return len(r.Closed)+len(r.Open) > 0 || r.Compensating != nil || r.Size != nil || r.Replicas != nil || r.Watching != nil
}

// Settings are those of the run.
type Settings struct {
	Parts          []string `json:"parts"`
	Rounds         int      `json:"rounds"`
	MeasureSeconds float64  `json:"measure_seconds"`
	WarmUpSeconds  float64  `json:"warm_up_seconds"`
	Posters        int      `json:"posters"` // starts on their way at once, at most
	Reads          int      `json:"reads"`   // requests of each kind that are timed on a filled database
	ObserveSeconds float64  `json:"observe_seconds"`
}

// Pair is floor and engine under the same load.
type Pair struct {
	InFlight int  `json:"in_flight,omitempty"` // of a closed loop
	Rate     int  `json:"rate,omitempty"`      // starts a second of an open loop
	Floor    Side `json:"floor"`
	Engine   Side `json:"engine"`
	// Ratios are engine / floor, round by round. waited_p50_ms is over the floor's completed_p50_ms.
	Ratios Side `json:"ratios"`
}

// Compensating is the happy path beside a load of which a share is undone, on the same engine.
type Compensating struct {
	InFlight int     `json:"in_flight"`
	Share    float64 `json:"share"`
	Happy    Side    `json:"happy"`
	Undone   Side    `json:"undone"`
	Ratios   Side    `json:"ratios"` // undone / happy, round by round
}

// Goal is a line of what is aimed for.
type Goal struct {
	What   string  `json:"what"`
	Goal   string  `json:"goal"` // such as ">= 0.65 of the floor"
	Figure float64 `json:"figure"`
	Met    bool    `json:"met"`
	digits int
}

// rounds are the samples of a pair, in the order of the rounds.
type rounds struct{ floor, engine []sample }

// gathering is what a run has come to so far.
type gathering struct {
	closed, open  map[int]*rounds
	happy, undone []sample
	size          *sizing
	replicas      map[int][]sample
	pauses        map[string][]sample
	watching      map[watchLevel][]sample
}

func newGathering() *gathering {
	return &gathering{closed: map[int]*rounds{}, open: map[int]*rounds{}, replicas: map[int][]sample{}, pauses: map[string][]sample{}, watching: map[watchLevel][]sample{}}
}

// of is the pair at n, made where it is not there.
func of(pairs map[int]*rounds, n int) *rounds {
	if pairs[n] == nil {
		pairs[n] = &rounds{}
	}
	return pairs[n]
}

// ratioKeys are the measures whose ratio says something.
func ratioKeys() []string {
	return []string{
		perSecond, completedP50, completedP99, acceptedP50, cpuAll, cpuPrefix + orchestratorProcess, cpuPrefix + participantsProcess,
		cpuPrefix + postgresProcess, cpuPrefix + kafkaProcess, walBytes, commits,
	}
}

func (r *rounds) pair() Pair {
	p := Pair{Floor: side(r.floor), Engine: side(r.engine), Ratios: ratios(r.engine, r.floor, ratioKeys()...)}
	// What the floor says of itself has no way to the outside in it; of the engine the nearest to that is a start that waits.
	var like []sample
	for _, s := range r.floor {
		like = append(like, sample{waitedP50: s[completedP50]})
	}
	if waited, ok := ratios(r.engine, like, waitedP50)[waitedP50]; ok {
		p.Ratios[waitedP50] = waited
	}
	return p
}

// fill puts what was gathered into the result.
func (r *Result) fill(g *gathering) {
	r.RatioToFloor, r.FloorPerSecond, r.EnginePerSecond = map[string]float64{}, map[string]float64{}, map[string]float64{}
	r.Closed, r.Open = nil, nil
	for _, n := range sortedKeys(g.closed) {
		p := g.closed[n].pair()
		p.InFlight = n
		r.Closed = append(r.Closed, p)
		key := strconv.Itoa(n)
		if ratio, ok := p.Ratios[perSecond]; ok {
			r.RatioToFloor[key], r.FloorPerSecond[key], r.EnginePerSecond[key] = ratio.Median, p.Floor[perSecond].Median, p.Engine[perSecond].Median
		}
	}
	for _, n := range sortedKeys(g.open) {
		p := g.open[n].pair()
		p.Rate = n
		r.Open = append(r.Open, p)
	}
	if len(g.happy) > 0 && len(g.undone) > 0 {
		r.Compensating = &Compensating{
			InFlight: compensatingInFlight, Share: compensatingShare, Happy: side(g.happy), Undone: side(g.undone),
			Ratios: ratios(g.undone, g.happy, commands, perSecond),
		}
	}
	r.Size, r.Replicas, r.Watching = r.sizeOf(g), r.replicasOf(g), r.watchingOf(g)
	r.Goals = append(r.goals(), r.furtherGoals()...)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// goals are those that the run measured, each with its figure.
func (r *Result) goals() []Goal {
	out := []Goal{}
	goal := func(figures Side, key, what string, limit float64, least bool, unit string, digits int) {
		f, ok := figures[key]
		if !ok {
			return
		}
		sign, met := "<=", f.Median <= limit
		if least {
			sign, met = ">=", f.Median >= limit
		}
		out = append(out, Goal{what, fmt.Sprintf("%s %v%s", sign, limit, unit), f.Median, met, digits})
	}
	for _, p := range r.Closed {
		at := fmt.Sprintf("at %s in flight", number(float64(p.InFlight), 0))
		switch p.InFlight {
		case 1:
			goal(p.Ratios, waitedP50, "one saga alone, p50 from request to completed", 1.5, false, " x the floor's", 2)
			goal(p.Engine, readyMS, "`skald serve` ready", 1000, false, " ms", 0)
		case 64, 256, 1024:
			goal(p.Ratios, perSecond, "three-step saga "+at, 0.65, true, " of the floor", 2)
			goal(p.Ratios, cpuAll, "CPU of a saga "+at+", all processes but the driver", 2, false, " x the floor's", 2)
			goal(p.Ratios, walBytes, "WAL of a saga "+at, 2, false, " x the floor's", 2)
		}
	}
	for _, p := range r.Open {
		if p.Rate == 200 {
			goal(p.Engine, completedP99, "p99 from when a start was due to completed, at 200/s", 25, false, " ms", 1)
		}
	}
	if r.Compensating != nil {
		goal(r.Compensating.Ratios, commands, "a tenth undone, commands answered", 0.85, true, " of the happy path", 2)
	}
	return out
}

// roundsText says how many rounds there are: fewer than were asked for where the run was interrupted.
func (r *Result) roundsText() string {
	ran := 0
	for _, pairs := range [][]Pair{r.Closed, r.Open} {
		for _, p := range pairs {
			ran = max(ran, len(p.Engine[completedP50].Rounds))
		}
	}
	if r.Compensating != nil {
		ran = max(ran, len(r.Compensating.Happy[commands].Rounds))
	}
	if r.Size != nil {
		ran = max(ran, len(r.Size.Filled[perSecond].Rounds))
	}
	if r.Replicas != nil {
		for _, each := range r.Replicas.Numbers {
			ran = max(ran, len(each.Side[perSecond].Rounds))
		}
	}
	if r.Watching != nil {
		for _, each := range r.Watching.Levels {
			ran = max(ran, len(each.Side[perSecond].Rounds))
		}
	}
	if ran == 1 {
		return "1 round"
	}
	return fmt.Sprintf("%d rounds", ran)
}

// stretch is what was measured under one load.
type stretch struct {
	name  string
	sides []Side
}

// stretches are all of them.
func (r *Result) stretches() []stretch {
	var out []stretch
	for _, p := range r.Closed {
		out = append(out, stretch{number(float64(p.InFlight), 0) + " in flight", []Side{p.Floor, p.Engine}})
	}
	for _, p := range r.Open {
		out = append(out, stretch{number(float64(p.Rate), 0) + " starts a second", []Side{p.Floor, p.Engine}})
	}
	if r.Compensating != nil {
		out = append(out, stretch{"compensation", []Side{r.Compensating.Happy, r.Compensating.Undone}})
	}
	if r.Size != nil {
		out = append(out, stretch{"many sagas stored", []Side{r.Size.Empty, r.Size.Filled}})
	}
	if r.Replicas != nil {
		of := stretch{name: "replicas"}
		for _, each := range r.Replicas.Numbers {
			of.sides = append(of.sides, each.Side)
		}
		out = append(out, of)
	}
	if r.Watching != nil {
		of := stretch{name: "browsers"}
		for _, each := range r.Watching.Levels {
			of.sides = append(of.sides, each.Side)
		}
		out = append(out, of)
	}
	return out
}

// others is how much of the machine went to others in the worst round.
func (s stretch) others() float64 {
	worst := 0.0
	for _, side := range s.sides {
		worst = max(worst, side[othersCPU].Max)
	}
	return worst
}

// others is how much of the machine went to others in the worst round of all.
func (r *Result) others() float64 {
	worst := 0.0
	for _, s := range r.stretches() {
		worst = max(worst, s.others())
	}
	return worst
}

// disturbed names the loads of which a round ran beside too much of other programs.
func (r *Result) disturbed() string {
	var names []string
	for _, s := range r.stretches() {
		if s.others() > othersLimit {
			names = append(names, s.name)
		}
	}
	return strings.Join(names, "; ")
}

// othersLimit is from where on a run says more about the machine's other work than about the engine.
const othersLimit = 0.1

func (r *Result) write(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	// Complete under another name first: whoever reads it never sees a half.
	if err := os.WriteFile(file+".new", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

func readResult(file string) (*Result, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r Result
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if r.Schema != schemaVersion {
		return nil, fmt.Errorf("read %s: schema %d, want %d: measure again", file, r.Schema, schemaVersion)
	}
	r.Goals = r.goals() // with their digits
	return &r, nil
}
