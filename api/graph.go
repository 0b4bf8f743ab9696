package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/drawing"
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
	edges := edgesOf(def)
	placed := drawing.Place(len(def.Steps), edges)
	for i := range def.Steps {
		step, s := &def.Steps[i], &in.Steps[i]
		n := client.Node{
			Step: step.Name, Participant: step.Participant, Command: step.Command, Kind: string(step.Kind),
			Status: string(s.Status), Effect: string(s.Effect), Attempts: s.Forward.Attempts, UndoAttempts: s.Backward.Attempts,
			Layer: placed.Layer[i], Lane: placed.Lane[i],
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
	}
	for _, e := range edges {
		s := &in.Steps[e.To]
		g.Edges = append(g.Edges, client.Edge{
			From: def.Steps[e.From].Name, To: def.Steps[e.To].Name, Done: s.Forward.Created || s.Status == saga.Skipped,
			Back: s.Backward.Created,
		})
	}
	return g
}

// edgesOf are the edges of a definition that are worth drawing.
func edgesOf(def *saga.Definition) []drawing.Edge {
	var out []drawing.Edge
	for i := range def.Steps {
		for _, from := range directPredecessors(def, i) {
			out = append(out, drawing.Edge{From: from, To: i})
		}
	}
	return out
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
