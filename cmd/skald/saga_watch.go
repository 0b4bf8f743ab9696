package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// sagaWatchCmd follows one saga.
type sagaWatchCmd struct{ sagaRef }

// Help is shown under the command's usage.
func (sagaWatchCmd) Help() string {
	return `Prints each thing as it happens, and at the end how it ended. The exit code is 6 where it ended otherwise than completed. With --output json each line is one fact.

Example:

  skald saga watch A-1`
}

// Run follows it.
func (cmd *sagaWatchCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Saga.open()
	if err != nil {
		return err
	}
	id, err := find(ctx, c, cmd.Saga)
	if err != nil {
		return all.Saga.explain(err)
	}
	return watch(ctx, term, c, &all.Saga.remote, id)
}

// watch prints a saga's facts as they come, until it has ended. A connection that breaks is made again, from where it broke.
func watch(ctx context.Context, term *console, c *client.Client, at *remote, id string) error {
	sg, err := c.Saga(ctx, id)
	if err != nil {
		return at.explain(err)
	}
	g, err := c.Graph(ctx, id)
	if err != nil {
		return at.explain(err)
	}
	if !term.json {
		fmt.Fprintf(term.out, "%s %s\n", term.style.bold(sg.Saga), term.style.dim(sg.ID))
	}
	lines := newTimeline(term.out, term.style, "", sg.CreatedAt, &g)
	last := int64(0)
	for broken := 0; ; broken++ {
		seen, over, err := follow(ctx, term, c, id, last, lines)
		if over {
			break
		}
		if seen > last {
			last, broken = seen, 0
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var answer *client.Error
		if errors.As(err, &answer) && !answer.Retryable || broken == 5 {
			return at.explain(err)
		}
		select {
		case <-time.After(min(200*time.Millisecond<<broken, 5*time.Second)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if sg, err = c.Saga(ctx, id); err != nil {
		return at.explain(err)
	}
	if !term.json {
		fmt.Fprintln(term.out)
		headline(term, &sg, time.Now())
		if sg.Certificate != nil {
			certificate(term, sg.Certificate)
		}
	}
	return ended(sg.Status)
}

// follow reads one connection's worth of facts after last. It answers the last fact seen, and whether the saga is over.
func follow(ctx context.Context, term *console, c *client.Client, id string, last int64, lines *timeline) (int64, bool, error) {
	for event, err := range c.SagaEvents(ctx, id, last) {
		if err != nil {
			return last, false, err
		}
		if event.Type == client.EventEnd {
			return last, true, nil
		}
		var fact client.Fact
		if err := json.Unmarshal(event.Data, &fact); err != nil {
			return last, false, fmt.Errorf("read a fact of saga %s: %w", id, err)
		}
		if fact.Seq <= last {
			continue
		}
		last = fact.Seq
		if term.json {
			fmt.Fprintf(term.out, "%s\n", event.Data)
			continue
		}
		lines.fact(&fact)
	}
	return last, false, errors.New("the stream ended before the saga did")
}
