package main

import (
	"context"
	"fmt"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// operationRef names an operation.
type operationRef struct {
	ID int64 `arg:"" completes:"operation" help:"The operation's number, as skald operation list shows it."`
}

// operationChange is what pause, resume and cancel take.
type operationChange struct {
	operationRef
	Reason string `short:"r" required:"" help:"Why; it stays in the audit."`
}

type (
	operationListCmd struct {
		Limit int `short:"n" default:"25" help:"Show at most so many."`
	}
	operationShowCmd struct {
		operationRef
		Follow bool `short:"f" help:"Show its progress until it has ended."`
	}
	operationOutcomesCmd struct {
		operationRef
		Outcome string `enum:",succeeded,refused,failed,pending" default:"" help:"Only these: succeeded, refused, failed or pending."`
		Limit   int    `short:"n" default:"100" help:"Show at most so many."`
	}
	operationPauseCmd  struct{ operationChange }
	operationResumeCmd struct{ operationChange }
	operationCancelCmd struct{ operationChange }
)

// Run lists them.
func (cmd *operationListCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Operation.open()
	if err != nil {
		return err
	}
	list, err := c.Operations(ctx, "", min(max(cmd.Limit, 1), 500))
	if err != nil {
		return all.Operation.explain(err)
	}
	if term.json {
		return writeJSON(term.out, list)
	}
	if len(list.Items) == 0 {
		fmt.Fprintln(term.err, "There was no operation yet.")
		return nil
	}
	rows := [][]string{{"id", "action", "state", "done", "refused", "started", "by", "why"}}
	for i := range list.Items {
		rows = append(rows, operationRow(&list.Items[i], time.Now()))
	}
	table(term.out, term.style, rows, func(column int, cell string) func(string) string {
		if column == 2 {
			return operationPaint(term.style, client.OperationState(cell))
		}
		return nil
	})
	return nil
}

// Run shows it.
func (cmd *operationShowCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Operation.open()
	if err != nil {
		return err
	}
	op, err := c.Operation(ctx, cmd.ID)
	if err != nil {
		return missing(all.Operation.explain(err), "skald operation list")
	}
	if cmd.Follow {
		return followOperation(ctx, term, all, c, op)
	}
	return printOperation(term, &op)
}

// Run lists them.
func (cmd *operationOutcomesCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Operation.open()
	if err != nil {
		return err
	}
	list := client.OutcomeList{Items: []client.Outcome{}}
	for o, err := range c.Outcomes(ctx, cmd.ID, cmd.Outcome) {
		if err != nil {
			return missing(all.Operation.explain(err), "skald operation list")
		}
		if len(list.Items) == cmd.Limit {
			fmt.Fprintf(term.err, "there are more: --limit %d\n", cmd.Limit*10)
			break
		}
		list.Items = append(list.Items, o)
	}
	if term.json {
		return writeJSON(term.out, list)
	}
	if len(list.Items) == 0 {
		fmt.Fprintln(term.err, "No saga of it is like that.")
		return nil
	}
	printOutcomes(term, list.Items)
	return nil
}

// Run pauses it.
func (cmd *operationPauseCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.change(ctx, term, all, (*client.Client).PauseOperation)
}

// Run resumes it.
func (cmd *operationResumeCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.change(ctx, term, all, (*client.Client).ResumeOperation)
}

// Run cancels it.
func (cmd *operationCancelCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.change(ctx, term, all, (*client.Client).CancelOperation)
}

func (cmd *operationChange) change(ctx context.Context, term *console, all *cli, do func(*client.Client, context.Context, int64, string) (client.Operation, error)) error {
	c, err := all.Operation.open()
	if err != nil {
		return err
	}
	op, err := do(c, ctx, cmd.ID, cmd.Reason)
	if err != nil {
		return missing(all.Operation.explain(err), "skald operation list")
	}
	return printOperation(term, &op)
}
