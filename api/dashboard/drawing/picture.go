package drawing

import (
	"fmt"
	"strings"
)

// Graph is what is drawn: nodes on the way forward, and for those that are undone a second box on the way back.
type Graph struct {
	Nodes  int
	Edges  []Edge
	Back   []bool // per node, whether it has a box on the way back; nil: none has
	Origin int    // the node at which the way back began; negative: none
}

// Picture is where everything stands, in the units of an SVG's viewBox.
type Picture struct {
	W, H    int
	Forward []Box  // per node
	Back    []Box  // per node; the zero Box where there is none
	Edges   []Line // as given
	Returns []Line // of the way back, from the step that is undone first
	Origins []Line // from the origin's forward box to where the way back begins
}

// Box is a rectangle.
type Box struct{ X, Y, W, H int }

// Line is an edge with the path to draw.
type Line struct {
	Edge
	D string // of an SVG path
}

func (b Box) right() int  { return b.X + b.W }
func (b Box) bottom() int { return b.Y + b.H }
func (b Box) midX() int   { return b.X + b.W/2 }
func (b Box) midY() int   { return b.Y + b.H/2 }

func (g *Graph) hasBack(i int) bool { return i >= 0 && i < len(g.Back) && g.Back[i] }

func (g *Graph) anyBack() bool {
	for _, b := range g.Back {
		if b {
			return true
		}
	}
	return false
}

// returns are the edges of the way back: from each node with a box on it to the nearest ones before it, those without one left out.
func (g *Graph) returns() []Edge {
	before := make([][]int, g.Nodes)
	for _, e := range g.Edges {
		before[e.To] = append(before[e.To], e.From)
	}
	var out []Edge
	for i := range g.Nodes {
		if !g.hasBack(i) {
			continue
		}
		seen := make([]bool, g.Nodes)
		for queue := before[i]; len(queue) > 0; queue = queue[1:] {
			at := queue[0]
			if seen[at] {
				continue
			}
			seen[at] = true
			if g.hasBack(at) {
				out = append(out, Edge{i, at})
				continue
			}
			queue = append(queue[:len(queue):len(queue)], before[at]...)
		}
	}
	return out
}

// firsts are the nodes at which the way back begins: nobody's return leads to them.
func (g *Graph) firsts(returns []Edge) []int {
	if g.Origin < 0 {
		return nil
	}
	if g.hasBack(g.Origin) {
		return []int{g.Origin}
	}
	led := make([]bool, g.Nodes)
	for _, e := range returns {
		led[e.To] = true
	}
	var out []int
	for i := range g.Nodes {
		if g.hasBack(i) && !led[i] {
			out = append(out, i)
		}
	}
	return out
}

// pen writes an SVG path.
type pen struct {
	b    strings.Builder
	x, y int
}

func draw(x, y int) *pen {
	p := &pen{x: x, y: y}
	fmt.Fprintf(&p.b, "M%d %d", x, y)
	return p
}

// to goes straight.
func (p *pen) to(x, y int) {
	switch {
	case x == p.x && y == p.y:
	case y == p.y:
		fmt.Fprintf(&p.b, "H%d", x)
	case x == p.x:
		fmt.Fprintf(&p.b, "V%d", y)
	default:
		fmt.Fprintf(&p.b, "L%d %d", x, y)
	}
	p.x, p.y = x, y
}

// sideways swings to a place so that it leaves and arrives horizontally.
func (p *pen) sideways(x, y int) {
	if y == p.y {
		p.to(x, y)
		return
	}
	mid := (p.x + x) / 2
	fmt.Fprintf(&p.b, "C%d %d %d %d %d %d", mid, p.y, mid, y, x, y)
	p.x, p.y = x, y
}

// corner is how round the corners of around are.
const corner = 8

// around goes over corners to the last of the places, which differ from one another in one coordinate each.
func (p *pen) around(places ...[2]int) {
	for i, at := range places {
		if i == len(places)-1 {
			p.to(at[0], at[1])
			return
		}
		next := places[i+1]
		r := min(corner, abs(at[0]-p.x)+abs(at[1]-p.y), (abs(next[0]-at[0])+abs(next[1]-at[1]))/2)
		if r <= 0 {
			p.to(at[0], at[1])
			continue
		}
		p.to(at[0]-r*sign(at[0]-p.x), at[1]-r*sign(at[1]-p.y))
		x, y := at[0]+r*sign(next[0]-at[0]), at[1]+r*sign(next[1]-at[1])
		fmt.Fprintf(&p.b, "Q%d %d %d %d", at[0], at[1], x, y)
		p.x, p.y = x, y
	}
}

func (p *pen) path() string { return p.b.String() }

func abs(n int) int { return max(n, -n) }

func sign(n int) int {
	switch {
	case n > 0:
		return 1
	case n < 0:
		return -1
	}
	return 0
}
