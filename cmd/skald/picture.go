package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// picture writes a saga for people: what it is, its steps, why it waits, and how it ended.
func picture(term *console, sg *client.Saga, now time.Time) {
	s, w := term.style, term.out
	headline(term, sg, now)
	fmt.Fprintf(w, "%s\n", s.dim("id "+sg.ID+", revision "+fmt.Sprint(sg.Revision)+labels(sg.Labels)))
	if l := sg.Links; l != nil && l.Trace != "" {
		fmt.Fprintf(w, "%s\n", s.dim("trace "+plain(l.Trace)))
	}
	if a := sg.Abort; a != nil {
		text := words(a.Reason) + of(a.Step)
		if more := joinCode(a.Code, a.Message); more != "" {
			text += ", " + more
		}
		fmt.Fprintf(w, "%s %s\n", s.back("undone because"), plain(text))
	}
	if sg.Broken != "" {
		fmt.Fprintf(w, "%s %s\n", s.bad("an invariant broke:"), plain(sg.Broken))
	}
	fmt.Fprintln(w)
	stepTable(term, sg)
	if len(sg.BlockedOn) > 0 {
		fmt.Fprintf(w, "\n%s\n", s.bold("waits for"))
		for _, b := range sg.BlockedOn {
			fmt.Fprintf(w, "  %s\n", blockedText(s, &b, now))
		}
	}
	if len(sg.Attention) > 0 {
		fmt.Fprintf(w, "\n%s\n", s.warn("needs attention"))
		for _, a := range sg.Attention {
			fmt.Fprintf(w, "  %s%s, for %s\n", words(a.Reason), of(a.Step), took(now.Sub(a.Since)))
		}
	}
	if c := sg.Certificate; c != nil {
		certificate(term, c)
	}
	if out := compact(sg.Output); out != "" {
		fmt.Fprintf(w, "%s %s\n", s.bold("output"), clip(out, 200))
	}
}

// headline is one line: name, key, status, verdict and age.
func headline(term *console, sg *client.Saga, now time.Time) {
	s := term.style
	parts := []string{s.bold(sg.Saga) + s.dim(fmt.Sprintf(" v%d", sg.Version))}
	if sg.Key != "" {
		parts = append(parts, s.bold(clip(sg.Key, 60)))
	}
	parts = append(parts, statusPaint(s, sg.Status)(string(sg.Status)))
	if sg.Certificate != nil {
		parts = append(parts, words(sg.Certificate.Verdict))
	}
	if sg.Paused {
		parts = append(parts, s.warn("paused"))
	}
	if sg.Cancel != nil {
		parts = append(parts, s.warn("cancel waits for the pivot"))
	}
	if sg.EndedAt != nil {
		parts = append(parts, "in "+took(sg.EndedAt.Sub(sg.CreatedAt)))
	} else {
		parts = append(parts, "for "+took(now.Sub(sg.CreatedAt)))
	}
	fmt.Fprintln(term.out, strings.Join(parts, s.dim(" · ")))
}

func stepTable(term *console, sg *client.Saga) {
	rows := [][]string{{"", "step", "participant", "status", "effect", "tries", "took", ""}}
	for _, st := range sg.Steps {
		mark, _ := stepMark(st.Status)
		tries := ""
		if st.Attempts > 0 {
			tries = fmt.Sprint(st.Attempts)
		}
		if st.UndoAttempts > 0 {
			tries += fmt.Sprintf(" ↺%d", st.UndoAttempts)
		}
		span := ""
		if st.StartedAt != nil && st.EndedAt != nil {
			span = took(st.EndedAt.Sub(*st.StartedAt))
		}
		note := ""
		if st.Error != nil {
			note = joinCode(st.Error.Code, st.Error.Message)
		}
		if st.ByOperator {
			note = strings.TrimPrefix(note+", by an operator", ", ")
		}
		if st.Disputed {
			note += ", disputed by its participant"
		}
		kind := ""
		if st.Kind != "compensatable" {
			kind = " (" + st.Kind + ")"
		}
		rows = append(rows, []string{mark, st.Name + kind, st.Participant, words(st.Status), words(st.Effect), tries, span, clip(note, 60)})
	}
	s := term.style
	table(term.out, s, rows, func(column int, cell string) func(string) string {
		switch column {
		case 0:
			for _, st := range sg.Steps {
				if mark, paint := stepMark(st.Status); mark == cell {
					return func(text string) string { return paint(s, text) }
				}
			}
		case 3:
			for _, st := range sg.Steps {
				if words(st.Status) == cell {
					_, paint := stepMark(st.Status)
					return func(text string) string { return paint(s, text) }
				}
			}
		case 2, 7:
			return s.dim
		}
		return nil
	})
}

// stepMark is a step's status in one character, and its colour.
func stepMark(status string) (string, func(style, string) string) {
	switch status {
	case "succeeded":
		return "✓", style.good
	case "in_flight":
		return "→", style.out
	case "backing_off":
		return "↻", style.warn
	case "rejected":
		return "✗", style.bad
	case "unknown":
		return "?", style.warn
	case "skipped":
		return "–", style.dim
	case "stuck", "undo_failed":
		return "!", style.bad
	case "held":
		return "‖", style.warn
	case "undoing", "undo_backing_off":
		return "←", style.back
	case "undone", "waived":
		return "↺", style.back
	}
	return "·", style.dim
}

func statusPaint(s style, status client.Status) func(string) string {
	switch status {
	case client.Completed:
		return s.good
	case client.Compensated, client.Compensating:
		return s.back
	case client.Suspended, client.Abandoned:
		return s.bad
	case client.Running:
		return s.out
	}
	return s.plain
}

func blockedText(s style, b *client.BlockedOn, now time.Time) string {
	text := ""
	switch b.Cause {
	case "reply":
		text = fmt.Sprintf("an answer of %s to %s, attempt %d", b.Participant, b.Step, b.Attempt)
		if b.Verb == "compensate" {
			text = fmt.Sprintf("%s to undo %s, attempt %d", b.Participant, b.Step, b.Attempt)
		}
	case "backoff":
		text = fmt.Sprintf("the next try of %s", b.Step)
	case "unpublished":
		text = fmt.Sprintf("Kafka to take the command of %s", b.Step)
	case "attention":
		text = fmt.Sprintf("a person: %s%s", words(b.Reason), of(b.Step))
	case "hold":
		text = "the end of a hold" + of(b.Step)
	default:
		text = words(b.Cause) + of(b.Step)
	}
	if b.Message != "" {
		text += ", " + b.Message
	}
	text = plain(text) + s.dim(", for "+took(now.Sub(b.Since)))
	if b.Until != nil {
		text += s.dim(", at most " + took(b.Until.Sub(now)) + " more")
	}
	return text
}

func certificate(term *console, c *client.Certificate) {
	s := term.style
	paint := s.good
	if c.Verdict == "residue" {
		paint = s.bad
	}
	effects := make([]string, len(c.Effects))
	for i, e := range c.Effects {
		effects[i] = e.Step + " " + words(e.Effect)
	}
	amended := ""
	if c.Amended {
		amended = s.warn(" (amended by a late answer)")
	}
	fmt.Fprintf(term.out, "\n%s %s%s%s\n", s.bold("certificate"), paint(words(c.Verdict)), amended, s.dim(": "+strings.Join(effects, ", ")))
	for _, r := range c.Residue {
		fmt.Fprintf(term.out, "  %s %s: %s\n", s.bad("left"), r.Step, words(r.Effect))
	}
}

func labels(all map[string]string) string {
	text := ""
	for _, k := range sortedKeys(all) {
		text += ", " + clip(k, 63) + "=" + clip(all[k], 60)
	}
	return text
}
