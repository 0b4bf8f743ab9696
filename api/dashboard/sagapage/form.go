package sagapage

import (
	"fmt"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
	"github.com/skaldhq/skald/api/story"
)

// formView is what an action would come to, and what is asked before it is done.
type formView struct {
	look     *Look
	Saga     *client.Saga
	Name     string
	Choice   choiceView
	Wish     Wish
	Reason   string
	Once     string
	Seen     int64 // facts that there were
	Revision int64 // 0: nothing was rehearsed
	Versions []int // of rebind

	Problem *client.Problem // of what was just tried
	Refused *client.Problem // the rehearsal was; nothing can be confirmed
	Other   []choiceView    // what would be possible instead
	Moved   bool            // the saga went on since the form was shown
	Since   []entryView     // what happened since

	Then *thenView // nil: not rehearsed
}

// thenView is the saga as it would be.
type thenView struct {
	Changed  bool
	Why      string
	From, To ui.Mark
	Steps    []stepChange
	Commands []commandView
	Later    []string // compensations that follow, in order
	Facts    []entryView
	Path     pathView
	Verdict  *ui.Mark
	Pending  bool
}

type stepChange struct {
	Step                   string
	From, To               ui.Mark
	EffectFrom, EffectTo   ui.Mark
	StatusMoves, EffectOne bool
}

type commandView struct {
	client.Command
	Back    bool
	Payload *payloadView
}

type entryView struct {
	story.Entry
	Icon ui.Mark
}

func newForm(look *Look, wish Wish) *formView {
	sg := &look.Saga
	f := &formView{look: look, Saga: sg, Name: ui.Visible(sg.Key), Wish: wish, Seen: look.Total, Choice: choiceOf(sg, Choice{wish.Action, wish.Step}, "")}
	if f.Name == "" {
		f.Name = ui.ShortID(sg.ID)
	}
	for _, c := range look.Possible {
		if c.Step == wish.Step && c.Action != wish.Action {
			f.Other = append(f.Other, choiceOf(sg, c, ""))
		}
	}
	return f
}

// rehearsed takes what the rehearsal answered.
func (f *formView) rehearsed(r *Rehearsal) {
	f.Revision = r.Revision
	p := &r.Preview
	t := &thenView{Changed: p.Changed, Pending: p.Pending, Why: p.Why, From: ui.StatusMark(string(f.Saga.Status)), To: ui.StatusMark(string(p.Next.Status))}
	for i := range min(len(f.Saga.Steps), len(p.Next.Steps)) {
		old, now := &f.Saga.Steps[i], &p.Next.Steps[i]
		if old.Status == now.Status && old.Effect == now.Effect {
			continue
		}
		t.Steps = append(t.Steps, stepChange{
			Step: now.Name, From: ui.StepMark(old.Status), To: ui.StepMark(now.Status), EffectFrom: ui.EffectMark(old.Effect), EffectTo: ui.EffectMark(now.Effect),
			StatusMoves: old.Status != now.Status, EffectOne: old.Effect != now.Effect,
		})
	}
	sent := map[string]bool{}
	for _, c := range p.Commands {
		sent[c.Step] = true
		t.Commands = append(t.Commands, commandView{Command: c, Back: c.Verb == "compensate", Payload: seePayload("Payload", c.Payload)})
	}
	t.Later = f.later(&p.Next, sent)
	nodes := nodesOf(&f.look.Graph)
	for i := range p.Facts {
		fact := &p.Facts[i]
		if fact.Wish == rehearsing {
			fact.Wish = ""
		}
		t.Facts = append(t.Facts, entryOf(fact, nodes[fact.Step]))
	}
	if p.Next.Certificate != nil && p.Next.Status.Terminal() {
		m := ui.VerdictMark(p.Next.Certificate.Verdict)
		t.Verdict = &m
	}
	t.Path = seePath("then-", hushed(&p.Next), willBe(&f.look.Graph, &p.Next), nil, append(f.look.Facts, p.Facts...))
	f.Then = t
}

// hushed takes the reason that stood in for one out of the saga as it would be.
func hushed(next *client.Saga) *client.Saga {
	if next.Abort != nil && next.Abort.Message == rehearsing {
		next.Abort.Message = ""
	}
	for i := range next.Steps {
		if e := next.Steps[i].Error; e != nil && e.Message == rehearsing {
			e.Message = ""
		}
	}
	return next
}

// later lists the compensations that would follow those that are sent at once.
func (f *formView) later(next *client.Saga, sent map[string]bool) []string {
	if next.Abort == nil || next.Status.Terminal() {
		return nil
	}
	var out []string
	for i := len(next.Steps) - 1; i >= 0; i-- {
		st := &next.Steps[i]
		undo := f.look.Graph.Nodes[i].Compensation
		if undo == "" || sent[st.Name] || st.Effect != "certain" && st.Effect != "possible" {
			continue
		}
		switch st.Status {
		case "in_flight":
			out = append(out, fmt.Sprintf("%s (%s, by %s), unless it is refused", st.Name, undo, st.Participant))
		case "succeeded", "unknown":
			out = append(out, fmt.Sprintf("%s (%s, by %s)", st.Name, undo, st.Participant))
		}
	}
	return out
}

// willBe is the graph as it would be.
func willBe(g *client.Graph, next *client.Saga) *client.Graph {
	out := *g
	out.Edges = append([]client.Edge(nil), g.Edges...)
	for i := range out.Edges {
		for j := range next.Steps {
			if next.Steps[j].Name == out.Edges[i].To && (next.Steps[j].Attempts > 0 || next.Steps[j].Status == "skipped") {
				out.Edges[i].Done = true
			}
		}
	}
	return &out
}

func nodesOf(g *client.Graph) map[string]client.Node {
	out := make(map[string]client.Node, len(g.Nodes))
	for _, n := range g.Nodes {
		out[n.Step] = n
	}
	return out
}

func entryOf(f *client.Fact, n client.Node) entryView {
	e := story.Tell(f, n)
	return entryView{e, toneMark(e.Tone, e.Mark)}
}

// happened lists the facts after one that a reader has seen.
func happened(look *Look, seen int64) []entryView {
	var out []entryView
	nodes := nodesOf(&look.Graph)
	for i := range look.Facts {
		if seen > 0 && look.Facts[i].Seq > seen {
			out = append(out, entryOf(&look.Facts[i], nodes[look.Facts[i].Step]))
		}
	}
	return out
}

// gives is what an action can be given beside the reason; empty: nothing.
func (f *formView) gives() string {
	switch f.Wish.Action {
	case client.ActionComplete, client.ActionSkip:
		return "output"
	case client.ActionRetry:
		return "payload"
	}
	return ""
}

// asks reports whether all that is wrong is that nothing was given yet.
func (f *formView) asks() bool {
	return f.Refused != nil && f.Refused.Code == "bad_output" && len(f.Wish.Output) == 0 && f.gives() == "output"
}

// given is what was given last.
func (f *formView) given() string {
	if f.gives() == "output" {
		return string(f.Wish.Output)
	}
	return string(f.Wish.Payload)
}

func (f *formView) givesHint() string {
	switch f.Wish.Action {
	case client.ActionComplete:
		return "The step's output as JSON, for the steps after it. Empty: null."
	case client.ActionSkip:
		return "An output as JSON for the steps after it. Empty: null."
	case client.ActionRetry:
		return "A corrected payload as JSON. Empty: the one that was sent. It can only be corrected where the last answer was a refusal, or nothing was sent."
	}
	return ""
}

// title is what would be done, in a few words.
func (f *formView) title() string {
	verb := f.Choice.Verb
	if f.Wish.Step == "" {
		return verb + " " + f.Name
	}
	return verb + ": " + f.Wish.Step + " of " + f.Name
}

func sentence(text string) string {
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
