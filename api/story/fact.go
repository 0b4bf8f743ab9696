package story

import (
	"fmt"
	"strings"

	"github.com/skaldhq/skald/api/client"
)

// Tone says what kind of news something is, for whoever colours it.
type Tone int

// The tones.
const (
	Plain Tone = iota
	Bold       // a saga's beginning
	Good       // done
	Bad        // it needs a person, or was refused
	Warn       // it waits, or may come out otherwise
	Back       // of the way back
	Out        // of what is under way
	Dim        // of less weight
)

// Entry is a fact in words.
type Entry struct {
	Mark    string // one character
	Tone    Tone
	Subject string // a step, "attention", or "saga" for the whole
	Text    string
	Note    string // of less weight: codes, coordinates
}

// Tell says what a fact tells; node is that of its step, the zero Node where it has none.
func Tell(f *client.Fact, node client.Node) Entry {
	if f.Step != "" && !strings.HasPrefix(f.Type, "abort.") && !strings.HasPrefix(f.Type, "attention.") {
		return tellStep(f, node)
	}
	e := Entry{"●", Plain, "saga", sentence(f), by(f)}
	switch f.Type {
	case "saga.started":
		e.Tone, e.Text, e.Note = Bold, "started", ""
	case "saga.completed":
		e.Mark, e.Tone, e.Text = "■", Good, "completed"
	case "saga.compensated", "saga.abandoned":
		e.Mark, e.Tone, e.Text = "■", Back, strings.TrimPrefix(f.Type, "saga.")
	case "saga.suspended", "saga.broken":
		e.Mark, e.Tone = "!", Bad
	case "abort.started":
		e.Mark, e.Tone, e.Text = "↩", Back, "everything is undone: "+Undone(f.Abort, f.Code)
	case "attention.raised":
		e.Mark, e.Tone, e.Subject, e.Text = "!", Warn, "attention", Words(f.Reason)+Of(f.Step)
	case "attention.cleared":
		e.Mark, e.Tone, e.Subject, e.Text = "!", Dim, "attention", Words(f.Reason)+Of(f.Step)+" is cleared"
	case "cancel.requested", "cancel.refused", "deadline.passed", "saga.paused":
		e.Mark, e.Tone = "‖", Warn
	}
	if f.Type == "saga.started" && f.By != "anonymous" {
		e.Note = by(f)
	}
	if f.Certificate != nil {
		e.Note = Words(f.Certificate.Verdict)
	}
	return e
}

func tellStep(f *client.Fact, node client.Node) Entry {
	who := node.Participant
	e := Entry{"·", Plain, f.Step, sentence(f), by(f)}
	switch f.Type {
	case "step.started":
		e.Mark, e.Tone, e.Text, e.Note = "→", Out, "asks "+who+": "+node.Command, Coordinates(f.Record)
	case "step.sent":
		e.Mark, e.Tone, e.Text, e.Note = "→", Out, fmt.Sprintf("asks %s again, attempt %d", who, f.Attempt), Coordinates(f.Record)
		if f.Verb == "probe" {
			e.Text = fmt.Sprintf("asks %s whether it was done", who)
		}
	case "step.backed_off", "undo.backed_off":
		e.Mark, e.Tone, e.Text, e.Note = "↻", Warn, "failed, will be tried again", coded(f)
	case "step.succeeded":
		e.Mark, e.Tone, e.Text, e.Note = "✓", Good, "succeeded", Compact(f.Output)
	case "step.rejected":
		e.Mark, e.Tone, e.Text, e.Note = "✗", Bad, "refused", coded(f)
	case "step.unknown":
		e.Mark, e.Tone, e.Text, e.Note = "?", Warn, "unknown: may have taken effect", coded(f)
	case "step.skipped":
		e.Mark, e.Tone, e.Text = "–", Dim, "skipped"
	case "step.held":
		e.Mark, e.Tone, e.Text = "‖", Warn, "held"
	case "step.stuck":
		e.Mark, e.Tone, e.Text, e.Note = "!", Bad, "stuck: "+Words(f.Reason), coded(f)
	case "undo.started":
		e.Mark, e.Tone, e.Text, e.Note = "←", Back, "asks "+who+": "+node.Compensation, Coordinates(f.Record)
	case "undo.sent":
		e.Mark, e.Tone, e.Text, e.Note = "←", Back, fmt.Sprintf("asks %s again, attempt %d", who, f.Attempt), Coordinates(f.Record)
	case "undo.succeeded":
		e.Mark, e.Tone, e.Text, e.Note = "↺", Back, "undone", Compact(f.Output)
		if f.Code == "nothing_to_undo" {
			e.Text = "undone: there was nothing to undo"
		}
	case "undo.failed":
		e.Mark, e.Tone, e.Text, e.Note = "✗", Bad, "cannot be undone", coded(f)
	case "step.waived":
		e.Mark, e.Tone, e.Text = "✓", Warn, "waived"
	case "reply.ignored", "reply.recorded":
		e.Tone = Dim
	case "reply.conflict", "publish.refused":
		e.Mark, e.Tone, e.Note = "!", Bad, coded(f)
	}
	return e
}

// sentence is what the fact says of itself.
func sentence(f *client.Fact) string {
	if f.Why != "" {
		return strings.TrimSuffix(f.Why, ".")
	}
	return Words(f.Type)
}

// Undone says why a saga is being undone; code stands in where the fact of it is of an old format.
func Undone(a *client.Abort, code string) string {
	if a == nil {
		return Words(code)
	}
	switch a.Reason {
	case "step_rejected":
		return a.Step + " was refused"
	case "step_unknown":
		return a.Step + " was never answered"
	case "cancelled":
		return "cancelled"
	case "deadline":
		return "the deadline passed"
	}
	return Words(a.Reason)
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

func coded(f *client.Fact) string { return Coded(f.Code, f.Message) }
