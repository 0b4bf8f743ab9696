package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// auditListCmd lists operator actions.
type auditListCmd struct {
	remote

	Actor  string        `help:"By this one."`
	Action string        `help:"This action, such as saga.cancel, or a group: saga, hold, definition, quarantine, operation, retention."`
	Saga   string        `placeholder:"ID|KEY" help:"Done to this saga."`
	Target string        `help:"Done to this: a step, a definition such as order-placement@2, a hold."`
	Since  time.Duration `placeholder:"SPAN" help:"Done no longer ago than this, such as 24h."`
	Limit  int           `short:"n" default:"25" help:"Show at most so many."`
}

// Help is shown under the command's usage.
func (auditListCmd) Help() string {
	return `Examples:

  skald audit list --since 24h
  skald audit list --actor ada --action saga
  skald audit list --saga A-1001 -o json`
}

// Run lists them.
func (cmd *auditListCmd) Run(ctx context.Context, term *console) error {
	if cmd.Limit < 1 {
		return wrongUsage("--limit %d: want 1 or more", cmd.Limit)
	}
	c, err := cmd.open()
	if err != nil {
		return err
	}
	filter := client.AuditFilter{Actor: cmd.Actor, Action: cmd.Action, Target: cmd.Target, Limit: min(cmd.Limit, 500)}
	if cmd.Saga != "" {
		if filter.Saga, err = find(ctx, c, cmd.Saga); err != nil {
			return cmd.explain(err)
		}
	}
	if cmd.Since > 0 {
		filter.From = time.Now().Add(-cmd.Since)
	}
	list := client.AuditList{Items: []client.AuditEntry{}}
	for {
		page, err := c.Audit(ctx, filter)
		if err != nil {
			return cmd.explain(err)
		}
		list.Items, list.NextCursor = append(list.Items, page.Items...), page.NextCursor
		if len(list.Items) >= cmd.Limit || page.NextCursor == "" {
			break
		}
		filter.Cursor, filter.Limit = page.NextCursor, min(cmd.Limit-len(list.Items), 500)
	}
	if term.json {
		return writeJSON(term.out, list)
	}
	if len(list.Items) == 0 {
		fmt.Fprintln(term.err, "Nobody did anything like that.")
		return nil
	}
	rows := [][]string{{"entry", "when", "who", "what", "to", "why"}}
	for i := range list.Items {
		rows = append(rows, actionRow(&list.Items[i]))
	}
	table(term.out, term.style, rows, func(column int, _ string) func(string) string {
		return []func(string) string{term.style.dim, nil, nil, term.style.bold, nil, nil}[column]
	})
	if list.NextCursor != "" {
		fmt.Fprintf(term.err, "there are more: --limit %d\n", cmd.Limit*4)
	}
	return nil
}

func actionRow(e *client.AuditEntry) []string {
	who := clip(e.Actor, 32)
	if e.From != "" {
		who += " (" + clip(e.From, 40) + ")"
	}
	to := clip(e.Target, 40)
	if e.Saga != "" && to != "" {
		to = e.Saga + " " + to
	} else if e.Saga != "" {
		to = e.Saga
	}
	if e.After > 0 {
		to += fmt.Sprintf(" (revision %d to %d)", e.Before, e.After)
	}
	return []string{strconv.FormatInt(e.Seq, 10), e.At.Local().Format(time.DateTime), who, e.Action, to, clip(e.Reason, 80)}
}
