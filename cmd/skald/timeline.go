package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/story"
)

// timeline writes facts, one a line, with the time since from.
type timeline struct {
	w      io.Writer
	style  style
	indent string
	from   time.Time
	nodes  map[string]client.Node // by step
	width  int                    // of the subjects
}

// newTimeline prepares the columns for a saga that began at from.
func newTimeline(w io.Writer, s style, indent string, from time.Time, g *client.Graph) *timeline {
	t := &timeline{w: w, style: s, indent: indent, from: from, nodes: map[string]client.Node{}, width: len("attention")}
	for _, node := range g.Nodes {
		t.nodes[node.Step] = node
		t.width = max(t.width, len(node.Step))
	}
	return t
}

// fact writes one line.
func (t *timeline) fact(f *client.Fact) {
	e := story.Tell(f, t.nodes[f.Step])
	paint := t.style.toned(e.Tone)
	s := t.style
	text := clip(e.Text, 80)
	line := t.indent + s.dim(padLeft(took(f.At.Sub(t.from)), 9)) + "  " + paint(e.Mark) + " " +
		pad(clip(e.Subject, t.width), t.width) + "  " + paint(text)
	if e.Note != "" {
		line += strings.Repeat(" ", max(0, 38-len([]rune(text)))) + "  " + s.dim(clip(e.Note, 56))
	}
	fmt.Fprintln(t.w, strings.TrimRight(line, " "))
}

// toned is how news of a kind are painted.
func (s style) toned(t story.Tone) func(string) string {
	switch t {
	case story.Bold:
		return s.bold
	case story.Good:
		return s.good
	case story.Bad:
		return s.bad
	case story.Warn:
		return s.warn
	case story.Back:
		return s.back
	case story.Out:
		return s.out
	case story.Dim:
		return s.dim
	case story.Plain:
	}
	return s.plain
}

// plain leaves text as it is.
func (s style) plain(text string) string { return text }

func words(identifier string) string { return story.Words(identifier) }

func of(step string) string { return story.Of(step) }

func joinCode(code, message string) string { return story.Coded(code, message) }

func compact(raw json.RawMessage) string { return story.Compact(raw) }
