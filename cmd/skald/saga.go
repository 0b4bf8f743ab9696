package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// sagaCmd are the commands about sagas.
type sagaCmd struct {
	remote

	Start   sagaStartCmd   `cmd:"" help:"Start a saga."`
	Get     sagaGetCmd     `cmd:"" help:"Show a saga: its steps, what it waits for, how it ended."`
	List    sagaListCmd    `cmd:"" help:"List sagas, newest first."`
	History sagaHistoryCmd `cmd:"" help:"Show everything that happened to a saga."`
	Watch   sagaWatchCmd   `cmd:"" help:"Follow a saga until it has ended."`

	Why      sagaWhyCmd      `cmd:"" help:"Say in words what it waits for, what comes next, and what you could do."`
	Timeline sagaTimelineCmd `cmd:"" help:"Draw its steps, attempts, back-offs and compensations over time."`
	Graph    sagaGraphCmd    `cmd:"" help:"Draw the order of its steps, and where each is."`

	Cancel      cancelCmd      `cmd:"" help:"Undo it; past the pivot that is refused."`
	Pause       pauseCmd       `cmd:"" help:"Send no more commands; time stands still."`
	Resume      resumeCmd      `cmd:"" help:"Go on after a pause."`
	Retry       retryCmd       `cmd:"" help:"Send a step's command, or its compensation, again now."`
	Complete    completeCmd    `cmd:"" help:"Say that a step took effect, or was undone, whatever its participant said."`
	Reject      rejectCmd      `cmd:"" help:"Give a step up; everything is undone."`
	Skip        skipCmd        `cmd:"" help:"Go on without a step that had no effect."`
	Waive       waiveCmd       `cmd:"" help:"Accept what a step left that can't be undone."`
	Abandon     abandonCmd     `cmd:"" help:"End it as it is, and accept what it leaves."`
	Rebind      rebindCmd      `cmd:"" help:"Go on by another version of its definition."`
	Acknowledge acknowledgeCmd `cmd:"" help:"Clear attention that somebody has looked at."`
}

// sagaStartCmd starts a saga.
type sagaStartCmd struct {
	Saga           string            `arg:"" completes:"version" help:"The definition's name, or name@version."`
	Input          string            `short:"i" default:"null" placeholder:"JSON" help:"The input: JSON, @file, or - for standard input."`
	Key            string            `help:"The business key, where the definition has none."`
	Label          map[string]string `help:"A label, such as --label team=blue; may be repeated." mapsep:"none"`
	Reuse          client.Reuse      `enum:"after_compensated,allow,never" default:"after_compensated" help:"When the key of an ended saga may be used again: after_compensated, allow or never."`
	IdempotencyKey string            `placeholder:"KEY" help:"Makes it safe to send the same start again, for 7 days."`
	Wait           time.Duration     `placeholder:"30s" help:"Wait for the end, at most 60s."`
	Watch          bool              `short:"w" help:"Follow it until it has ended."`
}

// Help is shown under the command's usage.
func (sagaStartCmd) Help() string {
	return `Examples:

  skald saga start order-placement --input @order.json --wait 30s
  skald saga start order-placement@1 --watch --input '{"order_id":"A-1","customer_id":"c-1","amount_cents":4200,"payment_token":"tok_declined","items":[{"sku":"sku-1","quantity":1}]}'

Prints the saga's id. With --wait and --watch the exit code is 6 where the saga ended otherwise than completed.`
}

// Run starts the saga.
func (cmd *sagaStartCmd) Run(ctx context.Context, term *console, all *cli) error {
	input, err := readArgument(term.in, cmd.Input)
	if err != nil {
		return err
	}
	if !json.Valid(input) {
		return hint(wrongUsage("the input is no JSON: %s", clip(string(input), 60)), `--input '{"order_id": "A-1"}'   or --input @file.json`)
	}
	name, version, err := splitVersion(cmd.Saga)
	if err != nil {
		return err
	}
	c, err := all.Saga.open()
	if err != nil {
		return err
	}
	var opts []client.CallOption
	if cmd.IdempotencyKey != "" {
		opts = append(opts, client.WithIdempotencyKey(cmd.IdempotencyKey))
	}
	if cmd.Wait > 0 && !cmd.Watch {
		opts = append(opts, client.WithWait(cmd.Wait))
	}
	result, err := c.Start(ctx, client.StartRequest{Saga: name, Version: version, Key: cmd.Key, Input: input, Labels: cmd.Label, Reuse: cmd.Reuse}, opts...)
	if err != nil {
		return all.Saga.explain(err)
	}
	switch {
	case cmd.Watch:
		return watch(ctx, term, c, &all.Saga.remote, result.ID)
	case term.json && result.Saga != nil:
		err = writeJSON(term.out, result.Saga)
	case term.json:
		err = writeJSON(term.out, result.Started)
	case cmd.Wait > 0 && result.Saga != nil:
		picture(term, result.Saga, time.Now())
	default:
		fmt.Fprintln(term.out, result.ID)
	}
	if err == nil && cmd.Wait > 0 {
		err = outcome(result)
	}
	return err
}

// outcome is an error where a saga that was waited for is not completed.
func outcome(result client.StartResult) error {
	if result.Saga == nil || !result.Saga.Status.Terminal() {
		return &hinted{code: exitNotComplete, err: fmt.Errorf("saga %s has not ended yet", result.ID), hints: []string{"skald saga watch " + result.ID}}
	}
	return ended(result.Saga.Status)
}

func ended(status client.Status) error {
	if status != client.Completed {
		return errSilent{exitNotComplete}
	}
	return nil
}

// sagaRef names the saga of a command.
type sagaRef struct {
	Saga string `arg:"" name:"saga" completes:"saga" help:"Its id, or its business key."`
}

// sagaGetCmd shows one saga.
type sagaGetCmd struct{ sagaRef }

// Help is shown under the command's usage.
func (sagaGetCmd) Help() string {
	return `Examples:

  skald saga get A-1
  skald saga get 019aa000-0000-7000-8000-000000000000 --output json`
}

// Run shows it.
func (cmd *sagaGetCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Saga.open()
	if err != nil {
		return err
	}
	sg, err := readSaga(ctx, c, cmd.Saga)
	if err != nil {
		return all.Saga.explain(err)
	}
	if term.json {
		return writeJSON(term.out, sg)
	}
	picture(term, &sg, time.Now())
	return nil
}

func readSaga(ctx context.Context, c *client.Client, name string) (client.Saga, error) {
	id, err := find(ctx, c, name)
	if err != nil {
		return client.Saga{}, err
	}
	return c.Saga(ctx, id)
}

// sagaHistoryCmd shows a saga's facts.
type sagaHistoryCmd struct{ sagaRef }

// Run shows them.
func (cmd *sagaHistoryCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Saga.open()
	if err != nil {
		return err
	}
	sg, err := readSaga(ctx, c, cmd.Saga)
	if err != nil {
		return all.Saga.explain(err)
	}
	facts, err := history(ctx, c, sg.ID)
	if err != nil {
		return all.Saga.explain(err)
	}
	if term.json {
		return writeJSON(term.out, facts)
	}
	g, err := c.Graph(ctx, sg.ID)
	if err != nil {
		return all.Saga.explain(err)
	}
	headline(term, &sg, time.Now())
	lines := newTimeline(term.out, term.style, "", sg.CreatedAt, &g)
	for i := range facts {
		lines.fact(&facts[i])
	}
	return nil
}

func history(ctx context.Context, c *client.Client, id string) ([]client.Fact, error) {
	var facts []client.Fact
	for fact, err := range c.AllHistory(ctx, id) {
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact)
	}
	return facts, nil
}
