package drawing

import "slices"

// The measures of a tall picture: it is as wide as a phone.
const (
	tallWidth   = 316
	tallBoxH    = 76
	tallGapY    = 26
	tallBackGap = 14 // between a box and the one beside it on the way back
	tallEdge    = 4
	tallTrack   = 7 // between the lines beside the boxes
	tallTracks  = 4 // beyond them lines share one
)

type tall struct {
	g      *Graph
	row    []int // per node
	at     []int // per row, its node
	branch bool  // there are lanes, so lines pass beside the boxes
	gutter int   // left of the boxes, and right of those of the way back
}

// Tall draws a graph from top to bottom, each node in a row of its own and the way back beside the way forward.
func Tall(g Graph) Picture {
	p := Place(g.Nodes, g.Edges)
	d := &tall{g: &g, row: make([]int, g.Nodes)}
	for i := range g.Nodes {
		d.at = append(d.at, i)
	}
	slices.SortStableFunc(d.at, func(a, b int) int {
		if p.Layer[a] != p.Layer[b] {
			return p.Layer[a] - p.Layer[b]
		}
		return p.Lane[a] - p.Lane[b]
	})
	for row, node := range d.at {
		d.row[node] = row
	}
	for _, n := range p.Lanes {
		d.branch = d.branch || n > 1
	}
	if d.branch {
		d.gutter = tallTrack*tallTracks + 8
	}
	width := tallWidth - d.gutter
	if g.anyBack() {
		width = (tallWidth - d.gutter - min(d.gutter, 2*tallTrack) - tallBackGap) / 2
	}
	pic := Picture{W: tallWidth + 2*tallEdge, H: g.Nodes*(tallBoxH+tallGapY) - tallGapY + 2*tallEdge, Forward: make([]Box, g.Nodes), Back: make([]Box, g.Nodes)}
	for i := range g.Nodes {
		pic.Forward[i] = Box{tallEdge + d.gutter, tallEdge + d.row[i]*(tallBoxH+tallGapY), width, tallBoxH}
		if g.hasBack(i) {
			pic.Back[i] = Box{pic.Forward[i].right() + tallBackGap, pic.Forward[i].Y, width, tallBoxH}
		}
	}
	for _, e := range g.Edges {
		pic.Edges = append(pic.Edges, Line{e, d.edge(&pic, e)})
	}
	returns := g.returns()
	for _, e := range returns {
		pic.Returns = append(pic.Returns, Line{e, d.back(&pic, e)})
	}
	for _, first := range g.firsts(returns) {
		pic.Origins = append(pic.Origins, Line{Edge{g.Origin, first}, d.origin(&pic, first)})
	}
	return pic
}

// edge goes straight down to the next row, and else beside the boxes, on a track of the node that it comes from.
func (d *tall) edge(pic *Picture, e Edge) string {
	from, to := pic.Forward[e.From], pic.Forward[e.To]
	if d.row[e.To] == d.row[e.From]+1 {
		line := draw(from.midX(), from.bottom())
		line.to(to.midX(), to.Y)
		return line.path()
	}
	x := from.X - 8 - tallTrack*(d.row[e.From]%tallTracks)
	line := draw(from.X, from.midY()+10)
	line.around([2]int{x, from.midY() + 10}, [2]int{x, to.midY() - 10}, [2]int{to.X, to.midY() - 10})
	return line.path()
}

// back goes straight up where no box is in the way, and else beside those of the way back.
func (d *tall) back(pic *Picture, e Edge) string {
	from, to := pic.Back[e.From], pic.Back[e.To]
	free := true
	for row := d.row[e.To] + 1; row < d.row[e.From]; row++ {
		free = free && !d.g.hasBack(d.at[row])
	}
	if free {
		line := draw(from.midX(), from.Y)
		line.to(to.midX(), to.bottom())
		return line.path()
	}
	line := draw(from.right(), from.midY()-8)
	line.around([2]int{from.right() + tallTrack + 2, from.midY() - 8}, [2]int{from.right() + tallTrack + 2, to.midY() + 8}, [2]int{to.right(), to.midY() + 8})
	return line.path()
}

// origin goes to the right, and up or down between the columns unless the way is free.
func (d *tall) origin(pic *Picture, first int) string {
	from, to := pic.Forward[d.g.Origin], pic.Back[first]
	line := draw(from.right(), from.midY())
	if first == d.g.Origin {
		line.to(to.X, to.midY())
		return line.path()
	}
	free := !d.g.hasBack(d.g.Origin) && d.row[first] < d.row[d.g.Origin]
	for row := d.row[first] + 1; row < d.row[d.g.Origin]; row++ {
		free = free && !d.g.hasBack(d.at[row])
	}
	if free {
		line.around([2]int{to.midX(), from.midY()}, [2]int{to.midX(), to.bottom()})
		return line.path()
	}
	x := from.right() + tallBackGap/2
	line.around([2]int{x, from.midY()}, [2]int{x, to.midY()}, [2]int{to.X, to.midY()})
	return line.path()
}
