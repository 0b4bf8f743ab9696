package sagapage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
	"github.com/skaldhq/skald/api/story"
)

// lead answers the two questions with which people come: where is it, and what happens next.
type lead struct {
	Mark     ui.Mark
	Title    string
	Texts    []string
	Since    time.Time // zero: not shown
	Waits    []waitView
	Raised   []raisedView
	Breaks   string // the invariant that broke
	NoNext   bool   // it has ended
	Deadline *time.Time
}

// waitView is one thing that it waits for.
type waitView struct {
	Cause   string
	Mark    ui.Mark
	Step    string
	What    string
	Since   time.Time
	Lines   []story.Line
	Choices []choiceView
	Else    []string // commands of the command line
}

// raisedView is raised attention that is not told by what it waits for.
type raisedView struct {
	Text   string
	Since  time.Time
	Choice *choiceView
}

// pressing is what somebody would do first: nothing, where it only waits for an answer that may well come.
func (l *lead) pressing() []choiceView {
	var out []choiceView
	for _, w := range l.Waits {
		if w.Mark.Tone == ui.Bad || w.Cause == "backoff" {
			out = append(out, w.Choices...)
		}
	}
	return out
}

func leadOf(sg *client.Saga, possible []Choice, now time.Time) lead {
	l := lead{Breaks: sg.Broken, NoNext: sg.Status.Terminal()}
	if !l.NoNext {
		l.Deadline = sg.Deadline
	}
	told := map[string]bool{}
	for i := range sg.BlockedOn {
		b := &sg.BlockedOn[i]
		r := story.Waits(sg, b, now)
		mark := ui.CauseMark(b.Cause)
		if b.Verb == "compensate" && mark.Tone == ui.Going {
			mark.Tone, mark.Icon = ui.Back, "back"
		}
		w := waitView{Cause: b.Cause, Mark: mark, Step: b.Step, What: r.What, Since: b.Since}
		for _, line := range r.Lines {
			if line.Label != "since" {
				w.Lines = append(w.Lines, line)
			}
		}
		for _, can := range r.Can {
			c := Choice{can.Action, can.Step}
			switch {
			case can.Action == "":
				w.Else = append(w.Else, can.Command)
			case slices.Contains(possible, c):
				w.Choices = append(w.Choices, choiceOf(sg, c, can.Note))
			}
		}
		l.Waits = append(l.Waits, w)
		told[b.Reason+" "+b.Step] = true
	}
	slices.SortStableFunc(l.Waits, func(a, b waitView) int { return urgency(a.Mark) - urgency(b.Mark) })
	for _, a := range sg.Attention {
		if told[a.Reason+" "+a.Step] {
			continue
		}
		raised := raisedView{Text: attentionText(a.Reason, a.Step), Since: a.Since}
		if can := story.Acknowledges(&a); can != nil && slices.ContainsFunc(possible, func(c Choice) bool { return c.Action == can.Action }) {
			c := choiceOf(sg, Choice{can.Action, can.Step}, "")
			raised.Choice = &c
		}
		l.Raised = append(l.Raised, raised)
	}
	l.say(sg)
	return l
}

func urgency(m ui.Mark) int {
	return slices.Index([]ui.Tone{ui.Bad, ui.Wait, ui.Back, ui.Going}, m.Tone)
}

// say puts the whole into a title and a few sentences.
func (l *lead) say(sg *client.Saga) {
	l.Mark = ui.StatusMark(string(sg.Status))
	back := goingBack(sg)
	switch sg.Status {
	case client.Completed:
		l.Title = "It went through."
		l.Texts = []string{doneText(sg) + " Nothing more happens."}
	case client.Compensated:
		l.Title = "It did not go through, and has been undone."
		l.Texts = []string{back, restText(sg) + " Nothing more happens."}
		if sg.Certificate != nil && sg.Certificate.Verdict == "residue" {
			l.Mark, l.Title = ui.VerdictMark("residue"), "It did not go through, and not everything could be undone."
		}
	case client.Abandoned:
		l.Title = "An operator closed it."
		l.Texts = []string{back, restText(sg) + " Nothing more happens."}
		if sg.Certificate != nil && sg.Certificate.Verdict == "residue" {
			l.Mark, l.Title = ui.VerdictMark("residue"), "An operator closed it, and accepted what is left."
		}
	case client.Running, client.Compensating, client.Suspended:
		l.sayLive(sg, back)
	}
	l.Texts = slices.DeleteFunc(l.Texts, func(s string) bool { return s == "" })
}

func (l *lead) sayLive(sg *client.Saga, back string) {
	l.Title = "It moves on by itself."
	if len(l.Waits) > 0 {
		l.Title, l.Since = l.Waits[0].What, l.Waits[0].Since
		l.Mark = ui.Mark{Icon: l.Waits[0].Mark.Icon, Word: "Waits for " + l.Waits[0].Mark.Word, Tone: l.Waits[0].Mark.Tone, Hint: l.Waits[0].Mark.Hint}
		if l.Waits[0].Mark.Tone == ui.Bad {
			l.Mark.Word = "Needs a person"
		}
	}
	if sg.Paused && sg.Pause != nil {
		l.Mark = ui.Mark{Icon: "pause", Word: "Paused", Tone: ui.Wait}
		l.Title, l.Since = "It is paused"+byWhom(sg.Pause.By, sg.Pause.Reason)+".", sg.Pause.Since
		l.Texts = append(l.Texts, "Nothing is sent and its timers stand still until somebody resumes it; answers still count.")
	}
	l.Texts = append(l.Texts, back)
	if sg.Abort == nil {
		l.Texts = append(l.Texts, ahead(sg))
		return
	}
	if left := toUndo(sg); len(left) > 0 {
		l.Texts = append(l.Texts, "Still to be undone, in this order: "+some(left)+".")
	}
}

func byWhom(by, reason string) string {
	text := ""
	if by != "" {
		text = " by " + by
	}
	if reason != "" {
		text += ": " + strings.TrimRight(reason, ". ")
	}
	return text
}

// goingBack says why a saga is undone; empty where it is not.
func goingBack(sg *client.Saga) string {
	a := sg.Abort
	if a == nil {
		return ""
	}
	text := "It goes back because " + story.Undone(a, "")
	switch a.Reason {
	case "cancelled":
		text = "It goes back because it was cancelled" + byWhom(a.By, a.Message)
	case "deadline":
		text = "It goes back because its deadline passed"
	default:
		if more := story.Coded(a.Code, a.Message); more != "" {
			text += " (" + strings.TrimRight(more, ". ") + ")"
		}
	}
	if sg.Status.Terminal() {
		text = strings.Replace(text, "It goes back", "It went back", 1)
	}
	return text + "."
}

func doneText(sg *client.Saga) string {
	skipped := 0
	for i := range sg.Steps {
		if sg.Steps[i].Status == "skipped" {
			skipped++
		}
	}
	text := fmt.Sprintf("All %d steps are done.", len(sg.Steps)-skipped)
	if skipped > 0 {
		text += fmt.Sprintf(" %s skipped.", counted(skipped, "other was", "others were"))
	}
	return text
}

// restText says what is left in the world.
func restText(sg *client.Saga) string {
	if sg.Certificate == nil {
		return ""
	}
	left := make([]string, 0, len(sg.Certificate.Residue))
	for _, r := range sg.Certificate.Residue {
		left = append(left, r.Step+" ("+ui.EffectMark(r.Effect).Word+")")
	}
	if len(left) == 0 {
		return "Nothing is left of it."
	}
	return counted(len(left), "effect is", "effects are") + " left: " + strings.Join(left, ", ") + "."
}

// ahead names the steps that come next on the way forward.
func ahead(sg *client.Saga) string {
	var done, next []string
	for i := range sg.Steps {
		switch sg.Steps[i].Status {
		case "pending":
			next = append(next, sg.Steps[i].Name)
		case "succeeded", "skipped":
			done = append(done, sg.Steps[i].Name)
		}
	}
	text := fmt.Sprintf("%d of %d steps are done.", len(done), len(sg.Steps))
	if len(next) > 0 {
		text += " After this: " + some(next) + "."
	}
	return text
}

// toUndo lists what has not been undone yet, the last step first.
func toUndo(sg *client.Saga) []string {
	var out []string
	for i := len(sg.Steps) - 1; i >= 0; i-- {
		st := &sg.Steps[i]
		switch st.Status {
		case "undoing", "undo_backing_off", "undo_failed":
			out = append(out, st.Name)
		case "in_flight":
			out = append(out, st.Name+" (unless it is refused)")
		case "succeeded", "unknown":
			if st.Effect == "certain" || st.Effect == "possible" {
				out = append(out, st.Name)
			}
		}
	}
	return out
}

func some(names []string) string {
	if len(names) > 4 {
		return strings.Join(names[:3], ", ") + fmt.Sprintf(" and %d more", len(names)-3)
	}
	return strings.Join(names, ", ")
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// attentionText says what a reason for attention means.
func attentionText(reason, step string) string {
	about := "the saga"
	if step != "" {
		about = step
	}
	switch reason {
	case "late_effect":
		return about + " took effect after it had been taken for undone or never done."
	case "reply.conflict":
		return about + " was answered twice, with different words."
	case "barrier":
		return about + ": its participant said that there was nothing to undo, and then that it had done it. Its barrier is broken."
	case "slow":
		return about + " takes long: its participant says that it is at it."
	case "exhausted":
		return about + " has used up its attempts, and is still tried."
	case "deadline":
		return "The deadline has passed."
	case "held":
		return about + " has been held for more than 15 minutes."
	case "undo_failed":
		return about + " could not be undone."
	case "history":
		return "Its history has more than 10,000 facts."
	}
	return story.Words(reason) + story.Of(step) + "."
}
