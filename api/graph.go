package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator/saga"
)

type graphInput struct{ SagaPath }

func (a *API) registerGraph() {
	register(a, route{
		id: "get-graph", method: http.MethodGet, path: "/v1/sagas/{id}/graph", tag: "sagas",
		summary: "Read a saga's steps as a graph, with places to draw them at", permission: PermitRead,
		answers: map[int]any{http.StatusOK: client.Graph{}}, headers: []string{"ETag"}, errors: []int{http.StatusNotFound},
	}, a.graph)
}

func (a *API) graph(ctx context.Context, in *graphInput) (*answer, error) {
	view, err := a.view(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	def, err := a.definition(ctx, &view.Instance)
	if err != nil {
		return nil, err
	}
	blocked, err := a.blocked(ctx, &view)
	if err != nil {
		return nil, err
	}
	g := renderGraph(def, &view.Instance, blocked)
	return (&answer{status: http.StatusOK, body: g}).with("ETag", client.ETag(g.Revision)), nil
}

func renderGraph(def *saga.Definition, in *saga.Instance, blocked []saga.BlockedOn) client.Graph {
	g := client.Graph{
		ID: in.ID.String(), Saga: in.Saga, Version: in.Version, Status: client.Status(in.Status), Revision: in.Revision,
		Nodes: make([]client.Node, len(def.Steps)), Edges: []client.Edge{},
	}
	layers := layersOf(def)
	lanes := lanesOf(def, layers)
	for i := range def.Steps {
		step, s := &def.Steps[i], &in.Steps[i]
		n := client.Node{
			Step: step.Name, Participant: step.Participant, Command: step.Command, Kind: string(step.Kind),
			Status: string(s.Status), Effect: string(s.Effect), Attempts: s.Forward.Attempts, UndoAttempts: s.Backward.Attempts,
			Layer: layers[i], Lane: lanes[i],
		}
		if step.Compensation != nil {
			n.Compensation = step.Compensation.Command
		}
		for _, b := range blocked {
			if b.Step == step.Name {
				n.BlockedOn = string(b.Cause)
			}
		}
		n.Attention = slices.ContainsFunc(in.Attention, func(at saga.Attention) bool { return at.Step == step.Name })
		g.Nodes[i] = n
		g.Layers, g.Lanes = max(g.Layers, n.Layer+1), max(g.Lanes, n.Lane+1)
		for _, from := range directPredecessors(def, i) {
			g.Edges = append(g.Edges, client.Edge{
				From: def.Steps[from].Name, To: step.Name, Done: s.Forward.Created || s.Status == saga.Skipped,
				Back: s.Backward.Created,
			})
		}
	}
	return g
}

// layersOf is, per step, the longest way to it from a step without predecessors.
func layersOf(def *saga.Definition) []int {
	layers := make([]int, len(def.Steps))
	for range def.Steps { // a way has at most as many edges as there are steps; it settles earlier
		settled := true
		for i := range def.Steps {
			for _, before := range def.Steps[i].After {
				if layers[before]+1 > layers[i] {
					layers[i], settled = layers[before]+1, false
				}
			}
		}
		if settled {
			break
		}
	}
	return layers
}

// lanesOf places the steps of each layer side by side, each as near to its predecessors' lanes as is free, so that edges
// seldom cross.
func lanesOf(def *saga.Definition, layers []int) []int {
	lanes := make([]int, len(layers))
	depth := 0
	for _, l := range layers {
		depth = max(depth, l)
	}
	for layer := 0; layer <= depth; layer++ {
		var members []int
		for i, l := range layers {
			if l == layer {
				members = append(members, i)
			}
		}
		wish := map[int]float64{}
		for at, i := range members {
			wish[i] = float64(at)
			if before := def.Steps[i].After; len(before) > 0 {
				sum := 0
				for _, b := range before {
					sum += lanes[b]
				}
				wish[i] = float64(sum) / float64(len(before))
			}
		}
		slices.SortStableFunc(members, func(x, y int) int {
			switch {
			case wish[x] < wish[y]:
				return -1
			case wish[x] > wish[y]:
				return 1
			}
			return 0
		})
		for at, i := range members {
			lanes[i] = at
		}
	}
	return lanes
}

// directPredecessors are those of a step's predecessors that are not predecessors of another: the edges worth drawing.
func directPredecessors(def *saga.Definition, i int) []int {
	var out []int
	for _, before := range def.Steps[i].After {
		implied := slices.ContainsFunc(def.Steps[i].After, func(other int) bool {
			return other != before && slices.Contains(def.Descendants(before), other)
		})
		if !implied {
			out = append(out, before)
		}
	}
	return out
}
