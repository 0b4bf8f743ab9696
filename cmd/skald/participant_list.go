package main

import (
	"context"
	"fmt"

	"github.com/skaldhq/skald/api/client"
)

// participantsOf is the word in the place of a name with which `skald participant` lists those of a server.
const participantsOf = "list"

// list shows the participants of a server and how they do.
func (cmd *participantCmd) list(ctx context.Context, term *console) error {
	c, err := cmd.open()
	if err != nil {
		return err
	}
	list, err := c.Participants(ctx)
	if err != nil {
		return cmd.explain(err)
	}
	if term.json {
		return writeJSON(term.out, list)
	}
	participantTable(term, list.Items)
	return nil
}

// participantTable writes a line per participant.
func participantTable(term *console, items []client.Participant) {
	if len(items) == 0 {
		fmt.Fprintln(term.out, "no definition is registered, so there are no participants")
		return
	}
	rows := [][]string{{"participant", "in flight", "backing off", "held", "stuck", "lag", "consumers", "errors*", ""}}
	for i := range items {
		p := &items[i]
		row := []string{p.Name, fmt.Sprint(p.InFlight), fmt.Sprint(p.BackingOff), fmt.Sprint(p.Held), fmt.Sprint(p.Stuck), "?", "?", "–", ""}
		if p.Lag != nil {
			row[5] = fmt.Sprint(*p.Lag)
		}
		if p.Consumers != nil {
			row[6] = fmt.Sprint(*p.Consumers)
		}
		if p.ErrorRate != nil {
			row[7] = fmt.Sprintf("%.0f %% of %d", 100**p.ErrorRate, p.Answers)
		}
		if p.Hold != nil {
			row[8] = clip("held: "+p.Hold.Reason, 60)
		}
		rows = append(rows, row)
	}
	s := term.style
	table(term.out, s, rows, func(column int, cell string) func(string) string {
		switch {
		case column == 4 && cell != "0", column == 6 && cell == "0":
			return s.bad
		case column == 8:
			return s.warn
		}
		return nil
	})
	fmt.Fprintln(term.out, s.dim("* technical failures and timeouts that the replica which answered has seen in its last 5 minutes; sagas are counted where they wait"))
}
