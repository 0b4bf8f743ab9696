package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// entry is one line of a timeline.
type entry struct {
	mark    string
	paint   func(style, string) string
	subject string // a step, or the saga as a whole
	text    string
	note    string // of less weight: codes, coordinates
}

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
	e := t.entry(f)
	s := t.style
	text := clip(e.text, 80)
	line := t.indent + s.dim(padLeft(took(f.At.Sub(t.from)), 9)) + "  " + e.paint(s, e.mark) + " " +
		pad(clip(e.subject, t.width), t.width) + "  " + e.paint(s, text)
	if e.note != "" {
		line += strings.Repeat(" ", max(0, 38-len([]rune(text)))) + "  " + s.dim(clip(e.note, 56))
	}
	fmt.Fprintln(t.w, strings.TrimRight(line, " "))
}

func (t *timeline) entry(f *client.Fact) entry {
	if f.Step != "" && !strings.HasPrefix(f.Type, "abort.") && !strings.HasPrefix(f.Type, "attention.") {
		return t.stepEntry(f)
	}
	e := entry{"●", style.plain, "saga", sentence(f), by(f)}
	switch f.Type {
	case "saga.started":
		e.paint, e.text, e.note = style.bold, "started", ""
	case "saga.completed":
		e.mark, e.paint, e.text = "■", style.good, "completed"
	case "saga.compensated", "saga.abandoned":
		e.mark, e.paint, e.text = "■", style.back, strings.TrimPrefix(f.Type, "saga.")
	case "saga.suspended", "saga.broken":
		e.mark, e.paint = "!", style.bad
	case "abort.started":
		e.mark, e.paint, e.text = "↩", style.back, "everything is undone: "+abortText(f)
	case "attention.raised":
		e.mark, e.paint, e.subject, e.text = "!", style.warn, "attention", words(f.Reason)+of(f.Step)
	case "attention.cleared":
		e.mark, e.paint, e.subject, e.text = "!", style.dim, "attention", words(f.Reason)+of(f.Step)+" is cleared"
	case "cancel.requested", "cancel.refused", "deadline.passed", "saga.paused":
		e.mark, e.paint = "‖", style.warn
	}
	if f.Type == "saga.started" && f.By != "anonymous" {
		e.note = by(f)
	}
	if f.Certificate != nil {
		e.note = words(f.Certificate.Verdict)
	}
	return e
}

func (t *timeline) stepEntry(f *client.Fact) entry {
	node := t.nodes[f.Step]
	who := node.Participant
	e := entry{"·", style.plain, f.Step, sentence(f), by(f)}
	switch f.Type {
	case "step.started":
		e.mark, e.paint, e.text, e.note = "→", style.out, "asks "+who+": "+node.Command, coordinates(f.Record)
	case "step.sent":
		e.mark, e.paint, e.text, e.note = "→", style.out, fmt.Sprintf("asks %s again, attempt %d", who, f.Attempt), coordinates(f.Record)
		if f.Verb == "probe" {
			e.text = fmt.Sprintf("asks %s whether it was done", who)
		}
	case "step.backed_off", "undo.backed_off":
		e.mark, e.paint, e.text, e.note = "↻", style.warn, "failed, will be tried again", coded(f)
	case "step.succeeded":
		e.mark, e.paint, e.text, e.note = "✓", style.good, "succeeded", compact(f.Output)
	case "step.rejected":
		e.mark, e.paint, e.text, e.note = "✗", style.bad, "refused", coded(f)
	case "step.unknown":
		e.mark, e.paint, e.text, e.note = "?", style.warn, "unknown: may have taken effect", coded(f)
	case "step.skipped":
		e.mark, e.paint, e.text = "–", style.dim, "skipped"
	case "step.held":
		e.mark, e.paint, e.text = "‖", style.warn, "held"
	case "step.stuck":
		e.mark, e.paint, e.text, e.note = "!", style.bad, "stuck: "+words(f.Reason), coded(f)
	case "undo.started":
		e.mark, e.paint, e.text, e.note = "←", style.back, "asks "+who+": "+node.Compensation, coordinates(f.Record)
	case "undo.sent":
		e.mark, e.paint, e.text, e.note = "←", style.back, fmt.Sprintf("asks %s again, attempt %d", who, f.Attempt), coordinates(f.Record)
	case "undo.succeeded":
		e.mark, e.paint, e.text, e.note = "↺", style.back, "undone", compact(f.Output)
		if f.Code == "nothing_to_undo" {
			e.text = "undone: there was nothing to undo"
		}
	case "undo.failed":
		e.mark, e.paint, e.text, e.note = "✗", style.bad, "cannot be undone", coded(f)
	case "step.waived":
		e.mark, e.paint, e.text = "✓", style.warn, "waived"
	case "reply.ignored", "reply.recorded":
		e.paint = style.dim
	case "reply.conflict", "publish.refused":
		e.mark, e.paint, e.note = "!", style.bad, coded(f)
	}
	return e
}

// plain leaves text as it is.
func (s style) plain(text string) string { return text }

// sentence is what the fact says of itself.
func sentence(f *client.Fact) string {
	if f.Why != "" {
		return strings.TrimSuffix(f.Why, ".")
	}
	return words(f.Type)
}

func abortText(f *client.Fact) string {
	if f.Abort == nil {
		return words(f.Code)
	}
	switch f.Abort.Reason {
	case "step_rejected":
		return f.Abort.Step + " was refused"
	case "step_unknown":
		return f.Abort.Step + " was never answered"
	case "cancelled":
		return "cancelled"
	case "deadline":
		return "the deadline passed"
	}
	return words(f.Abort.Reason)
}

// words turns an identifier into words: cleanly_aborted, cleanly aborted.
func words(identifier string) string {
	return strings.NewReplacer("_", " ", ".", " ").Replace(identifier)
}

func of(step string) string {
	if step == "" {
		return ""
	}
	return " (" + step + ")"
}

func by(f *client.Fact) string {
	switch {
	case f.Wish != "" && f.By != "":
		return f.By + ": " + f.Wish
	case f.Wish != "":
		return f.Wish
	}
	return f.By
}

func coded(f *client.Fact) string { return joinCode(f.Code, f.Message) }

func joinCode(code, message string) string {
	switch {
	case code == "":
		return message
	case message == "" || message == code:
		return code
	}
	return code + ": " + message
}

// coordinates write where a record stands, as tools for Kafka do.
func coordinates(c *client.Coordinates) string {
	if c == nil || c.Topic == "" {
		return ""
	}
	return fmt.Sprintf("%s/%d @%d", c.Topic, c.Partition, c.Offset)
}

// compact is a short piece of JSON; nothing for null.
func compact(raw json.RawMessage) string {
	if text := strings.TrimSpace(string(raw)); text != "null" && text != "{}" {
		return text
	}
	return ""
}
