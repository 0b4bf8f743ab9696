package main

import (
	"fmt"
	"io"
)

// readGrid is one row for each kind of request.
func (z *Size) readGrid() grid {
	g := grid{{"request", "items", "p50, ms", "p95, ms", "p99, ms", "most, ms"}}
	for _, read := range z.Reads {
		g = append(g, []string{read.What, number(float64(read.Items), 0), number(read.P50, 1), number(read.P95, 1), number(read.P99, 1), number(read.Max, 1)})
	}
	return g
}

// numberGrid is one row for each measure, and a column for each number of replicas.
func (p *Replicas) numberGrid() grid {
	g := grid{{""}}
	for _, each := range p.Numbers {
		g[0] = append(g[0], fmt.Sprintf("%d", each.Replicas))
		if each.Replicas > 1 && len(each.ToOne) > 0 {
			g[0] = append(g[0], fmt.Sprintf("%d / 1", each.Replicas))
		}
	}
	for _, m := range measures() {
		row, any := []string{m.title}, false
		for _, each := range p.Numbers {
			_, has := each.Side[m.key]
			any = any || has
			row = append(row, cell(&m, each.Side))
			if each.Replicas > 1 && len(each.ToOne) > 0 {
				ratio, ok := each.ToOne[m.key]
				row = append(row, ratioText(ratio, ok))
			}
		}
		if any {
			g = append(g, row)
		}
	}
	return g
}

// changeGrid is one row for each change.
func (p *Replicas) changeGrid() grid {
	pauses, back, before := measureOf(pauseMS), measureOf(backMS), measureOf(perSecond)
	g := grid{{"a third replica", pauses.title, back.title, "sagas/s before"}}
	names := map[string]string{changeJoin: "joins", changeLeave: "leaves (SIGTERM)", changeKill: "is killed (SIGKILL)"}
	for _, c := range p.Changes {
		g = append(g, []string{names[c.What], cell(&pauses, c.Side), cell(&back, c.Side), cell(&before, c.Side)})
	}
	return g
}

// grid is one row for each number of browsers.
func (w *Watching) grid() grid {
	cols := []measure{measureOf(busyCPUOrchestrator), measureOf(busyCPUPostgres), measureOf(hints), measureOf(pageReads), measureOf(completedP50)}
	g := grid{{"browsers"}}
	for _, m := range cols {
		g[0] = append(g[0], m.title)
	}
	for _, l := range w.Levels {
		what := number(float64(l.Streams), 0)
		if l.Reading {
			what += ", reading"
		}
		row := []string{what}
		for i := range cols {
			row = append(row, cell(&cols[i], l.Side))
		}
		g = append(g, row)
	}
	return g
}

// printBeyond prints size, replicas and what browsers cost.
func (r *Result) printBeyond(w io.Writer) {
	if z := r.Size; z != nil {
		if len(z.Filled) > 0 {
			fmt.Fprintf(w, "\n%s sagas stored, of which %s wait; %d in flight\n", number(float64(z.Stored), 0), number(float64(z.Waiting), 0), z.InFlight)
			details(z.Empty, z.Filled, z.Ratios, "empty", "filled").only(
				perSecond, completedP50, completedP99, cpuAll, walBytes, rssPrefix+orchestratorProcess, readyMS, idleCPUOrchestrator, idleCPUPostgres, idleRSS).print(w)
		}
		if len(z.Reads) > 0 {
			fmt.Fprintf(w, "\nreads with %s sagas stored, one at a time; %s rows were read in sequence\n", number(float64(z.Stored), 0), number(float64(z.Scanned), 0))
			z.readGrid().print(w)
		}
	}
	if p := r.Replicas; p != nil {
		if len(p.Numbers) > 0 {
			fmt.Fprintf(w, "\nreplicas on the same servers, %d in flight\n", p.InFlight)
			p.numberGrid().only(perSecond, completedP50, completedP99, cpuAll, cpuPrefix+orchestratorProcess, walBytes, commits).print(w)
		}
		if len(p.Changes) > 0 {
			fmt.Fprintf(w, "\ntwo replicas under load, %d in flight\n", p.InFlight)
			p.changeGrid().print(w)
		}
	}
	if r.Watching != nil {
		fmt.Fprintf(w, "\nbrowsers that look on, %d starts a second\n", r.Watching.Rate)
		r.Watching.grid().print(w)
	}
}

// pageBeyond writes them on the page.
func (r *Result) pageBeyond(w io.Writer) {
	if z := r.Size; z != nil {
		fmt.Fprintf(w, "\n## Many sagas stored\n\n%s sagas over %d weeks, %s of them waiting: %s MiB, filled in with COPY in %.0f s. Beside it an empty database on the same server, in turn.\n",
			number(float64(z.Stored), 0), sizeWeeks, number(float64(z.Waiting), 0), number(float64(z.Bytes)/(1<<20), 0), z.FillSeconds)
		if len(z.Filled) > 0 {
			fmt.Fprintf(w, "\n### %d in flight\n\n", z.InFlight)
			details(z.Empty, z.Filled, z.Ratios, "empty", "filled").markdown(w)
		}
		if len(z.Reads) > 0 {
			fmt.Fprintf(w, "\n### Lists and reads\n\nOne request at a time, %d of each kind, pages of 50 (deep: 200). Together they read %s rows of sagas and histories in sequence; all others by index. "+
				"What counts may take 200 ms before it becomes a lower bound.\n\n", r.Settings.Reads, number(float64(z.Scanned), 0))
			z.readGrid().markdown(w)
		}
	}
	if p := r.Replicas; p != nil {
		fmt.Fprintf(w, "\n## Replicas\n\nThe same load, %d in flight, on one `skald serve` and on more, on the same servers and the same machine: starts go to each in turn. CPU and memory of the orchestrator are those of all replicas together.\n\n", p.InFlight)
		if len(p.Numbers) > 0 {
			p.numberGrid().markdown(w)
		}
		if len(p.Changes) > 0 {
			fmt.Fprintf(w, "\n### One joins, leaves, dies\n\nTwo replicas are under load when a third one comes or goes; each is looked at for %v s. Starts are sent to none that is gone.\n\n", r.Settings.ObserveSeconds)
			p.changeGrid().markdown(w)
		}
	}
	if r.Watching != nil {
		fmt.Fprintf(w, "\n## Browsers that look on\n\nThe dashboard's list of sagas is open in so many browsers at once, while %d sagas are started a second: each holds a stream, on which it is told "+
			"that something has changed, at most every 2 s; then it reads the page again (reading), or does not.\n\n", r.Watching.Rate)
		r.Watching.grid().markdown(w)
	}
}
