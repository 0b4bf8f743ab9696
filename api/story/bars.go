package story

import (
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// Bar is one line of a saga's timeline: a step's way forward, or its way back.
type Bar struct {
	Step  string `json:"step"`
	Undo  bool   `json:"undo,omitempty"`
	Spans []Span `json:"spans"`
	Mark  string `json:"mark,omitempty"` // how it came out; empty: it has not
}

// What goes on in a Span.
const (
	Attempt = "attempt"
	BackOff = "backoff"
	Hold    = "hold"
	Wait    = "wait" // for a person
)

// Span is a time in which one thing went on.
type Span struct {
	What    string    `json:"what"` // attempt, backoff, hold or wait
	Attempt int       `json:"attempt,omitempty"`
	Outcome string    `json:"outcome,omitempty"` // of an attempt that ended: the fact that ended it
	From    time.Time `json:"from"`
	To      time.Time `json:"to,omitzero"` // zero: it goes on
}

// Bars sorts a saga's facts into bars, in the order of its steps; a way back is there only once something happened on it.
func Bars(sg *client.Saga, facts []client.Fact) []Bar {
	at := make(map[string]int, len(sg.Steps))
	forward, back := make([]Bar, len(sg.Steps)), make([]Bar, len(sg.Steps))
	for i := range sg.Steps {
		name := sg.Steps[i].Name
		at[name] = i
		forward[i], back[i] = Bar{Step: name}, Bar{Step: name, Undo: true}
	}
	for j := range facts {
		if i, ok := at[facts[j].Step]; ok {
			forward[i].take(&facts[j])
			back[i].take(&facts[j])
		}
	}
	bars := make([]Bar, 0, 2*len(sg.Steps))
	for i := range forward {
		bars = append(bars, forward[i])
		if len(back[i].Spans) > 0 || back[i].Mark != "" {
			bars = append(bars, back[i])
		}
	}
	if sg.EndedAt != nil {
		for i := range bars {
			bars[i].end(*sg.EndedAt, "")
		}
	}
	return bars
}

// take adds what a fact of the step says.
func (b *Bar) take(f *client.Fact) {
	kind, what, ok := strings.Cut(f.Type, ".")
	if !ok || kind != "step" && kind != "undo" {
		return
	}
	if undo := kind == "undo" || f.Type == "step.waived"; undo != b.Undo {
		return
	}
	switch what {
	case "started", "sent":
		b.begin(Span{What: Attempt, Attempt: f.Attempt, From: f.At}, "")
	case "backed_off":
		b.begin(Span{What: BackOff, From: f.At}, f.Type)
	case "held":
		b.begin(Span{What: Hold, From: f.At}, "")
	case "stuck", "failed":
		b.begin(Span{What: Wait, From: f.At}, f.Type)
		b.Mark = markOf(f.Type)
	default:
		b.end(f.At, f.Type)
		b.Mark = markOf(f.Type)
	}
}

func (b *Bar) begin(s Span, outcome string) {
	b.end(s.From, outcome)
	b.Spans, b.Mark = append(b.Spans, s), ""
}

// end ends what goes on; outcome is the type of the fact that did.
func (b *Bar) end(at time.Time, outcome string) {
	if n := len(b.Spans); n > 0 && b.Spans[n-1].To.IsZero() {
		b.Spans[n-1].To = at
		if b.Spans[n-1].What == Attempt {
			b.Spans[n-1].Outcome = outcome
		}
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
