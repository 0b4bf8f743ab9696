package explore

import "fmt"

// live checks L1 over the whole graph of free moves: each leads on, and what is at rest was checked as it was met. So without a
// further fault and without a person every saga ends, or is suspended with attention.
//
// From every state some way must lead to rest; and, but in a world that says why not, all ways must: free moves never go round
// in a circle.
func (x *explorer) live() {
	if x.violation != "" {
		return
	}
	g := x.backwards()
	if lost, n := g.unable(); n > 0 {
		x.from = lost
		x.violated(fmt.Sprintf("L1: without a person it never comes to rest: %d of %d states", n, len(x.good)))
		return
	}
	if lost, n := g.circling(); n > 0 && x.world.Circles == "" {
		x.from = lost
		x.violated(fmt.Sprintf("L1: without a fault and without a person it goes round in circles: %d of %d states", n, len(x.good)))
	}
}

// graph is that of the free moves, to be walked backwards.
type graph struct {
	begins []uint32 // where the predecessors of a state begin in from; one entry more at the end
	from   []uint32
	out    []uint32 // how many free moves a state has
}

func (x *explorer) backwards() *graph {
	n := len(x.good)
	g := &graph{begins: make([]uint32, n+1), from: make([]uint32, len(x.freely)), out: make([]uint32, n)}
	for _, to := range x.freely {
		g.begins[to+1]++
	}
	for i := range n {
		g.begins[i+1] += g.begins[i]
	}
	fill := append([]uint32(nil), g.begins...)
	for i := range n {
		for _, to := range x.freely[x.begins[i]:x.begins[i+1]] {
			g.from[fill[to]] = uint32(i)
			fill[to]++
			g.out[i]++
		}
	}
	return g
}

// unable answers the first of the states from which no way leads to rest, and how many there are.
func (g *graph) unable() (first uint32, n int) {
	able := make([]bool, len(g.out))
	var open []uint32
	for i, out := range g.out {
		if out == 0 {
			able[i] = true
			open = append(open, uint32(i))
		}
	}
	for len(open) > 0 {
		i := open[len(open)-1]
		open = open[:len(open)-1]
		for _, b := range g.from[g.begins[i]:g.begins[i+1]] {
			if !able[b] {
				able[b] = true
				open = append(open, b)
			}
		}
	}
	for i := len(able) - 1; i >= 0; i-- {
		if !able[i] {
			first = uint32(i)
			n++
		}
	}
	return first, n
}

// circling answers the first of the states from which some way never comes to rest, and how many there are. It uses g up.
func (g *graph) circling() (first uint32, n int) {
	var ends []uint32
	for i, out := range g.out {
		if out == 0 {
			ends = append(ends, uint32(i))
		}
	}
	n = len(g.out)
	for len(ends) > 0 {
		i := ends[len(ends)-1]
		ends = ends[:len(ends)-1]
		n--
		for _, b := range g.from[g.begins[i]:g.begins[i+1]] {
			if g.out[b]--; g.out[b] == 0 {
				ends = append(ends, b)
			}
		}
	}
	for i, out := range g.out {
		if out > 0 {
			return uint32(i), n
		}
	}
	return 0, n
}
