package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// holdCmd are the commands about holds.
type holdCmd struct {
	remote

	List        holdListCmd        `cmd:"" help:"List the holds in force."`
	Definition  holdDefinitionCmd  `cmd:"" help:"Hold the sagas of a definition, or of one version of it."`
	Participant holdParticipantCmd `cmd:"" help:"Hold one participant's commands."`
	Tenant      holdTenantCmd      `cmd:"" help:"Hold every saga of the tenant."`
	All         holdAllCmd         `cmd:"" help:"Hold every saga of every tenant."`
	Show        holdShowCmd        `cmd:"" help:"One hold: what waits for it, and what is still in flight under it."`
	End         holdEndCmd         `cmd:"" help:"End a hold; what it stopped goes on."`
}

// Help is shown under the command's usage.
func (holdCmd) Help() string {
	return `Under a hold no command is sent, and timeouts, back-offs and deadlines stand still; replies are applied.

Example:

  skald hold participant payments --reason "the card gateway is away"
  skald hold list
  skald hold show 1
  skald hold end 1 --reason "it is back" --rate 50`
}

// holdWhy is the reason of a hold.
type holdWhy struct {
	Reason string `short:"r" required:"" help:"Why; it stays in the audit, and shows where sagas wait."`
}

type (
	holdListCmd       struct{}
	holdDefinitionCmd struct {
		Definition string `arg:"" completes:"version" help:"A definition's name, or name@version."`
		holdWhy
	}
	holdParticipantCmd struct {
		Participant string `arg:"" completes:"participant" help:"A participant's name."`
		holdWhy
	}
	holdTenantCmd struct{ holdWhy }
	holdAllCmd    struct{ holdWhy }
	holdEndCmd    struct {
		ID     int64  `arg:"" completes:"hold" help:"The hold's number, as skald hold list shows it."`
		Reason string `short:"r" required:"" help:"Why; it stays in the audit."`
		Rate   int    `placeholder:"N" help:"Let N sagas go a second, instead of all at once."`
	}
	holdShowCmd struct {
		ID int64 `arg:"" completes:"hold" help:"The hold's number, as skald hold list shows it."`
	}
)

// Run lists them.
func (holdListCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Hold.open()
	if err != nil {
		return err
	}
	holds, err := c.Holds(ctx)
	if err != nil {
		return all.Hold.explain(err)
	}
	if term.json {
		return writeJSON(term.out, client.HoldList{Items: holds})
	}
	if len(holds) == 0 {
		fmt.Fprintln(term.err, "Nothing is held.")
		return nil
	}
	rows := [][]string{{"id", "what", "by", "state", "since", "why"}}
	for _, h := range holds {
		rows = append(rows, []string{strconv.FormatInt(h.ID, 10), held(h), h.By, string(h.State), clockTime(h.Since), h.Reason})
	}
	table(term.out, term.style, rows, nil)
	return nil
}

// held is what a hold stops, in words.
func held(h client.Hold) string {
	switch h.Scope {
	case client.HoldSagaType:
		if h.Version > 0 {
			return fmt.Sprintf("definition %s@%d", h.Name, h.Version)
		}
		return "definition " + h.Name
	case client.HoldParticipant:
		return "participant " + h.Name
	case client.HoldTenant:
		return "the tenant"
	case client.HoldAll:
		return "everything"
	}
	return string(h.Scope)
}

// Run sets the hold; so do the others.
func (cmd *holdDefinitionCmd) Run(ctx context.Context, term *console, all *cli) error {
	name, version, err := splitVersion(cmd.Definition)
	if err != nil {
		return err
	}
	return cmd.set(ctx, term, all, client.HoldRequest{Scope: client.HoldSagaType, Name: name, Version: version})
}

// Run sets the hold.
func (cmd *holdParticipantCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.set(ctx, term, all, client.HoldRequest{Scope: client.HoldParticipant, Name: cmd.Participant})
}

// Run sets the hold.
func (cmd *holdTenantCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.set(ctx, term, all, client.HoldRequest{Scope: client.HoldTenant})
}

// Run sets the hold.
func (cmd *holdAllCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.set(ctx, term, all, client.HoldRequest{Scope: client.HoldAll})
}

// unknownName says that nothing has the name that is held: it may be misspelt, and then the hold stops nobody.
func unknownName(ctx context.Context, c *client.Client, req *client.HoldRequest) string {
	var known []string
	switch req.Scope {
	case client.HoldParticipant:
		list, err := c.Participants(ctx)
		if err != nil {
			return "" // the hold is set; that nobody can tell is no failure of it
		}
		for i := range list.Items {
			known = append(known, list.Items[i].Name)
		}
	case client.HoldSagaType:
		list, err := c.Definitions(ctx, "")
		if err != nil {
			return ""
		}
		for i := range list.Items {
			known = append(known, list.Items[i].Name)
		}
	}
	if len(known) == 0 || slices.Contains(known, req.Name) {
		return ""
	}
	slices.Sort(known)
	return fmt.Sprintf("nothing is called %q, so this stops nobody; known are %s", req.Name, strings.Join(slices.Compact(known), ", "))
}

func (cmd *holdWhy) set(ctx context.Context, term *console, all *cli, req client.HoldRequest) error {
	c, err := all.Hold.open()
	if err != nil {
		return err
	}
	req.Reason = cmd.Reason
	h, created, err := c.PutHold(ctx, req)
	if err != nil {
		return all.Hold.explain(err)
	}
	if term.json {
		return writeJSON(term.out, h)
	}
	if text := unknownName(ctx, c, &req); text != "" {
		fmt.Fprintf(term.err, "%s %s\n", term.style.warn("!"), text)
	}
	word := "is held since " + clockTime(h.Since) + " already"
	if created {
		word = "is held from now on"
	}
	fmt.Fprintf(term.out, "%s %s %s: %s\n", term.style.good("✓"), held(h), word, h.Reason)
	fmt.Fprintf(term.out, "  skald hold end %d --reason \"...\"   ends it\n", h.ID)
	return nil
}

// Run shows it.
func (cmd *holdShowCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Hold.open()
	if err != nil {
		return err
	}
	h, err := c.Hold(ctx, cmd.ID)
	if err != nil {
		return missing(all.Hold.explain(err), "skald hold list")
	}
	if term.json {
		return writeJSON(term.out, h)
	}
	atLeast := ""
	if !h.Exact {
		atLeast = "at least "
	}
	lines := [][2]string{
		{"what", held(h.Hold)},
		{"why", h.Reason},
		{"by", fmt.Sprintf("%s (%s)", h.By, h.Kind)},
		{"state", holdStateWords(&h.Hold)},
		{"since", clockTime(h.Since)},
		{"held", fmt.Sprintf("%s%d sagas", atLeast, h.Held)},
		{"in flight", fmt.Sprintf("%s%d commands", atLeast, h.InFlight)},
		{"quiet since", clockTime(h.QuietSince)},
		{"tries from", clockTime(h.TriesFrom)},
		{"all let go", clockTime(h.Until)},
	}
	if !h.EndedAt.IsZero() {
		lines = append(lines, [2]string{"ended", clockTime(h.EndedAt) + " by " + h.EndedBy})
	}
	for _, l := range lines {
		if l[1] != "" {
			fmt.Fprintf(term.out, "%-12s %s\n", l[0], l[1])
		}
	}
	return nil
}

// holdStateWords is where a hold stands, in words.
func holdStateWords(h *client.Hold) string {
	switch h.State {
	case client.HoldHolding:
		if h.Trips > 1 {
			return fmt.Sprintf("holding, for the %d. time in this outage", h.Trips)
		}
	case client.HoldTrying:
		return "trying: a growing share of sagas is let through"
	case client.HoldReleasing:
		return "releasing: sagas are let go one after the other"
	case client.HoldEnded:
	}
	return string(h.State)
}

// clockTime is a time as people read it; empty: none.
func clockTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// Run ends it.
func (cmd *holdEndCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Hold.open()
	if err != nil {
		return err
	}
	if err := c.EndHold(ctx, cmd.ID, cmd.Reason, cmd.Rate); err != nil {
		return missing(all.Hold.explain(err), "skald hold list")
	}
	if term.json {
		return nil
	}
	if cmd.Rate > 0 {
		fmt.Fprintf(term.out, "%s hold %d lets sagas go, %d a second\n", term.style.good("✓"), cmd.ID, cmd.Rate)
		fmt.Fprintf(term.out, "  skald hold show %d   shows how far it is\n", cmd.ID)
		return nil
	}
	fmt.Fprintf(term.out, "%s hold %d has ended\n", term.style.good("✓"), cmd.ID)
	return nil
}
