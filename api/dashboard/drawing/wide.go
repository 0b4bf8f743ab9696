package drawing

// The measures of a wide picture. A row of wideColumns boxes is as wide as the page.
const (
	wideColumns = 5
	wideBoxW    = 190
	wideBoxH    = 76
	wideBackH   = 60
	wideGapX    = 46
	wideGapY    = 18 // between lanes
	wideBackGap = 22 // between a box and the one below it on the way back
	wideGutter  = 22 // beside the rows, where lines turn
	wideBandGap = 34 // between rows
	wideEdge    = 6  // around everything
)

type wide struct {
	g       *Graph
	p       Placed
	rowH    []int // of a lane, per row of columns
	bandY   []int // top of each row of columns
	bands   int
	columns int
}

// Wide draws a graph from left to right; a long one goes on in the next row.
func Wide(g Graph) Picture {
	d := &wide{g: &g, p: Place(g.Nodes, g.Edges)}
	layers := len(d.p.Lanes)
	d.columns = min(layers, wideColumns)
	d.bands = (layers + wideColumns - 1) / wideColumns
	y := wideEdge
	for b := range d.bands {
		d.bandY, d.rowH = append(d.bandY, y), append(d.rowH, d.laneHeight(b))
		y += d.lanes(b)*d.rowH[b] - wideGapY + wideBandGap
	}
	pic := Picture{W: d.right() + wideEdge, H: y - wideBandGap + wideEdge, Forward: make([]Box, g.Nodes), Back: make([]Box, g.Nodes)}
	if d.bands > 1 {
		pic.W += wideGutter
	}
	for i := range g.Nodes {
		layer := d.p.Layer[i]
		pic.Forward[i] = Box{d.x(layer), d.y(layer, d.p.Lane[i]), wideBoxW, wideBoxH}
		if g.hasBack(i) {
			pic.Back[i] = Box{pic.Forward[i].X, pic.Forward[i].bottom() + wideBackGap, wideBoxW, wideBackH}
		}
	}
	for i, e := range g.Edges {
		pic.Edges = append(pic.Edges, Line{e, d.edge(&pic, i)})
	}
	returns := g.returns()
	for _, e := range returns {
		pic.Returns = append(pic.Returns, Line{e, d.back(pic.Back[e.From], pic.Back[e.To], d.band(e.From), d.band(e.To))})
	}
	for _, first := range g.firsts(returns) {
		pic.Origins = append(pic.Origins, Line{Edge{g.Origin, first}, d.origin(&pic, first)})
	}
	return pic
}

func (d *wide) band(node int) int { return d.p.Layer[node] / wideColumns }

// lanes is how many lanes a row of columns has.
func (d *wide) lanes(band int) int {
	most := 1
	for l := band * wideColumns; l < min((band+1)*wideColumns, len(d.p.Lanes)); l++ {
		most = max(most, d.p.Lanes[l])
	}
	return most
}

// laneHeight leaves room for the way back where a row of columns has some of it.
func (d *wide) laneHeight(band int) int {
	for i := range d.g.Nodes {
		if d.band(i) == band && d.g.hasBack(i) {
			return wideBoxH + wideBackGap + wideBackH + wideGapY
		}
	}
	return wideBoxH + wideGapY
}

func (d *wide) left() int {
	if d.bands > 1 {
		return wideEdge + wideGutter
	}
	return wideEdge
}

func (d *wide) right() int { return d.left() + d.columns*(wideBoxW+wideGapX) - wideGapX }

func (d *wide) x(layer int) int { return d.left() + layer%wideColumns*(wideBoxW+wideGapX) }

// y is the top of a box; layers with fewer lanes than their row has stand in its middle.
func (d *wide) y(layer, lane int) int {
	band := layer / wideColumns
	return d.bandY[band] + lane*d.rowH[band] + (d.lanes(band)-d.p.Lanes[layer])*d.rowH[band]/2
}

func (d *wide) edge(pic *Picture, i int) string {
	from, to := pic.Forward[d.g.Edges[i].From], pic.Forward[d.g.Edges[i].To]
	line := draw(from.right(), from.midY())
	layer := d.p.Layer[d.g.Edges[i].From]
	for at, lane := range d.p.Bends[i] {
		y := d.y(layer+1+at, lane) + wideBoxH/2
		d.step(line, layer+at, d.x(layer+1+at), y)
		line.to(d.x(layer+1+at)+wideBoxW, y)
	}
	d.step(line, layer+len(d.p.Bends[i]), to.X, to.midY())
	return line.path()
}

// step goes from a layer to the next one, in the next row if need be.
func (d *wide) step(line *pen, layer, x, y int) {
	if layer%wideColumns < wideColumns-1 {
		line.sideways(x, y)
		return
	}
	turn := d.gap(layer/wideColumns) + 4
	line.around([2]int{d.right() + wideGutter - 8, line.y}, [2]int{d.right() + wideGutter - 8, turn}, [2]int{d.left() - wideGutter + 8, turn}, [2]int{d.left() - wideGutter + 8, y}, [2]int{x, y})
}

// gap is the middle of the space below a row of columns.
func (d *wide) gap(band int) int {
	return d.bandY[band] + d.lanes(band)*d.rowH[band] - wideGapY + wideBandGap/2
}

func (d *wide) back(from, to Box, fromBand, toBand int) string {
	line := draw(from.X, from.midY())
	if fromBand == toBand {
		line.sideways(to.right(), to.midY())
		return line.path()
	}
	d.up(line, toBand, to)
	return line.path()
}

// up goes around the left end of the rows to a box of the way back in an earlier row.
func (d *wide) up(line *pen, band int, to Box) {
	turn := d.gap(band) - 4
	line.around([2]int{d.left() - wideGutter + 14, line.y}, [2]int{d.left() - wideGutter + 14, turn}, [2]int{d.right() + wideGutter - 14, turn}, [2]int{d.right() + wideGutter - 14, to.midY()}, [2]int{to.right(), to.midY()})
}

func (d *wide) origin(pic *Picture, first int) string {
	from, to := pic.Forward[d.g.Origin], pic.Back[first]
	line := draw(from.midX(), from.bottom())
	switch {
	case first == d.g.Origin:
		line.to(to.midX(), to.Y)
	case d.band(first) != d.band(d.g.Origin):
		y := from.bottom() + wideGapY/2
		line.around([2]int{line.x, y}, [2]int{d.left() - wideGutter + 14, y})
		d.up(line, d.band(first), to)
	case to.right() < from.midX() && to.midY() > from.bottom():
		line.around([2]int{line.x, to.midY()}, [2]int{to.right(), to.midY()})
	default:
		x := max(from.right(), to.right()) + wideGapX/2
		y := from.bottom() + wideBackGap/2
		line.around([2]int{line.x, y}, [2]int{x, y}, [2]int{x, to.midY()}, [2]int{to.right(), to.midY()})
	}
	return line.path()
}
