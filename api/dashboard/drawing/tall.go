package drawing

// The measures of a tall picture: with one lane it is as wide as a phone.
const (
	tallWidth   = 316 // of a lane
	tallBoxH    = 76
	tallGapY    = 26
	tallGapX    = 16 // between lanes
	tallBackGap = 14 // between a box and the one beside it on the way back
	tallEdge    = 4
)

type tall struct {
	g    *Graph
	p    Placed
	boxW int
	most int // lanes
}

// Tall draws a graph from top to bottom, the way back beside the way forward.
func Tall(g Graph) Picture {
	d := &tall{g: &g, p: Place(g.Nodes, g.Edges), boxW: tallWidth, most: 1}
	for _, n := range d.p.Lanes {
		d.most = max(d.most, n)
	}
	if g.anyBack() {
		d.boxW = (tallWidth - tallBackGap) / 2
	}
	if d.most > 1 && !g.anyBack() {
		d.boxW = 190
	}
	pic := Picture{
		W: d.most*(d.laneW()+tallGapX) - tallGapX + 2*tallEdge, H: len(d.p.Lanes)*(tallBoxH+tallGapY) - tallGapY + 2*tallEdge,
		Forward: make([]Box, g.Nodes), Back: make([]Box, g.Nodes),
	}
	for i := range g.Nodes {
		pic.Forward[i] = Box{d.x(d.p.Layer[i], d.p.Lane[i]), d.y(d.p.Layer[i]), d.boxW, tallBoxH}
		if g.hasBack(i) {
			pic.Back[i] = Box{pic.Forward[i].right() + tallBackGap, pic.Forward[i].Y, d.boxW, tallBoxH}
		}
	}
	for i, e := range g.Edges {
		pic.Edges = append(pic.Edges, Line{e, d.edge(&pic, i)})
	}
	returns := g.returns()
	for _, e := range returns {
		line := draw(pic.Back[e.From].midX(), pic.Back[e.From].Y)
		line.updown(pic.Back[e.To].midX(), pic.Back[e.To].bottom())
		pic.Returns = append(pic.Returns, Line{e, line.path()})
	}
	for _, first := range g.firsts(returns) {
		from, to := pic.Forward[g.Origin], pic.Back[first]
		line := draw(from.right(), from.midY())
		switch {
		case first == g.Origin:
			line.to(to.X, to.midY())
		case to.Y < from.Y:
			line.around([2]int{to.midX(), from.midY()}, [2]int{to.midX(), to.bottom()})
		default:
			line.sideways(to.X, to.midY())
		}
		pic.Origins = append(pic.Origins, Line{Edge{g.Origin, first}, line.path()})
	}
	return pic
}

func (d *tall) laneW() int {
	if d.g.anyBack() {
		return 2*d.boxW + tallBackGap
	}
	return d.boxW
}

func (d *tall) x(layer, lane int) int {
	return tallEdge + lane*(d.laneW()+tallGapX) + (d.most-d.p.Lanes[layer])*(d.laneW()+tallGapX)/2
}

func (d *tall) y(layer int) int { return tallEdge + layer*(tallBoxH+tallGapY) }

func (d *tall) edge(pic *Picture, i int) string {
	from, to := pic.Forward[d.g.Edges[i].From], pic.Forward[d.g.Edges[i].To]
	line := draw(from.midX(), from.bottom())
	layer := d.p.Layer[d.g.Edges[i].From]
	for at, lane := range d.p.Bends[i] {
		x := d.x(layer+1+at, lane) + d.boxW/2
		line.updown(x, d.y(layer+1+at))
		line.to(x, d.y(layer+1+at)+tallBoxH)
	}
	line.updown(to.midX(), to.Y)
	return line.path()
}
