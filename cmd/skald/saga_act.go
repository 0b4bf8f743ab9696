package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/skaldhq/skald/api/client"
)

// act is what all actions take.
type act struct {
	sagaRef
	Reason         string `short:"r" required:"" help:"Why; it stays in the audit."`
	DryRun         bool   `help:"Say what it would come to, and do nothing."`
	IfRevision     int64  `placeholder:"N" help:"Only if the saga still has this revision."`
	IdempotencyKey string `placeholder:"KEY" help:"Makes it safe to send the same action again, for 7 days."`
}

// stepRef names the step of an action.
type stepRef struct {
	Step string `short:"s" required:"" completes:"step" help:"The step."`
}

type (
	cancelCmd struct{ act }
	pauseCmd  struct{ act }
	resumeCmd struct{ act }
	retryCmd  struct {
		act
		stepRef
		Payload string `placeholder:"JSON" help:"A corrected payload, where that is safe: JSON, @file or -."`
	}
	completeCmd struct {
		act
		stepRef
		Result string `name:"result" placeholder:"JSON" help:"The step's output: JSON, @file or -."`
	}
	rejectCmd struct {
		act
		stepRef
	}
	skipCmd struct {
		act
		stepRef
		Result string `name:"result" placeholder:"JSON" help:"The step's output for those after it: JSON, @file or -."`
	}
	waiveCmd struct {
		act
		stepRef
	}
	abandonCmd     struct{ act }
	acknowledgeCmd struct {
		act
		Step string `short:"s" completes:"step" help:"Only of this step."`
	}
)

// Help is shown under the command's usage.
func (act) Help() string {
	return `With --dry-run the server answers the exact state that would follow, and the commands that would be sent.

Example:

  skald saga cancel A-1 --reason "customer called" --dry-run`
}

// Run does the action; so do the others.
func (cmd *cancelCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.do(ctx, term, all, client.ActionCancel, "", "", "")
}

// Run does the action.
func (cmd *pauseCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.do(ctx, term, all, client.ActionPause, "", "", "")
}

// Run does the action.
func (cmd *resumeCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.do(ctx, term, all, client.ActionResume, "", "", "")
}

// Run does the action.
func (cmd *retryCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.do(ctx, term, all, client.ActionRetry, cmd.Step, "", cmd.Payload)
}

// Run does the action.
func (cmd *completeCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.do(ctx, term, all, client.ActionComplete, cmd.Step, cmd.Result, "")
}

// Run does the action.
func (cmd *rejectCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.do(ctx, term, all, client.ActionReject, cmd.Step, "", "")
}

// Run does the action.
func (cmd *skipCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.do(ctx, term, all, client.ActionSkip, cmd.Step, cmd.Result, "")
}

// Run does the action.
func (cmd *waiveCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.do(ctx, term, all, client.ActionWaive, cmd.Step, "", "")
}

// Run does the action.
func (cmd *abandonCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.do(ctx, term, all, client.ActionAbandon, "", "", "")
}

// Run does the action.
func (cmd *acknowledgeCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.do(ctx, term, all, client.ActionAcknowledge, cmd.Step, "", "")
}

func (cmd *act) do(ctx context.Context, term *console, all *cli, action client.Action, step, output, payload string) error {
	req := client.ActRequest{Step: step, Reason: cmd.Reason}
	var err error
	if req.Output, err = jsonArgument(term, "--result", output); err != nil {
		return err
	}
	if req.Payload, err = jsonArgument(term, "--payload", payload); err != nil {
		return err
	}
	c, err := all.Saga.open()
	if err != nil {
		return err
	}
	id, err := find(ctx, c, cmd.Saga)
	if err != nil {
		return all.Saga.explain(err)
	}
	var opts []client.CallOption
	if cmd.IfRevision != 0 {
		opts = append(opts, client.IfRevision(cmd.IfRevision))
	}
	if cmd.DryRun {
		preview, err := c.DryRun(ctx, id, action, req, opts...)
		if err != nil {
			return all.Saga.explain(err)
		}
		return printPreview(term, &preview)
	}
	if cmd.IdempotencyKey != "" {
		opts = append(opts, client.WithIdempotencyKey(cmd.IdempotencyKey))
	}
	done, err := c.Act(ctx, id, action, req, opts...)
	if err != nil {
		return all.Saga.explain(err)
	}
	if term.json {
		return writeJSON(term.out, done.Acted)
	}
	text := "nothing changed"
	switch {
	case done.Why != "":
		text = strings.TrimSuffix(done.Why, ".")
	case done.Changed:
		text = string(action) + " is done"
	}
	fmt.Fprintf(term.out, "%s: %s %s\n", statusPaint(term.style, done.Status)(string(done.Status)), plain(text),
		term.style.dim(fmt.Sprintf("(%s, revision %d)", id, done.Revision)))
	return nil
}

func jsonArgument(term *console, flag, value string) (json.RawMessage, error) {
	if value == "" {
		return nil, nil
	}
	raw, err := readArgument(term.in, value)
	if err != nil {
		return nil, err
	}
	if !json.Valid(raw) {
		return nil, wrongUsage("%s is no JSON: %s", flag, clip(string(raw), 60))
	}
	return raw, nil
}

func printPreview(term *console, p *client.Preview) error {
	if term.json {
		return writeJSON(term.out, p)
	}
	if !p.Changed {
		fmt.Fprintln(term.out, "nothing would change")
	}
	if p.Why != "" {
		fmt.Fprintln(term.out, plain(p.Why))
	}
	picture(term, &p.Next, p.Next.UpdatedAt)
	for _, cmd := range p.Commands {
		fmt.Fprintf(term.out, "would send %s of %s to %s %s\n", cmd.Command, cmd.Step, cmd.Participant, term.style.dim(compact(cmd.Payload)))
	}
	return nil
}
