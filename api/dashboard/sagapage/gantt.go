package sagapage

import (
	"fmt"
	"strconv"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
	"github.com/skaldhq/skald/api/story"
)

// ganttView is what went on when.
type ganttView struct {
	Rows   []ganttRow
	Ticks  []tick
	Folds  []foldView
	Height int
	Part   int    // facts that it was made of, where those are not all; 0: all
	From   string // what the first tick says
}

type ganttRow struct {
	Step  string
	Back  bool
	Y     int
	Spans []spanView
}

type spanView struct {
	X, W  string // percent
	Class string
	Text  string
}

type tick struct {
	X      string
	Text   string
	Anchor string // of SVG text
	Odd    bool   // it can be left out where there is little room
}

type foldView struct {
	X, W string
	Text string
}

const (
	leastWide  = 0.35 // percent, of a span
	laneHeight = 28
	axisHeight = 26
)

func seeGantt(sg *client.Saga, bars []story.Bar, look *Look, now time.Time) ganttView {
	from, to := sg.CreatedAt, now
	if sg.EndedAt != nil {
		to = *sg.EndedAt
	}
	var v ganttView
	if look.Total > int64(len(look.Facts)) && len(look.Facts) > 0 {
		v.Part, from = len(look.Facts), look.Facts[0].At
	}
	if !to.After(from) {
		to = from.Add(time.Millisecond)
	}
	moments := []time.Time{from, to}
	for _, b := range bars {
		for _, sp := range b.Spans {
			moments = append(moments, within(sp.From, from, to))
			if !sp.To.IsZero() {
				moments = append(moments, within(sp.To, from, to))
			}
		}
	}
	s := newScale(moments)
	for i, b := range bars {
		v.Rows = append(v.Rows, ganttLane(&b, i, s, to))
	}
	v.Height = len(bars)*laneHeight + axisHeight
	v.Ticks = ticks(s, from)
	for _, f := range s.folds {
		v.Folds = append(v.Folds, foldView{percent(f.From), percent(f.To - f.From), ui.Human(f.Took) + ", folded"})
	}
	return v
}

func within(t, from, to time.Time) time.Time {
	switch {
	case t.Before(from):
		return from
	case t.After(to):
		return to
	}
	return t
}

func ganttLane(b *story.Bar, at int, s *scale, to time.Time) ganttRow {
	row := ganttRow{Step: b.Step, Back: b.Undo, Y: at * laneHeight}
	last, merged := -1.0, 0
	for _, sp := range b.Spans {
		end, open := sp.To, sp.To.IsZero()
		if open {
			end = to
		}
		x := s.at(sp.From)
		wide := max(s.at(end)-x, leastWide)
		x = min(x, 100-wide)
		class, text := spanClass(b, &sp, open)
		text += ", " + ui.Human(end.Sub(sp.From))
		if open {
			text += " so far"
		}
		if wide <= leastWide && len(row.Spans) > 0 && x-last < leastWide { // nobody could tell them apart
			merged++
			before := &row.Spans[len(row.Spans)-1]
			before.Class, before.Text = class, text+fmt.Sprintf(", and %d more just before", merged)
			continue
		}
		last, merged = x, 0
		row.Spans = append(row.Spans, spanView{percent(x), percent(wide), class, text})
	}
	return row
}

// spanClass is how a span looks and what it says.
func spanClass(b *story.Bar, sp *story.Span, open bool) (class, text string) {
	who := b.Step
	if b.Undo {
		who = "undo " + b.Step
	}
	switch sp.What {
	case story.BackOff:
		return "g-off", who + ": waits before the next attempt"
	case story.Hold:
		return "g-hold", who + ": held"
	case story.Wait:
		return "g-wait", who + ": waits for a person"
	}
	text = fmt.Sprintf("%s: attempt %d", who, sp.Attempt)
	side := "fwd"
	if b.Undo {
		side = "rev"
	}
	switch sp.Outcome {
	case "step.succeeded", "undo.succeeded", "step.waived":
		return "g-" + side + " g-good", text + " succeeded"
	case "step.rejected", "undo.failed":
		return "g-" + side + " g-bad", text + " was refused"
	case "step.stuck":
		return "g-" + side + " g-bad", text + " got stuck"
	case "step.backed_off", "undo.backed_off":
		return "g-" + side + " g-fail", text + " failed"
	case "step.unknown":
		return "g-" + side + " g-fail", text + " was not answered: unknown"
	}
	if open {
		return "g-" + side + " g-open", text + " is out"
	}
	return "g-" + side + " g-fail", text + " was not answered in time"
}

func ticks(s *scale, from time.Time) []tick {
	var out []tick
	for i := range 5 {
		at := float64(25 * i)
		t := tick{X: percent(at), Odd: i%2 == 1, Anchor: "middle", Text: "+" + ui.Human(s.when(at).Sub(from))}
		switch i {
		case 0:
			t.Anchor, t.Text = "start", "0"
		case 4:
			t.Anchor = "end"
		}
		out = append(out, t)
	}
	return out
}

func percent(n float64) string { return strconv.FormatFloat(n, 'f', 2, 64) + "%" }
