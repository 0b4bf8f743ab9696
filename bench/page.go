package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// writePage writes the page about a run's results; doc - is standard output.
func writePage(latest, doc string) error {
	r, err := readResult(latest)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	r.page(&b)
	if doc == "-" {
		_, err = os.Stdout.Write(b.Bytes())
		return err
	}
	return os.WriteFile(doc, b.Bytes(), 0o644)
}

// page writes the page.
func (r *Result) page(w io.Writer) {
	fmt.Fprintf(w, `# Benchmarks

<!-- Written by `+"`go run ./bench -report`"+` from bench/results/latest.json. Do not edit. -->

Every figure is the median of %s, with the lowest and the highest behind it. The **floor** is the least durable work that any
orchestrator on Kafka and Postgres must do for a three-step saga: starts over HTTP, a row written before the start is answered, then per step a record to
Kafka, one back from another process, a row updated and a row of history, in two round trips to the database a batch, with no logic at all. It
ran on the same servers in the same rounds, each side first in every other one. A ratio is taken within each round. Absolute rates say more about the machine than about the engine.
`, r.roundsText())
	if others := r.others(); others > othersLimit {
		fmt.Fprintf(w, "\n**Other programs took up to %.0f %% of the machine in a round of these: %s. Do not quote these figures.**\n", others*100, r.disturbed())
	}
	if !r.Complete {
		fmt.Fprint(w, "\n**The run was interrupted.**\n")
	}
	if len(r.Goals) > 0 {
		fmt.Fprint(w, "\n## Goals\n\n")
		goalGrid(r.Goals).markdown(w)
	}
	r.setting(w)
	r.tables(w)
	r.pageBeyond(w)
	fmt.Fprint(w, "\n## What the measures are\n\n")
	g := grid{{"measure", "name in the JSON", "meaning"}}
	for _, m := range measures() {
		if m.meaning != "" {
			g = append(g, []string{m.title, "`" + m.key + "`", m.meaning})
		}
	}
	g.text(w)
}

// setting says what it ran on and how to run it again.
func (r *Result) setting(w io.Writer) {
	fmt.Fprint(w, "\n## Machine and command\n\n")
	g := grid{
		{"", ""},
		{"when", r.At.Format("2006-01-02 15:04 MST") + fmt.Sprintf(", for %.0f min", r.Seconds/60)},
		{"command", "`" + r.Command + "`"},
		{"commit", r.Commit},
		{"processor", fmt.Sprintf("%d cores, %s", r.Machine.CPUs, r.Machine.CPU)},
		{"memory", fmt.Sprintf("%.0f GiB", float64(r.Machine.MemoryBytes)/(1<<30))},
		{"system", r.Machine.OS + ", kernel " + r.Machine.Kernel + ", " + r.Machine.Go},
		{"Postgres", r.Servers.Postgres + settingsText(r.Servers.PostgresSettings)},
		{"Kafka", r.Servers.Kafka},
		{"a round", fmt.Sprintf("%v s of warming up, %v s measured; at most %d starts on their way at once", r.Settings.WarmUpSeconds, r.Settings.MeasureSeconds, r.Settings.Posters)},
		{"everything on one machine", "driver, orchestrator, participants, Postgres and Kafka, each in processes of its own"},
		{"other programs", fmt.Sprintf("took at most %.1f %% of the machine's CPU time in any round", r.others()*100)},
	}
	g.text(w)
}

func settingsText(settings map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		out = append(out, name+" "+settings[name])
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}

// tables are those of all parts but the last.
func (r *Result) tables(w io.Writer) {
	if len(r.Closed) > 0 {
		fmt.Fprint(w, "\n## Sagas per second\n\nA fixed number of sagas is in flight: when one ends, the next starts. Starts go through the REST API, one saga a request.\n\n")
		summary(r.Closed, "in flight", inFlightOf, perSecond).markdown(w)
	}
	for _, p := range r.Closed {
		fmt.Fprintf(w, "\n### %s in flight\n\n", number(float64(p.InFlight), 0))
		details(p.Floor, p.Engine, p.Ratios, "floor", "engine").markdown(w)
	}
	if len(r.Open) > 0 {
		fmt.Fprint(w, "\n## Latency at a fixed rate\n\nStarts are sent when they are due, whatever comes back, and clocks run from when they were due: nothing is left out while the engine stands still.\n")
	}
	for _, p := range r.Open {
		fmt.Fprintf(w, "\n### %s starts a second\n\n", number(float64(p.Rate), 0))
		details(p.Floor, p.Engine, p.Ratios, "floor", "engine").markdown(w)
	}
	if c := r.Compensating; c != nil {
		fmt.Fprintf(w, "\n## Compensation\n\n%v %% of the sagas are refused by their last step and undone, with %d in flight, beside a load without any on the same engine.\n\n", c.Share*100, c.InFlight)
		details(c.Happy, c.Undone, c.Ratios, "happy path", "with undone").markdown(w)
	}
}
