package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/skaldhq/skald/api/client"
)

// limitCmd are the commands about limits.
type limitCmd struct {
	remote

	List   limitListCmd   `cmd:"" help:"List the limits, and how far each is."`
	Set    limitSetCmd    `cmd:"" help:"Set a limit, or replace the one that is there."`
	Remove limitRemoveCmd `cmd:"" help:"Take a limit away; what waited for it goes on."`
}

// Help is shown under the command's usage.
func (limitCmd) Help() string {
	return `A limit bounds how many sagas of a definition may have begun, or how many commands of a definition or a participant may be out at once. What finds
no room is held, not refused: the oldest go on first. Only a step's first command waits; retries and compensations do not.

Example:

  skald limit set participant payments --commands 50 --reason "the gateway takes no more"
  skald limit set definition order-placement --sagas 200 --reason "the warehouse is small"
  skald limit list
  skald limit remove participant payments --reason "the gateway has grown"`
}

type (
	limitListCmd struct{}
	limitOf      struct {
		Kind string `arg:"" enum:"definition,participant" help:"definition or participant."`
		Name string `arg:"" help:"Its name."`
	}
	limitSetCmd struct {
		limitOf

		Sagas    int    `placeholder:"N" help:"Of a definition: at most N live sagas that have begun."`
		Commands int    `placeholder:"N" help:"At most N commands that are out."`
		Reason   string `short:"r" required:"" help:"Why; it stays in the audit."`
	}
	limitRemoveCmd struct {
		limitOf

		Reason string `short:"r" required:"" help:"Why; it stays in the audit."`
	}
)

func (l *limitOf) scope() client.HoldScope {
	if l.Kind == "definition" {
		return client.HoldSagaType
	}
	return client.HoldParticipant
}

// Run lists them.
func (limitListCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Limit.open()
	if err != nil {
		return err
	}
	limits, err := c.Limits(ctx)
	if err != nil {
		return all.Limit.explain(err)
	}
	if term.json {
		return writeJSON(term.out, client.LimitList{Items: limits})
	}
	if len(limits) == 0 {
		fmt.Fprintln(term.err, "Nothing is limited.")
		return nil
	}
	rows := [][]string{{"what", "sagas", "commands", "waiting", "by", "since", "why"}}
	for _, l := range limits {
		rows = append(rows, []string{
			limitedWords(&l), ofBound(l.Begun, l.Sagas), ofBound(l.Out, l.Commands), strconv.Itoa(l.Waiting), l.By, clockTime(l.Since), l.Reason,
		})
	}
	table(term.out, term.style, rows, nil)
	return nil
}

// Run sets it.
func (cmd *limitSetCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Limit.open()
	if err != nil {
		return err
	}
	l, err := c.PutLimit(ctx, cmd.scope(), cmd.Name, client.LimitRequest{Sagas: cmd.Sagas, Commands: cmd.Commands, Reason: cmd.Reason})
	if err != nil {
		return all.Limit.explain(err)
	}
	if term.json {
		return writeJSON(term.out, l)
	}
	fmt.Fprintf(term.out, "%s %s is limited from now on: %s\n", term.style.good("✓"), limitedWords(&l), l.Reason)
	if l.Sagas > 0 {
		fmt.Fprintf(term.out, "  sagas that have begun  %s\n", ofBound(l.Begun, l.Sagas))
	}
	if l.Commands > 0 {
		fmt.Fprintf(term.out, "  commands that are out  %s\n", ofBound(l.Out, l.Commands))
	}
	fmt.Fprintf(term.out, "  skald limit remove %s %s --reason \"...\"   takes it away\n", cmd.Kind, cmd.Name)
	return nil
}

// Run takes it away.
func (cmd *limitRemoveCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Limit.open()
	if err != nil {
		return err
	}
	if err := c.RemoveLimit(ctx, cmd.scope(), cmd.Name, cmd.Reason); err != nil {
		return all.Limit.explain(err)
	}
	if !term.json {
		fmt.Fprintf(term.out, "%s %s %s is limited no more\n", term.style.good("✓"), cmd.Kind, cmd.Name)
	}
	return nil
}

// limitedWords is what a limit bounds, in words.
func limitedWords(l *client.Limit) string {
	if l.Scope == client.HoldSagaType {
		return "definition " + l.Name
	}
	return "participant " + l.Name
}

// ofBound is how far a bound is; a dash where there is none.
func ofBound(n, bound int) string {
	if bound == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d", n, bound)
}
