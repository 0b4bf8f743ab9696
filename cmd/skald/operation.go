package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// operationCmd are the commands about operations over many sagas.
type operationCmd struct {
	remote

	Start    operationStartCmd    `cmd:"" help:"Do one action with all sagas that match, after a count and a question."`
	List     operationListCmd     `cmd:"" help:"List operations, newest first."`
	Show     operationShowCmd     `cmd:"" help:"Show an operation with its progress."`
	Outcomes operationOutcomesCmd `cmd:"" help:"List what became of each of its sagas."`
	Pause    operationPauseCmd    `cmd:"" help:"Begin no further saga."`
	Resume   operationResumeCmd   `cmd:"" help:"Go on after a pause."`
	Cancel   operationCancelCmd   `cmd:"" help:"End it; what is not done stays as it is."`
}

// operationStartCmd starts one.
type operationStartCmd struct {
	Action client.Action `arg:"" enum:"cancel,pause,resume,retry,complete,reject,skip,waive,abandon,acknowledge,rebind" help:"What to do with each: cancel, pause, resume, retry, complete, reject, skip, waive, abandon, acknowledge or rebind."`

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
	ID          []string          `name:"id" placeholder:"ID" completes:"saga" help:"None but this saga; up to 500, separated by commas or repeated."`

	Step           string `short:"s" help:"The step; retry and waive without one mean every step that they can be about."`
	Payload        string `placeholder:"JSON" help:"Of retry: a corrected payload, the same for all: JSON, @file or -."`
	Result         string `name:"result" placeholder:"JSON" help:"Of complete and skip: the step's output: JSON, @file or -."`
	To             int    `placeholder:"VERSION" help:"Of rebind: the version to go on by."`
	Reason         string `short:"r" required:"" help:"Why; it stays in the audit of each saga."`
	Rate           int    `default:"50" help:"Sagas a second, at most 1000."`
	IdempotencyKey string `placeholder:"KEY" help:"Makes it safe to send the same operation again."`

	DryRun bool `help:"Say how many match and, of some, what would come of it; do nothing."`
	Yes    bool `short:"y" help:"Do not ask."`
	Detach bool `short:"d" help:"Do not wait for its end; the server goes on by itself."`
}

// Help is shown under the command's usage.
func (operationStartCmd) Help() string {
	return `The sagas are listed first and then acted on, each exactly once, by whichever replicas live. Interrupting this command stops nothing.

Examples:

  skald operation start retry --status suspended --attention exhausted --reason "the card gateway is back" --dry-run
  skald operation start cancel --saga order-placement --since 1h --reason "wrong prices"

The exit code is 6 where some sagas refused or failed.`
}

// Run counts, asks, starts and follows it.
func (cmd *operationStartCmd) Run(ctx context.Context, term *console, all *cli) error {
	req, err := cmd.request(term)
	if err != nil {
		return err
	}
	c, err := all.Operation.open()
	if err != nil {
		return err
	}
	if cmd.DryRun || !cmd.Yes {
		preview, err := c.PreviewOperation(ctx, req)
		if err != nil {
			return all.Operation.explain(err)
		}
		if cmd.DryRun {
			return printRehearsal(term, cmd.Action, &preview)
		}
		if none := preview.Count != nil && *preview.Count == 0; none {
			fmt.Fprintln(term.err, "No saga is like that.")
			return nil
		}
		question := fmt.Sprintf("%s %s (%s), %d a second?", title(string(cmd.Action)), howMany(&preview), sampled(&preview), req.Rate)
		if goOn, err := ask(term, question, "the same with --yes, or with --dry-run"); err != nil || !goOn {
			return err
		}
	}
	var opts []client.CallOption
	if cmd.IdempotencyKey != "" {
		opts = append(opts, client.WithIdempotencyKey(cmd.IdempotencyKey))
	}
	op, err := c.StartOperation(ctx, req, opts...)
	if err != nil {
		return all.Operation.explain(err)
	}
	if cmd.Detach {
		return printOperation(term, &op)
	}
	return followOperation(ctx, term, all, c, op)
}

func (cmd *operationStartCmd) request(term *console) (req client.OperationRequest, err error) {
	req = client.OperationRequest{
		Action: cmd.Action, Step: cmd.Step, Version: cmd.To, Reason: cmd.Reason, Rate: cmd.Rate,
		Filter: client.OperationFilter{
			Saga: cmd.Saga, Version: cmd.Version, Verdict: cmd.Verdict, Status: cmd.Status, Attention: cmd.Attention, BlockedOn: cmd.BlockedOn,
			Participant: cmd.Participant, Key: cmd.Key, Labels: cmd.Label, IDs: cmd.ID,
		},
	}
	if cmd.Since > 0 {
		after := time.Now().Add(-cmd.Since)
		req.Filter.CreatedAfter = &after
	}
	if req.Output, err = jsonArgument(term, "--result", cmd.Result); err != nil {
		return req, err
	}
	req.Payload, err = jsonArgument(term, "--payload", cmd.Payload)
	return req, err
}

func howMany(p *client.OperationPreview) string {
	if p.Count != nil {
		return count(int(*p.Count), "saga")
	}
	return fmt.Sprintf("at least %d sagas", *p.AtLeast)
}

// sampled says what would become of the sample.
func sampled(p *client.OperationPreview) string {
	text := fmt.Sprintf("of the newest %d it is possible for %d", len(p.Sample), p.Possible)
	for _, code := range slices.Sorted(maps.Keys(p.Refused)) {
		text += fmt.Sprintf(", %s: %d", code, p.Refused[code])
	}
	return text
}

func printRehearsal(term *console, action client.Action, p *client.OperationPreview) error {
	if term.json {
		return writeJSON(term.out, p)
	}
	fmt.Fprintf(term.out, "would %s %s; %s\n", action, howMany(p), sampled(p))
	if len(p.Sample) > 0 {
		printOutcomes(term, p.Sample[:min(10, len(p.Sample))])
	}
	return nil
}

// followOperation shows progress until the operation has ended or is paused.
func followOperation(ctx context.Context, term *console, all *cli, c *client.Client, op client.Operation) error {
	live := isTerminal(term.err) && !term.json
	for {
		if live {
			fmt.Fprintf(term.err, "\r\x1b[K%s", progressBar(term.style, &op, time.Now()))
		}
		if op.State.Ended() || op.State == client.OperationPaused {
			break
		}
		timer := time.NewTimer(300 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			if live {
				fmt.Fprintln(term.err)
			}
			return hint(ctx.Err(), fmt.Sprintf("skald operation show %d     it goes on by itself", op.ID), fmt.Sprintf("skald operation cancel %d   ends it", op.ID))
		}
		next, err := c.Operation(ctx, op.ID)
		if err != nil && !errors.Is(err, context.Canceled) {
			return all.Operation.explain(err)
		}
		if err == nil {
			op = next
		}
	}
	if live {
		fmt.Fprintln(term.err)
	}
	if err := printOperation(term, &op); err != nil {
		return err
	}
	if op.Refused+op.Failed > 0 {
		return errSilent{exitNotComplete}
	}
	return nil
}

// progressBar is a bar and what it means.
func progressBar(s style, op *client.Operation, now time.Time) string {
	const width = 30
	if op.State == client.OperationGathering {
		return fmt.Sprintf("listing sagas: %d so far", op.Total)
	}
	full := width
	if op.Total > 0 {
		full = int(width * op.Done / op.Total)
	}
	text := fmt.Sprintf("%s%s %d/%d", s.good(strings.Repeat("█", full)), s.dim(strings.Repeat("░", width-full)), op.Done, op.Total)
	if op.Refused+op.Failed > 0 {
		text += fmt.Sprintf(", %d refused, %d failed", op.Refused, op.Failed)
	}
	if op.ETA != nil {
		text += s.dim(fmt.Sprintf(", %s to go", took(max(op.ETA.Sub(now), 0).Round(time.Second))))
	}
	return text
}

func printOperation(term *console, op *client.Operation) error {
	if term.json {
		return writeJSON(term.out, op)
	}
	fmt.Fprintf(term.out, "operation %d: %s %s, %s\n", op.ID, op.Action, chosen(op), operationPaint(term.style, op.State)(string(op.State)))
	fmt.Fprintf(term.out, "  %s\n", progressBar(term.style, op, time.Now()))
	fmt.Fprintf(term.out, "  %s\n", term.style.dim(fmt.Sprintf("by %s at %s: %s", plain(op.By), op.CreatedAt.Local().Format("2006-01-02 15:04:05"), clip(op.Reason, 80))))
	if op.Refused+op.Failed > 0 {
		fmt.Fprintf(term.out, "  skald operation outcomes %d --outcome %s\n", op.ID, map[bool]string{true: "refused", false: "failed"}[op.Refused > 0])
	}
	return nil
}

func operationPaint(s style, state client.OperationState) func(string) string {
	switch state {
	case client.OperationCompleted:
		return s.good
	case client.OperationCancelled:
		return s.bad
	case client.OperationPaused:
		return s.warn
	case client.OperationGathering, client.OperationRunning:
	}
	return s.out
}

// chosen is the filter of an operation in words.
func chosen(op *client.Operation) string {
	var out []string
	add := func(name, value string) {
		if value != "" {
			out = append(out, name+"="+plain(value))
		}
	}
	f := &op.Filter
	add("saga", f.Saga)
	for _, s := range f.Status {
		add("status", string(s))
	}
	add("attention", f.Attention)
	add("blocked_on", f.BlockedOn)
	add("key", f.Key)
	for _, k := range sortedKeys(f.Labels) {
		add("label", k+":"+f.Labels[k])
	}
	if f.CreatedAfter != nil {
		add("since", f.CreatedAfter.Local().Format("2006-01-02T15:04:05"))
	}
	what := "sagas with " + strings.Join(out, " ")
	if op.Step != "" {
		what = plain(op.Step) + " of " + what
	}
	if op.Version > 0 {
		what += fmt.Sprintf(" to version %d", op.Version)
	}
	return what
}

func printOutcomes(term *console, list []client.Outcome) {
	rows := [][]string{{"saga", "outcome", "code", "what"}}
	for _, o := range list {
		rows = append(rows, []string{o.SagaID, o.Outcome, o.Code, clip(o.Message, 80)})
	}
	table(term.out, term.style, rows, func(column int, cell string) func(string) string {
		switch {
		case column == 0:
			return term.style.dim
		case column == 1 && cell == "succeeded":
			return term.style.good
		case column == 1:
			return term.style.warn
		}
		return nil
	})
}

// operationRow is an operation in a list.
func operationRow(op *client.Operation, now time.Time) []string {
	return []string{
		strconv.FormatInt(op.ID, 10), string(op.Action), string(op.State), fmt.Sprintf("%d/%d", op.Done, op.Total),
		strconv.FormatInt(op.Refused+op.Failed, 10), took(now.Sub(op.CreatedAt)) + " ago", plain(op.By), clip(op.Reason, 50),
	}
}
