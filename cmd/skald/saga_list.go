package main

import (
	"context"
	"fmt"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// sagaListCmd lists sagas.
type sagaListCmd struct {
	Saga        string            `completes:"definition" help:"Of this definition."`
	Version     int               `help:"Of this version of the definition."`
	Verdict     string            `enum:",committed,cleanly_aborted,residue" default:"" help:"Ended with this verdict: committed, cleanly_aborted or residue."`
	Status      []client.Status   `enum:"running,compensating,suspended,completed,compensated,abandoned" help:"In one of these statuses, such as --status running,suspended."`
	Attention   string            `placeholder:"REASON" choices:"attention" help:"Needing attention for this reason, or any."`
	BlockedOn   string            `placeholder:"CAUSE" choices:"cause" help:"Waiting for this: reply, backoff, hold, attention or unpublished."`
	Participant string            `placeholder:"NAME" completes:"participant" help:"Live, and waiting for this participant, for whatever cause."`
	Key         string            `help:"With this business key."`
	Label       map[string]string `help:"With this label, such as --label team=blue; may be repeated." mapsep:"none"`
	Since       time.Duration     `placeholder:"1h" help:"Started no longer ago than this."`
	Oldest      bool              `help:"Oldest first."`
	Limit       int               `short:"n" default:"25" help:"Show at most so many."`
	Count       bool              `help:"Say how many there are."`
}

// Help is shown under the command's usage.
func (sagaListCmd) Help() string {
	return `Examples:

  skald saga list --status running,suspended
  skald saga list --attention any --oldest
  skald saga list --verdict residue
  skald saga list --blocked-on reply --saga order-placement --count`
}

// Run lists them.
func (cmd *sagaListCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Saga.open()
	if err != nil {
		return err
	}
	if cmd.Limit < 1 {
		return wrongUsage("--limit %d: want 1 or more", cmd.Limit)
	}
	filter := client.SagaFilter{
		Saga: cmd.Saga, Version: cmd.Version, Verdict: cmd.Verdict, Status: cmd.Status, Attention: cmd.Attention, BlockedOn: cmd.BlockedOn,
		Participant: cmd.Participant, Key: cmd.Key,
		Labels: cmd.Label, Limit: min(cmd.Limit, 500), Count: cmd.Count,
	}
	if cmd.Oldest {
		filter.Order = "oldest"
	}
	if cmd.Since > 0 {
		filter.CreatedAfter = time.Now().Add(-cmd.Since)
	}
	page, err := c.Sagas(ctx, filter)
	if err != nil {
		return all.Saga.explain(err)
	}
	first := page
	for len(page.Items) < cmd.Limit && page.NextCursor != "" {
		filter.Cursor, filter.Limit, filter.Count = page.NextCursor, min(cmd.Limit-len(page.Items), 500), false
		next, err := c.Sagas(ctx, filter)
		if err != nil {
			return all.Saga.explain(err)
		}
		page.Items, page.NextCursor = append(page.Items, next.Items...), next.NextCursor
	}
	page.Count, page.AtLeast = first.Count, first.AtLeast
	if term.json {
		return writeJSON(term.out, page)
	}
	cmd.print(term, &page)
	return nil
}

func (cmd *sagaListCmd) print(term *console, page *client.SagaList) {
	now := time.Now()
	if len(page.Items) == 0 {
		fmt.Fprintln(term.err, "No saga is like that.")
	} else {
		rows := [][]string{{"id", "saga", "key", "status", "started", "took", "about"}}
		for i := range page.Items {
			rows = append(rows, row(&page.Items[i], now))
		}
		table(term.out, term.style, rows, func(column int, cell string) func(string) string {
			switch column {
			case 0:
				return term.style.dim
			case 3:
				return statusPaint(term.style, client.Status(cell))
			}
			return nil
		})
	}
	switch {
	case page.Count != nil:
		fmt.Fprintln(term.err, count(int(*page.Count), "saga")+" in all")
	case page.AtLeast != nil:
		fmt.Fprintf(term.err, "at least %d sagas in all\n", *page.AtLeast)
	case page.NextCursor != "":
		fmt.Fprintf(term.err, "there are more: --limit %d\n", cmd.Limit*4)
	}
}

func row(sg *client.Saga, now time.Time) []string {
	span := took(now.Sub(sg.CreatedAt))
	if sg.EndedAt != nil {
		span = took(sg.EndedAt.Sub(sg.CreatedAt))
	}
	about := ""
	switch {
	case sg.Paused:
		about = "paused"
	case len(sg.Attention) > 0:
		about = "attention: " + words(sg.Attention[0].Reason) + of(sg.Attention[0].Step)
	case sg.Certificate != nil:
		about = words(sg.Certificate.Verdict)
	case len(sg.BlockedOn) > 0:
		about = words(sg.BlockedOn[0].Cause) + of(sg.BlockedOn[0].Step)
	}
	key := clip(sg.Key, 32)
	return []string{sg.ID, fmt.Sprintf("%s@%d", sg.Saga, sg.Version), key, string(sg.Status), took(now.Sub(sg.CreatedAt)) + " ago", span, about}
}
