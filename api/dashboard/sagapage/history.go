package sagapage

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
	"github.com/skaldhq/skald/api/story"
)

const (
	historyRows = 50
	// inlineBytes is how large a payload of the history may be to stand on the page; larger ones are a link.
	inlineBytes = 4 << 10
)

// historyView is one page of facts, newest first.
type historyView struct {
	Rows  []factView
	Total int64
	Older int64 // the number before which the next page ends; 0: there is none
	Newer bool  // this is not the first page
}

// factView is one fact with its message's passport.
type factView struct {
	Seq      int64
	Entry    story.Entry
	Icon     ui.Mark
	After    time.Duration // since the saga began
	At       time.Time
	Passport []passport
	Details  []story.Line
	Payload  *payloadView
	Larger   int // bytes of a payload that is too large to stand here; 0: none
}

// passport is where a message stands in Kafka, and what became of it.
type passport struct {
	Place   string
	Verdict ui.Mark
	Hint    string
}

func seeHistory(look *Look, older []client.Fact) historyView {
	v := historyView{Total: look.Total, Newer: older != nil}
	facts := older
	if older == nil {
		facts = look.Facts[max(0, len(look.Facts)-historyRows):]
	}
	nodes := make(map[string]client.Node, len(look.Graph.Nodes))
	for _, n := range look.Graph.Nodes {
		nodes[n.Step] = n
	}
	for i := range facts {
		v.Rows = append(v.Rows, seeFact(&facts[i], nodes[facts[i].Step], look.Saga.CreatedAt))
	}
	slices.Reverse(v.Rows)
	if len(facts) > 0 && facts[0].Seq > 1 {
		v.Older = facts[0].Seq
	}
	return v
}

func seeFact(f *client.Fact, n client.Node, began time.Time) factView {
	e := story.Tell(f, n)
	v := factView{Seq: f.Seq, Entry: e, Icon: toneMark(e.Tone, e.Mark), After: f.At.Sub(began), At: f.At, Passport: passports(f)}
	if f.Record != nil && story.Coordinates(f.Record) == e.Note {
		v.Entry.Note = ""
	}
	payload, name := f.Payload, "Payload"
	if len(f.Output) > 0 {
		payload, name = f.Output, "Output"
		if story.Compact(f.Output) == e.Note {
			v.Entry.Note = ""
		}
	}
	if len(f.Input) > 0 {
		payload, name = f.Input, "Input"
	}
	if len(payload) > inlineBytes {
		v.Larger = len(payload)
	} else {
		v.Payload = seePayload(name, payload)
	}
	v.Details = details(f)
	return v
}

func details(f *client.Fact) []story.Line {
	var out []story.Line
	add := func(label, text string) {
		if text != "" {
			out = append(out, story.Line{Label: label, Text: ui.Visible(text)})
		}
	}
	add("type", f.Type)
	add("event", f.EventID)
	if f.Verb != "" {
		add("command", fmt.Sprintf("%s, edition %d, attempt %d", f.Verb, f.Edition, f.Attempt))
	}
	add("outcome", f.Outcome)
	add("code", f.Code)
	add("message", f.Message)
	add("by", f.By)
	add("reason", f.Wish)
	if f.Effect != "" {
		add("effect", ui.EffectMark(f.Effect).Word)
	}
	if f.Sequence > 0 {
		add("published as", strconv.FormatInt(f.Sequence, 10))
	}
	return out
}

func passports(f *client.Fact) []passport {
	var out []passport
	if r := f.Record; r != nil {
		p := passport{Place: place(r), Verdict: ui.Mark{Icon: "forward", Word: "sent", Tone: ui.Going}}
		if f.Verb == "compensate" {
			p.Verdict = ui.Mark{Icon: "back", Word: "sent", Tone: ui.Back}
		}
		if r.At != nil {
			p.Hint = "acknowledged by Kafka " + ui.Human(r.At.Sub(f.At)) + " after it was decided on"
		}
		out = append(out, p)
	}
	if r := f.Reply; r != nil {
		out = append(out, passport{Place: place(r), Verdict: verdictMark(f.Verdict)})
	}
	return out
}

func place(c *client.Coordinates) string {
	if text := story.Coordinates(c); text != "" {
		return text
	}
	return fmt.Sprintf("partition %d @%d", c.Partition, c.Offset)
}

func verdictMark(verdict string) ui.Mark {
	switch verdict {
	case "applied":
		return ui.Mark{Icon: "check", Word: "applied", Tone: ui.Good, Hint: "it changed the saga"}
	case "duplicate":
		return ui.Mark{Icon: "dot", Word: "duplicate", Tone: ui.Idle, Hint: "the same had been said before"}
	case "stale":
		return ui.Mark{Icon: "dot", Word: "stale", Tone: ui.Idle, Hint: "an answer to an older attempt or edition"}
	case "late":
		return ui.Mark{Icon: "clock", Word: "late", Tone: ui.Wait, Hint: "it came after the step had been settled otherwise"}
	case "conflict":
		return ui.Mark{Icon: "alarm", Word: "conflict", Tone: ui.Bad, Hint: "it contradicts what was said before"}
	}
	return ui.Mark{Icon: "dot", Word: verdict, Tone: ui.Idle}
}

// toneMark is an entry's mark as the pages draw it.
func toneMark(tone story.Tone, mark string) ui.Mark {
	icons := map[string]string{
		"→": "forward", "←": "back", "↩": "back", "↺": "undone", "✓": "check", "✗": "cross", "!": "alarm", "?": "question", "–": "skip",
		"‖": "pause", "↻": "clock", "■": "stop",
	}
	m := ui.Mark{Icon: icons[mark]}
	if m.Icon == "" {
		m.Icon = "dot"
	}
	switch tone {
	case story.Good:
		m.Tone = ui.Good
	case story.Bad:
		m.Tone = ui.Bad
	case story.Warn:
		m.Tone = ui.Wait
	case story.Back:
		m.Tone = ui.Back
	case story.Out:
		m.Tone = ui.Going
	case story.Plain, story.Bold, story.Dim:
		m.Tone = ui.Idle
	}
	if mark == "■" { // an end
		m.Icon = map[story.Tone]string{story.Good: "check", story.Back: "undone"}[tone]
	}
	return m
}
