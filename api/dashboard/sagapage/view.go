package sagapage

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
	"github.com/skaldhq/skald/api/story"
)

// view is all that the page shows: a pure function of a Look and the time.
type view struct {
	Saga    *client.Saga
	Now     time.Time
	Title   string
	Status  ui.Mark
	Marks   []ui.Mark // beside the status
	Lead    lead
	Path    pathView
	Gantt   ganttView
	Cert    certView
	Steps   []stepView
	History historyView
	Input   *payloadView
	Output  *payloadView
	Main    []choiceView // what stands beside the title
	Groups  []choiceGroup
	Total   int64
}

// see makes the view. older are the facts of a page of the history other than the first; nil: the first.
func see(look *Look, older []client.Fact, now time.Time) view {
	sg := &look.Saga
	bars := story.Bars(sg, look.Facts)
	v := view{
		Saga: sg, Now: now, Title: ui.Visible(sg.Key), Status: ui.StatusMark(string(sg.Status)), Total: look.Total,
		Path: seePath("", sg, &look.Graph, bars, look.Facts), Gantt: seeGantt(sg, bars, look, now), Cert: certify(sg),
		History: seeHistory(look, older), Input: seePayload("Input", sg.Input), Output: seePayload("Output", sg.Output),
	}
	if v.Title == "" {
		v.Title = ui.ShortID(sg.ID)
	}
	v.Lead = leadOf(sg, look.Possible, now)
	v.Marks = marksOf(sg)
	v.Main, v.Groups = offer(sg, look.Possible, v.Lead.pressing())
	v.Steps = seeSteps(sg, &look.Graph, look.Possible, bars)
	return v
}

func marksOf(sg *client.Saga) []ui.Mark {
	var out []ui.Mark
	if sg.Status == client.Suspended && sg.Abort != nil {
		out = append(out, ui.Mark{Icon: "back", Word: "going back", Tone: ui.Back, Hint: "it was being undone when it got stuck"})
	}
	if sg.Paused {
		out = append(out, ui.Mark{Icon: "pause", Word: "paused", Tone: ui.Wait, Hint: "an operator stopped it"})
	}
	if sg.Cancel != nil {
		out = append(out, ui.Mark{Icon: "clock", Word: "cancel waits for the pivot", Tone: ui.Wait, Hint: "the point of no return is being passed; its answer decides"})
	}
	if sg.Certificate != nil && sg.Status.Terminal() {
		out = append(out, ui.VerdictMark(sg.Certificate.Verdict))
	}
	return out
}

// stepView is one step in full.
type stepView struct {
	*client.Step
	Mark     ui.Mark
	Effect   ui.Mark
	Command  string
	Undo     string // command; empty: none
	Tries    string
	Took     time.Duration
	Output   *payloadView
	Choices  []choiceView
	Open     bool // it is what the reader came for
	ByPerson bool
}

func seeSteps(sg *client.Saga, g *client.Graph, possible []Choice, bars []story.Bar) []stepView {
	out := make([]stepView, len(sg.Steps))
	for i := range sg.Steps {
		st := &sg.Steps[i]
		out[i] = stepView{
			Step: st, Mark: ui.StepMark(st.Status), Effect: ui.EffectMark(st.Effect), Command: g.Nodes[i].Command, Undo: g.Nodes[i].Compensation,
			Tries: tries(st), Took: spent(bars, st.Name, false), Output: seePayload("Output", st.Output), ByPerson: st.ByOperator,
			Open: slices.ContainsFunc(sg.BlockedOn, func(b client.BlockedOn) bool { return b.Step == st.Name && b.Cause == "attention" }),
		}
		for _, c := range possible {
			if c.Step == st.Name {
				out[i].Choices = append(out[i].Choices, choiceOf(sg, c, ""))
			}
		}
	}
	return out
}

func tries(st *client.Step) string {
	var parts []string
	if st.Attempts > 1 {
		parts = append(parts, strconv.Itoa(st.Attempts)+" attempts")
	}
	if st.UndoAttempts > 1 {
		parts = append(parts, strconv.Itoa(st.UndoAttempts)+" attempts to undo")
	}
	return strings.Join(parts, ", ")
}

// spent is how long a step's way took from its first attempt to its last answer; 0 while it goes on, and where it is not known.
func spent(bars []story.Bar, step string, undo bool) time.Duration {
	for _, b := range bars {
		if b.Step != step || b.Undo != undo || len(b.Spans) == 0 {
			continue
		}
		last := b.Spans[len(b.Spans)-1]
		if last.What == story.Wait && len(b.Spans) > 1 {
			last = b.Spans[len(b.Spans)-2]
		}
		if last.To.IsZero() {
			return 0
		}
		return last.To.Sub(b.Spans[0].From)
	}
	return 0
}

func sagaURL(id string, more ...string) templ.SafeURL {
	return templ.SafeURL("/sagas/" + pathPart(id) + strings.Join(more, ""))
}

func stepAnchor(name string) string { return "step-" + name }
