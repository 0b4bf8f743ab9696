package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// sagaGraphCmd draws the order of a saga's steps.
type sagaGraphCmd struct{ sagaRef }

// Help is shown under the command's usage.
func (sagaGraphCmd) Help() string {
	return `The steps from top to bottom in the order in which they can run, those that can run at the same time side by side of one line, and where each is.

Example:

  skald saga graph A-1`
}

// Run draws it.
func (cmd *sagaGraphCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Saga.open()
	if err != nil {
		return err
	}
	sg, err := readSaga(ctx, c, cmd.Saga)
	if err != nil {
		return all.Saga.explain(err)
	}
	g, err := c.Graph(ctx, sg.ID)
	if err != nil {
		return all.Saga.explain(err)
	}
	if term.json {
		return writeJSON(term.out, g)
	}
	headline(term, &sg, time.Now())
	graph(term, &g)
	return nil
}

// graph writes a layer after the other; a step whose predecessors are not just the layer before names them.
func graph(term *console, g *client.Graph) {
	s := term.style
	names, participants := 0, 0
	for _, n := range g.Nodes {
		names, participants = max(names, len(n.Step)), max(participants, len(n.Participant))
	}
	var above []string
	for layer := range g.Layers {
		var here []client.Node
		for _, n := range g.Nodes {
			if n.Layer == layer {
				here = append(here, n)
			}
		}
		slices.SortFunc(here, func(a, b client.Node) int { return a.Lane - b.Lane })
		if layer > 0 {
			fmt.Fprintln(term.out, "  "+s.dim("│"))
		}
		for i, n := range here {
			branch := " "
			switch {
			case len(here) == 1:
			case i == 0:
				branch = "┌"
			case i == len(here)-1:
				branch = "└"
			default:
				branch = "├"
			}
			fmt.Fprintln(term.out, strings.TrimRight(nodeLine(s, g, &n, branch, names, participants, above), " "))
		}
		above = above[:0]
		for _, n := range here {
			above = append(above, n.Step)
		}
	}
}

func nodeLine(s style, g *client.Graph, n *client.Node, branch string, names, participants int, above []string) string {
	mark, paint := stepMark(n.Status)
	command := n.Command
	if n.Compensation != "" {
		command += " ⇄ " + n.Compensation
	}
	text := fmt.Sprintf("%s %s %s  %s  %s", s.dim(branch), paint(s, mark), paint(s, pad(n.Step, names)), s.dim(pad(n.Participant, participants)), pad(command, 36))
	notes := []string{words(n.Status)}
	if n.Kind != "compensatable" {
		notes = append(notes, n.Kind)
	}
	if n.BlockedOn != "" {
		notes = append(notes, "waits: "+n.BlockedOn)
	}
	if n.Attention {
		notes = append(notes, s.warn("attention"))
	}
	var before []string
	for _, e := range g.Edges {
		if e.To == n.Step {
			before = append(before, e.From)
		}
	}
	slices.Sort(before)
	if !slices.Equal(before, slices.Sorted(slices.Values(above))) {
		notes = append(notes, "after "+strings.Join(before, ", "))
	}
	return text + "  " + strings.Join(notes, ", ")
}
