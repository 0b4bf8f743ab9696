package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// sagaTimelineCmd draws what happened when.
type sagaTimelineCmd struct {
	sagaRef
	Width int `default:"64" help:"Of the drawing, in characters: 20 to 400."`
}

// Help is shown under the command's usage.
func (sagaTimelineCmd) Help() string {
	return `A line per step, and one more where it is undone: each attempt with its number, back-offs, holds, and how it came out. A saga that has not ended is drawn up to now.

Example:

  skald saga timeline A-1`
}

// Run draws it.
func (cmd *sagaTimelineCmd) Run(ctx context.Context, term *console, all *cli) error {
	if cmd.Width < 20 || cmd.Width > 400 {
		return wrongUsage("--width %d: want 20 to 400", cmd.Width)
	}
	c, err := all.Saga.open()
	if err != nil {
		return err
	}
	sg, err := readSaga(ctx, c, cmd.Saga)
	if err != nil {
		return all.Saga.explain(err)
	}
	facts, err := history(ctx, c, sg.ID)
	if err != nil {
		return all.Saga.explain(err)
	}
	bars := barsOf(&sg, facts)
	if term.json {
		return writeJSON(term.out, bars)
	}
	now := time.Now()
	headline(term, &sg, now)
	gantt(term, &sg, bars, cmd.Width, now)
	return nil
}

// bar is one line of the drawing: a step's way forward, or its way back.
type bar struct {
	Step  string `json:"step"`
	Undo  bool   `json:"undo,omitempty"`
	Spans []span `json:"spans"`
	Mark  string `json:"mark,omitempty"` // how it came out
}

// span is a time in which one thing went on.
type span struct {
	What    string    `json:"what"` // attempt, backoff or hold
	Attempt int       `json:"attempt,omitempty"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to,omitzero"` // zero: it goes on
}

// barsOf sorts a saga's facts into bars, in the order of its steps.
func barsOf(sg *client.Saga, facts []client.Fact) []bar {
	bars := make([]bar, 0, 2*len(sg.Steps))
	for i := range sg.Steps {
		forward, back := bar{Step: sg.Steps[i].Name}, bar{Step: sg.Steps[i].Name, Undo: true}
		for j := range facts {
			if f := &facts[j]; f.Step == forward.Step {
				forward.take(f)
				back.take(f)
			}
		}
		bars = append(bars, forward)
		if len(back.Spans) > 0 || back.Mark != "" {
			bars = append(bars, back)
		}
	}
	return bars
}

// take adds what a fact of the step says.
func (b *bar) take(f *client.Fact) {
	kind, what, ok := strings.Cut(f.Type, ".")
	if !ok || kind != "step" && kind != "undo" {
		return
	}
	if undo := kind == "undo" || f.Type == "step.waived"; undo != b.Undo {
		return
	}
	switch what {
	case "started", "sent":
		b.begin(span{What: "attempt", Attempt: f.Attempt, From: f.At})
	case "backed_off":
		b.begin(span{What: "backoff", From: f.At})
	case "held":
		b.begin(span{What: "hold", From: f.At})
	default:
		b.end(f.At)
		b.Mark = markOf(f.Type)
	}
}

func (b *bar) begin(s span) {
	b.end(s.From)
	b.Spans, b.Mark = append(b.Spans, s), ""
}

func (b *bar) end(at time.Time) {
	if n := len(b.Spans); n > 0 && b.Spans[n-1].To.IsZero() {
		b.Spans[n-1].To = at
	}
}

func markOf(fact string) string {
	switch fact {
	case "step.succeeded":
		return "✓"
	case "step.rejected", "undo.failed":
		return "✗"
	case "step.unknown":
		return "?"
	case "step.skipped":
		return "–"
	case "step.stuck":
		return "!"
	case "undo.succeeded", "step.waived":
		return "↺"
	}
	return ""
}

// gantt draws bars from the saga's start to its end, or to now.
func gantt(term *console, sg *client.Saga, bars []bar, width int, now time.Time) {
	s, from, to := term.style, sg.CreatedAt, now
	if sg.EndedAt != nil {
		to = *sg.EndedAt
	}
	if !to.After(from) {
		to = from.Add(time.Millisecond)
	}
	column := func(t time.Time) int {
		return min(max(int(float64(width)*float64(t.Sub(from))/float64(to.Sub(from))), 0), width-1)
	}
	names := 0
	for _, b := range bars {
		names = max(names, len(b.Step)+2)
	}
	scale := "0" + padLeft(took(to.Sub(from)/2), width/2+len(took(to.Sub(from)/2))/2-1)
	scale += padLeft(took(to.Sub(from)), width-len([]rune(scale)))
	fmt.Fprintf(term.out, "\n%s %s\n", strings.Repeat(" ", names), s.dim(scale))
	for _, b := range bars {
		line := []rune(strings.Repeat("·", width))
		var total time.Duration
		for _, sp := range b.Spans {
			end := sp.To
			if end.IsZero() {
				end = to
			}
			total += end.Sub(sp.From)
			fill := map[string]rune{"attempt": '━', "backoff": '░', "hold": '▒'}[sp.What]
			if b.Undo && sp.What == "attempt" {
				fill = '═'
			}
			for i := column(sp.From); i <= column(end); i++ {
				line[i] = fill
			}
			if sp.What == "attempt" && sp.Attempt > 1 && sp.Attempt < 10 {
				line[column(sp.From)] = rune('0' + sp.Attempt)
			}
		}
		name, paint := b.Step, s.out
		if b.Undo {
			name, paint = "↺ "+b.Step, s.back
		}
		mark, span := b.Mark, ""
		switch {
		case mark == "" && len(b.Spans) > 0:
			mark = "→"
		case mark == "":
			mark = " "
		}
		if len(b.Spans) > 0 {
			span = took(total)
		}
		fmt.Fprintln(term.out, strings.TrimRight(pad(name, names)+" "+paint(string(line))+" "+mark+" "+s.dim(span), " "))
	}
	fmt.Fprintf(term.out, "%s %s\n", strings.Repeat(" ", names), s.dim("━ attempt (its number from the 2nd on)  ░ back-off  ▒ held  ═ compensation"))
}
