package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/story"
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
	bars := story.Bars(&sg, facts)
	if term.json {
		return writeJSON(term.out, bars)
	}
	now := time.Now()
	headline(term, &sg, now)
	gantt(term, &sg, bars, cmd.Width, now)
	return nil
}

// gantt draws bars from the saga's start to its end, or to now.
func gantt(term *console, sg *client.Saga, bars []story.Bar, width int, now time.Time) {
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
			if sp.What == story.Wait { // its mark says it
				continue
			}
			end := sp.To
			if end.IsZero() {
				end = to
			}
			total += end.Sub(sp.From)
			fill := map[string]rune{story.Attempt: '━', story.BackOff: '░', story.Hold: '▒'}[sp.What]
			if b.Undo && sp.What == story.Attempt {
				fill = '═'
			}
			for i := column(sp.From); i <= column(end); i++ {
				line[i] = fill
			}
			if sp.What == story.Attempt && sp.Attempt > 1 && sp.Attempt < 10 {
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
