package drawing_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/dashboard/drawing"
)

var rewrite = flag.Bool("rewrite", false, "write the pictures that are drawn now into testdata")

func chain(n int) []drawing.Edge {
	var out []drawing.Edge
	for i := 1; i < n; i++ {
		out = append(out, drawing.Edge{From: i - 1, To: i})
	}
	return out
}

func TestPlace_LayersAreTheLongestWay(t *testing.T) {
	t.Parallel()
	p := drawing.Place(4, []drawing.Edge{{From: 0, To: 1}, {From: 1, To: 2}, {From: 0, To: 3}, {From: 2, To: 3}})
	require.Equal(t, []int{0, 1, 2, 3}, p.Layer)
	require.Equal(t, [][]int{nil, nil, {1, 1}, nil}, p.Bends, "the long edge passes beside the steps between")
	require.Equal(t, []int{1, 2, 2, 1}, p.Lanes)
}

func TestPlace_OrdersLanesSoThatEdgesDoNotCross(t *testing.T) {
	t.Parallel()
	// Two roots, whose successors are declared the other way round.
	p := drawing.Place(4, []drawing.Edge{{From: 0, To: 3}, {From: 1, To: 2}})
	require.Equal(t, p.Lane[0] < p.Lane[1], p.Lane[3] < p.Lane[2])
}

func TestPlace_IsStable(t *testing.T) {
	t.Parallel()
	edges := []drawing.Edge{{From: 0, To: 1}, {From: 0, To: 2}, {From: 0, To: 3}, {From: 1, To: 4}, {From: 2, To: 4}, {From: 3, To: 4}}
	require.Equal(t, drawing.Place(5, edges), drawing.Place(5, edges))
	require.Equal(t, []int{0, 0, 1, 2, 0}, drawing.Place(5, edges).Lane, "without need the order of the definition stays")
}

func TestPictures(t *testing.T) {
	t.Parallel()
	fork := []drawing.Edge{{From: 0, To: 1}, {From: 0, To: 2}, {From: 1, To: 3}, {From: 2, To: 3}, {From: 3, To: 4}}
	for name, g := range map[string]drawing.Graph{
		"chain":        {Nodes: 5, Edges: chain(5), Origin: -1},
		"chain-back":   {Nodes: 5, Edges: chain(5), Back: []bool{true, true, false, false, false}, Origin: 2},
		"chain-rows":   {Nodes: 7, Edges: chain(7), Back: []bool{true, false, true, true, true, true, false}, Origin: 5},
		"fork":         {Nodes: 5, Edges: fork, Origin: -1},
		"fork-back":    {Nodes: 5, Edges: fork, Back: []bool{true, true, false, false, false}, Origin: 2},
		"origin-below": {Nodes: 7, Edges: chain(7), Back: []bool{true, true, false, false, false, false, false}, Origin: 6},
		"one":          {Nodes: 1, Origin: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := json.MarshalIndent(map[string]drawing.Picture{"wide": drawing.Wide(g), "tall": drawing.Tall(g)}, "", " ")
			require.NoError(t, err)
			file := filepath.Join("testdata", name+".golden.json")
			if *rewrite {
				require.NoError(t, os.WriteFile(file, append(got, '\n'), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err, "run with -rewrite once, and look at the difference")
			require.Equal(t, string(want), string(got)+"\n")
		})
	}
}

func TestReturns_LeaveOutWhatIsNotUndone(t *testing.T) {
	t.Parallel()
	pic := drawing.Wide(drawing.Graph{Nodes: 4, Edges: chain(4), Back: []bool{true, false, false, true}, Origin: 3})
	require.Len(t, pic.Returns, 1)
	require.Equal(t, drawing.Edge{From: 3, To: 0}, pic.Returns[0].Edge)
	require.Len(t, pic.Origins, 1)
}

// Boxes that overlap cannot be read.
func TestBoxesNeverOverlap(t *testing.T) {
	t.Parallel()
	g := tangle(60)
	for _, pic := range []drawing.Picture{drawing.Wide(g), drawing.Tall(g)} {
		var boxes []drawing.Box
		for i := range g.Nodes {
			boxes = append(boxes, pic.Forward[i])
			if g.Back[i] {
				boxes = append(boxes, pic.Back[i])
			}
		}
		for i, a := range boxes {
			require.True(t, a.X >= 0 && a.Y >= 0 && a.X+a.W <= pic.W && a.Y+a.H <= pic.H, "box %d is inside", i)
			for j, b := range boxes[:i] {
				require.False(t, a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H, "boxes %d and %d", i, j)
			}
		}
	}
}

// tangle is a graph with branches, long edges and a way back.
func tangle(n int) drawing.Graph {
	g := drawing.Graph{Nodes: n, Back: make([]bool, n), Origin: n / 2}
	for i := 1; i < n; i++ {
		g.Edges = append(g.Edges, drawing.Edge{From: (i - 1) / 2, To: i})
		if i%5 == 0 {
			g.Edges = append(g.Edges, drawing.Edge{From: i / 7, To: i})
		}
		g.Back[i] = i%3 != 0
	}
	return g
}
