package main

import (
	"fmt"
	"io"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/bench/load"
)

// benchReport is what --output json says of a run. Times are in milliseconds.
type benchReport struct {
	Saga            string                  `json:"saga"`
	Version         int                     `json:"version"`
	Server          string                  `json:"server"`
	Run             string                  `json:"run"` // the label bench of its sagas
	InFlight        int                     `json:"in_flight,omitempty"`
	Rate            float64                 `json:"rate,omitempty"`
	Observe         string                  `json:"observe"`
	MeasuredSeconds float64                 `json:"measured_seconds"`
	Interrupted     bool                    `json:"interrupted"`
	PerSecond       float64                 `json:"sagas_per_second"`
	Ended           map[client.Status]int64 `json:"ended"`
	Unfinished      int64                   `json:"unfinished"`
	Refused         map[string]int64        `json:"refused"`
	LeftOut         int64                   `json:"left_out"`
	Accepted        *benchLatency           `json:"accepted_ms,omitempty"`
	ToEnd           *benchLatency           `json:"ended_ms,omitempty"`
	SentLate        *benchLatency           `json:"sent_late_ms,omitempty"`
}

type benchLatency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

func newBenchLatency(l load.Latency) *benchLatency {
	if l.Count == 0 {
		return nil
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return &benchLatency{l.Count, ms(l.P50), ms(l.P95), ms(l.P99), ms(l.Max)}
}

func (b *benchRun) report(r *load.Result) benchReport {
	return benchReport{
		Saga: b.name, Version: b.version, Server: b.cmd.Server, Run: b.run, InFlight: b.inFlight, Rate: b.cmd.Rate, Observe: b.cmd.Observe,
		MeasuredSeconds: r.Took.Seconds(), Interrupted: r.Interrupted, PerSecond: r.PerSecond(), Ended: r.Ended, Unfinished: r.Unfinished,
		Refused: r.Refused, LeftOut: r.LeftOut, Accepted: newBenchLatency(r.ToAccepted), ToEnd: newBenchLatency(r.ToEnded), SentLate: newBenchLatency(r.SentLate),
	}
}

// print writes the result for people.
func (b *benchRun) print(term *console, r *load.Result) {
	s, w := term.style, term.out
	fmt.Fprintf(w, "%s%s\n\n", s.bold(b.name), s.dim(fmt.Sprintf(" v%d at %s, %s, measured for %s", b.version, b.cmd.Server, b.loadText(), took(r.Took))))
	if r.Took == 0 {
		fmt.Fprintln(w, "It was interrupted before it began to measure.")
		return
	}
	fmt.Fprintf(w, "%s %s\n", s.good(fmt.Sprintf("%.1f", r.PerSecond())), "sagas ended in a second")
	for _, status := range []client.Status{client.Completed, client.Compensated, client.Abandoned} {
		if n := r.Ended[status]; n > 0 {
			fmt.Fprintf(w, "  %s %d\n", pad(string(status), 12), n)
		}
	}
	b.printTrouble(term, r)
	fmt.Fprintln(w)
	rows := [][]string{{"", "p50", "p95", "p99", "longest"}}
	for _, line := range []struct {
		name string
		of   load.Latency
	}{{"accepted", r.ToAccepted}, {"ended", r.ToEnded}, {"sent late by", r.SentLate}} {
		if line.of.Count > 0 {
			rows = append(rows, []string{line.name, benchTime(line.of.P50), benchTime(line.of.P95), benchTime(line.of.P99), benchTime(line.of.Max)})
		}
	}
	table(w, s, rows, nil)
	fmt.Fprintf(w, "\n%s\n", s.dim(b.meaning()))
	fmt.Fprintln(w, s.dim("its sagas: skald saga list --label bench="+b.run))
	if r.Interrupted {
		fmt.Fprintln(w, s.warn("It was interrupted: this is what there was until then."))
	}
}

// printTrouble names what did not go as it was asked for.
func (b *benchRun) printTrouble(term *console, r *load.Result) {
	s, w := term.style, term.out
	for _, code := range sortedKeys(r.Refused) {
		fmt.Fprintf(w, "  %s %d %s\n", s.warn(pad("refused", 12)), r.Refused[code], plain(code))
	}
	if r.FirstRefusal != nil && len(r.Refused) > 0 {
		fmt.Fprintf(w, "  %s %s\n", s.dim("such as"), clip(r.FirstRefusal.Error(), 160))
	}
	if r.Unfinished > 0 {
		fmt.Fprintf(w, "  %s %d\n", s.warn(pad("not ended", 12)), r.Unfinished)
	}
	if r.LeftOut > 0 {
		fmt.Fprintf(w, "  %s %d, because %d sagas were under way\n", s.warn(pad("not sent", 12)), r.LeftOut, load.OutstandingDefault)
	}
}

func (b *benchRun) loadText() string {
	if b.inFlight > 0 {
		return fmt.Sprintf("%d in flight", b.inFlight)
	}
	return fmt.Sprintf("%g starts a second", b.cmd.Rate)
}

func (b *benchRun) meaning() string {
	from := "from the request"
	if b.inFlight == 0 {
		from = "from when a start was due"
	}
	if b.cmd.Observe == "wait" {
		return "ended: " + from + " to its answer, which waited for the end"
	}
	return "accepted: " + from + " to the answer that the saga is stored; ended: until its event came back through Kafka and the server's stream"
}

// benchTime writes a latency: to a tenth of a millisecond, where that says something.
func benchTime(d time.Duration) string {
	if d < 100*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return took(d)
}

// benchProgress is a line that is written over, on a terminal alone.
type benchProgress struct {
	w     io.Writer // nil: nobody looks
	style style
}

func newBenchProgress(term *console) *benchProgress {
	if !isTerminal(term.err) {
		return &benchProgress{}
	}
	return &benchProgress{w: term.err, style: term.style}
}

// show is Config.Progress.
func (p *benchProgress) show(at load.Progress) {
	if p.w == nil {
		return
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", clip(benchLine(at), 110))
}

func (p *benchProgress) clear() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func benchLine(at load.Progress) string {
	if at.Phase == "first" {
		return fmt.Sprintf("waiting for the first saga to end, %s", took(at.Elapsed))
	}
	line := at.Phase
	if at.Of > 0 {
		line += fmt.Sprintf(" %s of %s", took(at.Elapsed), took(at.Of))
	}
	line += fmt.Sprintf("   %.0f sagas/s   %d ended, %d in flight", at.Recent, at.Ended, at.InFlight)
	if at.P50 > 0 {
		line += "   p50 " + benchTime(at.P50)
	}
	if at.Refused > 0 {
		line += fmt.Sprintf("   %d refused", at.Refused)
	}
	return line
}
