package main

import (
	"context"
	"fmt"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/story"
)

// sagaWhyCmd says in words why a saga waits.
type sagaWhyCmd struct{ sagaRef }

// Help is shown under the command's usage.
func (sagaWhyCmd) Help() string {
	return `Says what a saga waits for, since when and until when, what the engine does next by itself, and what a person could do, with the commands to type.

Example:

  skald saga why A-1`
}

// Run says it.
func (cmd *sagaWhyCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Saga.open()
	if err != nil {
		return err
	}
	sg, err := readSaga(ctx, c, cmd.Saga)
	if err != nil {
		return all.Saga.explain(err)
	}
	if term.json {
		return writeJSON(term.out, map[string]any{"id": sg.ID, "status": sg.Status, "blocked_on": sg.BlockedOn, "attention": sg.Attention, "quarantined": sg.Quarantined})
	}
	why(term, &sg, time.Now())
	return nil
}

// why writes what a saga waits for.
func why(term *console, sg *client.Saga, now time.Time) {
	headline(term, sg, now)
	s, w := term.style, term.out
	if sg.Status.Terminal() {
		fmt.Fprintln(w, "It has ended, and waits for nothing.")
	}
	for i := range sg.BlockedOn {
		r := story.Waits(sg, &sg.BlockedOn[i], now)
		fmt.Fprintf(w, "\n%s\n", s.bold(plain(r.What)))
		for _, line := range r.Lines {
			fmt.Fprintf(w, "  %s %s\n", s.dim(pad(line.Label, 9)), plain(line.Text))
		}
		for j := range r.Can {
			label := ""
			if j == 0 {
				label = "you could"
			}
			fmt.Fprintf(w, "  %s %s\n", s.dim(pad(label, 9)), s.out(plain(toType(sg, &r.Can[j]))))
		}
	}
	for _, a := range sg.Attention {
		fmt.Fprintf(w, "\n%s %s%s, for %s\n", s.warn("needs attention:"), words(a.Reason), plain(of(a.Step)), took(now.Sub(a.Since)))
		if can := story.Acknowledges(&a); can != nil {
			fmt.Fprintf(w, "  %s %s\n", s.dim("you could"), s.out(toType(sg, can)))
		}
	}
	for _, q := range sg.Quarantined {
		fmt.Fprintf(w, "\n%s %s, for %s\n", s.warn("a record that came for it is in quarantine:"), words(q.Reason), took(now.Sub(q.At)))
		fmt.Fprintf(w, "  %s %s\n", s.dim("you could"), s.out(fmt.Sprintf("skald quarantine show %d", q.ID)))
	}
	if sg.Deadline != nil && !sg.Status.Terminal() {
		fmt.Fprintf(w, "\n%s\n", s.dim("deadline "+story.When(*sg.Deadline, now)))
	}
}

// toType is an option as a command to type.
func toType(sg *client.Saga, can *story.Option) string {
	if can.Action == "" {
		return can.Command
	}
	text := fmt.Sprintf("skald saga %s %s", can.Action, sg.ID)
	if can.Step != "" {
		text += " --step " + can.Step
	}
	text += " --reason ..."
	if can.Gives != "" {
		text += " " + can.Gives
	}
	if can.Note != "" {
		text += "   " + can.Note
	}
	return text
}
