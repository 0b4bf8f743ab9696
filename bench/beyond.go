package main

import (
	"cmp"
	"fmt"
	"slices"
)

// Size is the engine on an empty database beside one with many sagas stored.
type Size struct {
	Stored      int     `json:"stored"`
	Waiting     int     `json:"waiting"`
	InFlight    int     `json:"in_flight"`
	FillSeconds float64 `json:"fill_seconds"`
	Bytes       int64   `json:"database_bytes"`
	Empty       Side    `json:"empty"`
	Filled      Side    `json:"filled"`
	Ratios      Side    `json:"filled_to_empty"` // round by round
	Reads       []Read  `json:"reads"`
	// Scanned is how many rows of sagas and histories the reads read in sequence, not by an index.
	Scanned int64 `json:"rows_scanned"`
}

// Replicas is the engine run once, twice, three times on the same servers, and what joins and departures do.
type Replicas struct {
	InFlight int      `json:"in_flight"`
	Numbers  []Number `json:"numbers"`
	Changes  []Change `json:"changes"`
}

// Watching is the engine under a small load while people look on.
type Watching struct {
	Rate   int     `json:"rate"` // starts a second
	Levels []Level `json:"levels"`
}

// Level is so many browsers that look on.
type Level struct {
	Streams int  `json:"streams"`
	Reading bool `json:"reading"` // they read the page again when they are told that it has changed, as browsers do
	Side    Side `json:"side"`
}

// Number is a number of replicas.
type Number struct {
	Replicas int  `json:"replicas"`
	Side     Side `json:"side"`     // CPU and memory of the orchestrators are those of all replicas together
	ToOne    Side `json:"to_alone"` // over one replica, round by round; empty: that was not measured
}

// Change is a replica that joins two others, or departs from them.
type Change struct {
	What string `json:"what"` // join, leave (by SIGTERM), kill (by SIGKILL)
	Side Side   `json:"side"`
}

func (r *Result) sizeOf(g *gathering) *Size {
	if g.size == nil || len(g.size.filled) == 0 && len(g.size.reads) == 0 {
		return nil
	}
	out := &Size{
		FillSeconds: g.size.fillSeconds, Bytes: g.size.bytes, Empty: side(g.size.empty), Filled: side(g.size.filled),
		Ratios: ratios(g.size.filled, g.size.empty, ratioKeys()...), Reads: g.size.reads, Scanned: g.size.scanned,
	}
	if r.asked != nil {
		out.Stored, out.Waiting, out.InFlight = r.asked.stored, r.asked.waiting, r.asked.sizeInFlight
	}
	return out
}

func (r *Result) replicasOf(g *gathering) *Replicas {
	if len(g.replicas)+len(g.pauses) == 0 {
		return nil
	}
	out := &Replicas{}
	if r.asked != nil {
		out.InFlight = r.asked.replicasInFlight
	}
	for _, n := range sortedKeys(g.replicas) {
		out.Numbers = append(out.Numbers, Number{Replicas: n, Side: side(g.replicas[n]), ToOne: ratios(g.replicas[n], g.replicas[1], ratioKeys()...)})
	}
	for _, what := range []string{changeJoin, changeLeave, changeKill} {
		if samples := g.pauses[what]; len(samples) > 0 {
			out.Changes = append(out.Changes, Change{What: what, Side: side(samples)})
		}
	}
	return out
}

func (r *Result) watchingOf(g *gathering) *Watching {
	if len(g.watching) == 0 {
		return nil
	}
	out := &Watching{Rate: watchRate}
	for _, level := range watchLevels() {
		if samples := g.watching[level]; len(samples) > 0 {
			out.Levels = append(out.Levels, Level{Streams: level.streams, Reading: level.reading, Side: side(samples)})
		}
	}
	return out
}

const (
	readGoal    = 50        // ms, p99
	pageGoal    = 100       // ms, p95
	memoryGoal  = 150 << 20 // bytes
	replicaGoal = 1.25
)

// furtherGoals are those of size and replicas.
func (r *Result) furtherGoals() []Goal {
	var out []Goal
	if z := r.Size; z != nil {
		stored, waiting := number(float64(z.Stored), 0), number(float64(z.Waiting), 0)
		if empty, filled := z.Empty[perSecond], z.Filled[perSecond]; len(empty.Rounds) > 0 && len(filled.Rounds) > 0 {
			out = append(out, Goal{
				fmt.Sprintf("throughput with %s sagas stored", stored), "the spreads of the rounds overlap", z.Ratios[perSecond].Median, filled.Max >= empty.Min, 2,
			})
		}
		if rss, ok := z.Filled[rssPrefix+orchestratorProcess]; ok {
			out = append(out, Goal{fmt.Sprintf("engine memory with %s sagas waiting, under load", waiting), "<= 150 MiB", rss.Median / (1 << 20), rss.Median <= memoryGoal, 0})
		}
		if ready, ok := z.Filled[readyMS]; ok {
			out = append(out, Goal{fmt.Sprintf("`skald serve` ready with %s sagas stored", stored), "<= 1000 ms", ready.Median, ready.Median <= 1000, 0})
		}
		if len(z.Reads) > 0 {
			slow := slices.MaxFunc(z.Reads, compareGoal)
			out = append(out,
				Goal{fmt.Sprintf("slowest list or read with %s sagas stored (%s), p99", stored, slow.What), fmt.Sprintf("<= %d ms", readGoal), slow.P99, slow.P99 <= readGoal, 1},
				Goal{"rows that lists and reads read in sequence", "0", float64(z.Scanned), z.Scanned == 0, 0})
			if slow, ok := slowestPage(z.Reads); ok {
				out = append(out, Goal{
					fmt.Sprintf("slowest page of the dashboard with %s sagas stored (%s), p95", stored, slow.What), fmt.Sprintf("<= %d ms", pageGoal), slow.P95, slow.P95 <= pageGoal, 1,
				})
			}
		}
	}
	if r.Replicas != nil {
		for _, each := range r.Replicas.Numbers {
			if f, ok := each.ToOne[cpuPrefix+orchestratorProcess]; ok && each.Replicas > 1 {
				out = append(out, Goal{
					fmt.Sprintf("CPU of the engines for a saga, %d replicas", each.Replicas), fmt.Sprintf("<= %v x that of one", replicaGoal), f.Median, f.Median <= replicaGoal, 2,
				})
			}
		}
	}
	return out
}

// compareGoal orders by p99; pages and what counts are no part of the goal, and come first.
func compareGoal(a, b Read) int {
	in := func(r Read) int {
		if r.Counts || r.Page {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(in(a), in(b)), cmp.Compare(a.P99, b.P99))
}

// slowestPage is the one with the highest p95; false: none was measured.
func slowestPage(reads []Read) (slow Read, ok bool) {
	for _, r := range reads {
		if r.Page && (!ok || r.P95 > slow.P95) {
			slow, ok = r, true
		}
	}
	return slow, ok
}
