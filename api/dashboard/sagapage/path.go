package sagapage

import (
	"fmt"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/drawing"
	"github.com/skaldhq/skald/api/dashboard/ui"
	"github.com/skaldhq/skald/api/story"
)

// pathView is the way forward and the way back in one picture: wide for a desk, tall for a phone.
type pathView struct {
	Wide, Tall pictureView
	Back       bool // there is a way back in it
	Pivot      bool
	Retriable  bool
}

type pictureView struct {
	ID    string
	W, H  int
	Lines []lineView
	Boxes []boxView
	Label string
}

type lineView struct {
	D    string
	Back bool
	Done bool
}

// boxView is one box: a step on the way forward, or its compensation.
type boxView struct {
	drawing.Box
	ID     string // tells it apart, so that focus stays on it when the picture is drawn anew
	Step   string
	Back   bool
	Mark   ui.Mark
	Name   string // cut to fit
	State  string // the same
	Effect ui.Mark
	Kind   string // pivot or retriable; empty: neither
	Faint  bool   // nothing has happened there
	Full   string // all of it in words
	Has    bool   // an Effect is shown
	Icon   bool   // its Mark is shown
}

// id tells the pictures of one page apart.
func seePath(id string, sg *client.Saga, g *client.Graph, bars []story.Bar, facts []client.Fact) pathView {
	index := make(map[string]int, len(g.Nodes))
	graph := drawing.Graph{Nodes: len(g.Nodes), Back: make([]bool, len(g.Nodes)), Origin: -1}
	v := pathView{}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		index[n.Step] = i
		graph.Back[i] = goesBack(sg, n, &sg.Steps[i])
		v.Back = v.Back || graph.Back[i]
		v.Pivot, v.Retriable = v.Pivot || n.Kind == "pivot", v.Retriable || n.Kind == "retriable"
	}
	for _, e := range g.Edges {
		graph.Edges = append(graph.Edges, drawing.Edge{From: index[e.From], To: index[e.To]})
	}
	if at, ok := origin(sg, index); ok && v.Back {
		graph.Origin = at
	}
	d := &painter{sg: sg, g: g, bars: bars, forward: forwardEnds(facts)}
	v.Wide, v.Tall = d.paint(id+"wide", drawing.Wide(graph)), d.paint(id+"tall", drawing.Tall(graph))
	return v
}

// goesBack reports whether a step's compensation belongs into the picture: it was created, or will be.
func goesBack(sg *client.Saga, n *client.Node, st *client.Step) bool {
	switch st.Status {
	case "undoing", "undo_backing_off", "undone", "undo_failed", "waived":
		return true
	}
	return sg.Abort != nil && n.Compensation != "" && (st.Effect == "certain" || st.Effect == "possible")
}

func origin(sg *client.Saga, index map[string]int) (int, bool) {
	if sg.Abort == nil || sg.Abort.Step == "" {
		return 0, false
	}
	at, ok := index[sg.Abort.Step]
	return at, ok
}

// forwardEnds is how each step's way forward ended, as the facts tell: a step that is undone no longer says it.
func forwardEnds(facts []client.Fact) map[string]string {
	out := map[string]string{}
	for i := range facts {
		switch facts[i].Type {
		case "step.succeeded", "step.rejected", "step.unknown", "step.skipped", "step.stuck":
			out[facts[i].Step] = strings.TrimPrefix(facts[i].Type, "step.")
		}
	}
	return out
}

type painter struct {
	sg      *client.Saga
	g       *client.Graph
	bars    []story.Bar
	forward map[string]string
}

func (d *painter) paint(id string, pic drawing.Picture) pictureView {
	v := pictureView{ID: id, W: pic.W, H: pic.H, Label: d.label()}
	for i, line := range pic.Edges {
		v.Lines = append(v.Lines, lineView{D: line.D, Done: d.g.Edges[i].Done})
	}
	for _, line := range append(pic.Origins, pic.Returns...) {
		v.Lines = append(v.Lines, lineView{D: line.D, Back: true, Done: d.sg.Steps[line.To].UndoAttempts > 0 || d.sg.Steps[line.To].Status == "undo_failed"})
	}
	for i := range d.g.Nodes {
		b := d.ahead(i, pic.Forward[i])
		b.ID = id + "-ahead-" + b.Step
		v.Boxes = append(v.Boxes, b)
	}
	for i := range d.g.Nodes {
		if pic.Back[i].W > 0 {
			b := d.back(i, pic.Back[i])
			b.ID = id + "-back-" + b.Step
			v.Boxes = append(v.Boxes, b)
		}
	}
	return v
}

// ahead is the box of the way forward.
func (d *painter) ahead(i int, at drawing.Box) boxView {
	n, st := &d.g.Nodes[i], &d.sg.Steps[i]
	status := st.Status
	switch status {
	case "undoing", "undo_backing_off", "undone", "undo_failed", "waived":
		status = "succeeded"
		if end := d.forward[n.Step]; end != "" {
			status = end
		}
	}
	b := boxView{Box: at, Step: n.Step, Mark: ui.StepMark(status), Effect: ui.EffectMark(st.Effect), Has: true, Faint: status == "pending" || status == "skipped"}
	state := b.Mark.Word
	switch status {
	case "pending":
		b.Has = false
		if d.sg.Abort != nil || d.sg.Status.Terminal() {
			state = "never sent"
		}
	case "rejected", "stuck":
		if code := reasonOf(st); code != "" {
			state += ": " + code
		}
	case "in_flight", "backing_off":
		if st.Attempts > 0 {
			state += fmt.Sprintf(" · attempt %d", st.Attempts)
		}
	case "succeeded":
		if st.Attempts > 1 {
			state += fmt.Sprintf(" · %d attempts", st.Attempts)
		}
	}
	if took := spent(d.bars, n.Step, false); took > 0 && (status == "succeeded" || status == "rejected") {
		state += " · " + ui.Human(took)
	}
	if n.Kind != "compensatable" {
		b.Kind = n.Kind
	}
	b.Icon = status != "pending"
	marks := 0
	for _, shown := range []bool{b.Icon, b.Kind != ""} {
		if shown {
			marks++
		}
	}
	b.Name, b.State = fit(n.Step, room(at.W-18-18*marks, at.W)), fit(state, (at.W-18)*2/13)
	b.Full = d.full(n, st, state)
	return b
}

// reasonOf is why a step was refused or is stuck, in a word or two.
func reasonOf(st *client.Step) string {
	switch {
	case st.Why != "" && st.Status == "stuck":
		return story.Words(st.Why)
	case st.Error != nil && st.Error.Code != "":
		return st.Error.Code
	case st.Error != nil:
		return st.Error.Message
	}
	return ""
}

func (d *painter) full(n *client.Node, st *client.Step, state string) string {
	text := fmt.Sprintf("Forward: %s, %s of %s. %s. Effect: %s.", n.Step, n.Command, n.Participant, state, ui.EffectMark(st.Effect).Word)
	switch n.Kind {
	case "pivot":
		text += " The point of no return."
	case "retriable":
		text += " After the point of no return: retried until it succeeds."
	}
	if n.Compensation != "" {
		text += " Undone by " + n.Compensation + "."
	}
	if st.Error != nil {
		text += " " + story.Coded(st.Error.Code, st.Error.Message)
	}
	return text
}

// back is the box of the way back.
func (d *painter) back(i int, at drawing.Box) boxView {
	n, st := &d.g.Nodes[i], &d.sg.Steps[i]
	b := boxView{Box: at, Step: n.Step, Back: true, Mark: ui.StepMark(st.Status)}
	state := b.Mark.Word
	switch st.Status {
	case "undoing":
		state = "asked " + n.Participant
		if st.UndoAttempts > 1 {
			state += fmt.Sprintf(" · attempt %d", st.UndoAttempts)
		}
	case "undo_backing_off":
		state = fmt.Sprintf("failed, tried again · attempt %d", st.UndoAttempts)
	case "undo_failed":
		state = "refused · waits for a person"
		if d.sg.Status.Terminal() {
			state = "could not be undone"
		}
	case "undone":
		if took := spent(d.bars, n.Step, true); took > 0 {
			state += " · " + ui.Human(took)
		}
	case "waived":
		state = "waived: it stays"
	default:
		b.Faint, b.Mark = true, ui.Mark{Icon: "back", Word: "waits for its turn", Tone: ui.Back}
		state = "waits for its turn"
		if d.sg.Status.Terminal() {
			state = "not undone"
		}
	}
	b.Icon = !b.Faint && at.W >= narrow
	left := at.W - 36
	if b.Icon {
		left -= 22
	}
	command, _, _ := strings.Cut(n.Compensation, ".")
	b.Name, b.State = fit(command, room(left, at.W)), fit(state, (at.W-18)*2/13)
	b.Full = fmt.Sprintf("Back: %s, by %s of %s. %s.", n.Step, n.Compensation, n.Participant, state)
	if st.Error != nil && (st.Status == "undo_failed" || st.Status == "undo_backing_off") {
		b.Full += " " + story.Coded(st.Error.Code, st.Error.Message)
	}
	return b
}

// label is the picture for who cannot see it.
func (d *painter) label() string {
	forward, back := make([]string, 0, len(d.g.Nodes)), []string{}
	for i := range d.g.Nodes {
		st := &d.sg.Steps[i]
		if goesBack(d.sg, &d.g.Nodes[i], st) {
			back = append([]string{st.Name + " " + d.back(i, drawing.Box{W: 400}).State}, back...)
		}
		forward = append(forward, st.Name+" "+d.ahead(i, drawing.Box{W: 400}).State)
	}
	text := "Forward: " + strings.Join(forward, ", ") + "."
	if len(back) > 0 {
		text += " Back: " + strings.Join(back, ", ") + "."
	}
	return text
}

// narrow is the width below which a box is written in smaller letters.
const narrow = 160

// room is how many bold letters fit into a width, in a box of another.
func room(width, box int) int {
	if box < narrow {
		return width * 2 / 15
	}
	return width * 2 / 17
}

// kindX is where the sign of its kind stands.
func (b *boxView) kindX() int {
	if b.Icon {
		return b.W - 46
	}
	return b.W - 26
}

// fit cuts text to n characters.
func fit(text string, n int) string {
	runes := []rune(ui.Visible(text))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:max(n-1, 1)]) + "…"
}
