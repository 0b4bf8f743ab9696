package dashboard

import (
	"fmt"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/drawing"
)

// planView is a definition's path forward and the way back that it would take, in one picture.
type planView struct {
	wide, tall drawing.Picture
	nodes      []client.Node
}

func newPlan(g *client.Graph) *planView {
	index := make(map[string]int, len(g.Nodes))
	graph := drawing.Graph{Nodes: len(g.Nodes), Back: make([]bool, len(g.Nodes)), Origin: -1}
	for i := range g.Nodes {
		index[g.Nodes[i].Step] = i
		graph.Back[i] = g.Nodes[i].Compensation != ""
	}
	for _, e := range g.Edges {
		graph.Edges = append(graph.Edges, drawing.Edge{From: index[e.From], To: index[e.To]})
	}
	return &planView{drawing.Wide(graph), drawing.Tall(graph), g.Nodes}
}

// words tell the picture to who cannot see it.
func (p *planView) words() string {
	text := "Forward:"
	for i := range p.nodes {
		text += " " + p.nodes[i].Step + ","
	}
	return text + " and back in reverse order, each step by its compensation."
}

func (p *planView) viewBox(pic *drawing.Picture) string {
	return fmt.Sprintf("0 0 %d %d", pic.W, pic.H)
}

// Widths of a letter in the picture, about: what is bold and what stands below it.
const (
	nameLetter = 7.9
	whatLetter = 6.7
)

// cut shortens a text that has to fit a box of w units; the whole of it stands in the table below the picture.
func cut(text string, w int, letter float64) string {
	runes := []rune(text)
	if fits := int(float64(w-24) / letter); len(runes) > fits {
		return string(runes[:max(fits-1, 1)]) + "…"
	}
	return text
}
