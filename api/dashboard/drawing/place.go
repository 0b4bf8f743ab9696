package drawing

import "slices"

// Edge leads from a node to one that waits for it.
type Edge struct{ From, To int }

// Placed says where the nodes of a graph stand.
type Placed struct {
	Layer []int   // per node, from 0: the longest way from a node without predecessors
	Lane  []int   // per node, from 0, within its layer; lanes between may belong to passing edges
	Bends [][]int // per edge, the lanes in which it passes the layers between its ends
	Lanes []int   // per layer, how many lanes it has
}

// sweeps is how often the order of the layers is mended, down and up in turn. Four settle what a definition's 100 steps can be.
const sweeps = 4

// Place places n nodes. Edges must not form a cycle, and those that others imply should be left out.
func Place(n int, edges []Edge) Placed {
	p := Placed{Layer: layersOf(n, edges), Bends: make([][]int, len(edges))}
	o := newOrder(n, edges, p.Layer)
	best, crossings := o.copyRows(), o.crossings()
	for i := range sweeps {
		o.sweep(i%2 == 0)
		if c := o.crossings(); c < crossings {
			best, crossings = o.copyRows(), c
		}
	}
	lane := make([]int, len(o.layer))
	p.Lanes = make([]int, len(best))
	for layer, row := range best {
		p.Lanes[layer] = len(row)
		for at, node := range row {
			lane[node] = at
		}
	}
	p.Lane = lane[:n]
	for i, way := range o.ways {
		for _, virtual := range way[1 : len(way)-1] {
			p.Bends[i] = append(p.Bends[i], lane[virtual])
		}
	}
	return p
}

func layersOf(n int, edges []Edge) []int {
	layers := make([]int, n)
	for range n { // a way has at most as many edges as there are nodes; it settles earlier
		settled := true
		for _, e := range edges {
			if layers[e.From]+1 > layers[e.To] {
				layers[e.To], settled = layers[e.From]+1, false
			}
		}
		if settled {
			break
		}
	}
	return layers
}

// order is the nodes of each layer from the first lane to the last. Edges over several layers have a virtual node in each between.
type order struct {
	rows         [][]int
	layer        []int
	before, next [][]int
	ways         [][]int // per edge: its nodes, from end to end
	at           []int   // per node, its place in its row
}

func newOrder(n int, edges []Edge, layers []int) *order {
	o := &order{layer: slices.Clone(layers), before: make([][]int, n), next: make([][]int, n)}
	for _, e := range edges {
		way := []int{e.From}
		for l := layers[e.From] + 1; l < layers[e.To]; l++ {
			way = append(way, len(o.layer))
			o.layer, o.before, o.next = append(o.layer, l), append(o.before, nil), append(o.next, nil)
		}
		way = append(way, e.To)
		for i := 1; i < len(way); i++ {
			o.next[way[i-1]] = append(o.next[way[i-1]], way[i])
			o.before[way[i]] = append(o.before[way[i]], way[i-1])
		}
		o.ways = append(o.ways, way)
	}
	o.at = make([]int, len(o.layer))
	for node, l := range o.layer {
		for len(o.rows) <= l {
			o.rows = append(o.rows, nil)
		}
		o.at[node] = len(o.rows[l])
		o.rows[l] = append(o.rows[l], node)
	}
	return o
}

// sweep orders each layer by the mean place of its neighbours in the layer before (down) or after.
func (o *order) sweep(down bool) {
	for i := range o.rows {
		row, neighbours := o.rows[i], o.before
		if !down {
			row, neighbours = o.rows[len(o.rows)-1-i], o.next
		}
		slices.SortStableFunc(row, func(a, b int) int {
			// As fractions, so that equal means are equal.
			x, dx := o.sum(a, neighbours[a])
			y, dy := o.sum(b, neighbours[b])
			return x*dy - y*dx
		})
		for at, node := range row {
			o.at[node] = at
		}
	}
}

func (o *order) sum(node int, neighbours []int) (sum, n int) {
	if len(neighbours) == 0 {
		return o.at[node], 1
	}
	for _, other := range neighbours {
		sum += o.at[other]
	}
	return sum, len(neighbours)
}

func (o *order) crossings() int {
	count := 0
	for l := range len(o.rows) - 1 {
		var ends [][2]int
		for _, node := range o.rows[l] {
			for _, to := range o.next[node] {
				ends = append(ends, [2]int{o.at[node], o.at[to]})
			}
		}
		for i, a := range ends {
			for _, b := range ends[i+1:] {
				if (a[0]-b[0])*(a[1]-b[1]) < 0 {
					count++
				}
			}
		}
	}
	return count
}

func (o *order) copyRows() [][]int {
	out := make([][]int, len(o.rows))
	for i, row := range o.rows {
		out[i] = slices.Clone(row)
	}
	return out
}
