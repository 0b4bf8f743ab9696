package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skaldhq/skald/api/client"
)

// quarantineAct is what redrive and discard take: one record, or a filter.
type quarantineAct struct {
	ID int64 `arg:"" optional:"" completes:"quarantine" help:"One record's number; else a filter picks those that wait, oldest first."`
	quarantineWhich
	All            bool   `help:"Every record that waits."`
	Limit          int    `short:"n" default:"100" help:"Of a filter: at most so many, 500 at most."`
	Reason         string `short:"r" required:"" help:"Why; it stays in the audit, and beside the record."`
	DryRun         bool   `help:"Say what it would come to, and do nothing."`
	Yes            bool   `short:"y" help:"Ask nothing before many are handled."`
	IdempotencyKey string `placeholder:"KEY" help:"Makes it safe to send the same again, for 7 days."`
}

type (
	quarantineRedriveCmd struct {
		quarantineAct
		Vouch bool `help:"Stand in for tokens that nothing shows to have been right. It takes the permission vouch."`
	}
	quarantineDiscardCmd struct{ quarantineAct }
)

// Help is shown under the command's usage.
func (quarantineRedriveCmd) Help() string {
	return `A record that still cannot be applied stays in quarantine, with its cause as it is now.

Example:

  skald quarantine redrive 12 --reason "the definition is back"
  skald quarantine redrive --cause bad_token --reason "the key is back" --dry-run`
}

// Run redrives.
func (cmd *quarantineRedriveCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.do(ctx, term, all, client.QuarantineRedrive, cmd.Vouch)
}

// Run discards.
func (cmd *quarantineDiscardCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.do(ctx, term, all, client.QuarantineDiscard, false)
}

func (cmd *quarantineAct) do(ctx context.Context, term *console, all *cli, action client.QuarantineAction, vouch bool) error {
	picks := cmd.quarantineWhich != quarantineWhich{}
	chosen := 0
	for _, is := range []bool{cmd.ID != 0, picks, cmd.All} {
		if is {
			chosen++
		}
	}
	if chosen != 1 {
		return wrongUsage("want a record's number, or a filter (--group, --cause, --topic, --saga), or --all")
	}
	c, err := all.Quarantine.open()
	if err != nil {
		return err
	}
	if cmd.ID != 0 {
		err = cmd.one(ctx, term, c, action, vouch)
	} else {
		err = cmd.many(ctx, term, c, action, vouch)
	}
	return all.Quarantine.explain(err)
}

func (cmd *quarantineAct) options(dry bool) (opts []client.CallOption) {
	if dry {
		return append(opts, client.WithDryRun())
	}
	if cmd.IdempotencyKey != "" {
		opts = append(opts, client.WithIdempotencyKey(cmd.IdempotencyKey))
	}
	return opts
}

func (cmd *quarantineAct) one(ctx context.Context, term *console, c *client.Client, action client.QuarantineAction, vouch bool) error {
	result, err := c.HandleQuarantined(ctx, cmd.ID, action, client.QuarantineRequest{Reason: cmd.Reason, Vouch: vouch}, cmd.options(cmd.DryRun)...)
	if err != nil {
		return err
	}
	if term.json {
		return writeJSON(term.out, result)
	}
	would := ""
	if cmd.DryRun {
		would = "would be "
	}
	fmt.Fprintln(term.out, resultLine(term.style, &result, would))
	if p := result.Preview; p != nil {
		return printPreview(term, p)
	}
	return nil
}

// resultLine is an outcome in words: `record 12: applied: charge-payment succeeded (saga, revision 3)`.
func resultLine(s style, r *client.QuarantineResult, would string) string {
	paint := s.good
	switch r.Outcome {
	case client.QuarantineAgain:
		paint = s.warn
	case client.QuarantineIgnored, client.QuarantineDropped:
		paint = s.dim
	case client.QuarantineApplied:
	}
	line := fmt.Sprintf("record %d: %s", r.ID, paint(would+words(string(r.Outcome))))
	if r.Why != "" {
		line += ": " + strings.TrimSuffix(plain(r.Why), ".")
	}
	if r.SagaID != "" {
		line += s.dim(fmt.Sprintf(" (%s, revision %d)", r.SagaID, r.Revision))
	}
	return line
}

func (cmd *quarantineAct) many(ctx context.Context, term *console, c *client.Client, action client.QuarantineAction, vouch bool) error {
	if cmd.Limit < 1 || cmd.Limit > 500 {
		return wrongUsage("--limit %d: want 1 to 500", cmd.Limit)
	}
	filter, err := cmd.filter(ctx, c)
	if err != nil {
		return err
	}
	req := client.QuarantineManyRequest{
		Filter: client.QuarantineWhich{Fingerprint: filter.Fingerprint, Reason: filter.Reason, Topic: filter.Topic, SagaID: filter.SagaID, All: cmd.All},
		Reason: cmd.Reason, Limit: cmd.Limit, Vouch: vouch,
	}
	if cmd.DryRun || !cmd.Yes {
		would, err := c.HandleManyQuarantined(ctx, action, req, cmd.options(true)...)
		if err != nil {
			return err
		}
		if cmd.DryRun {
			return cmd.tell(term, &would, "would be ")
		}
		if len(would.Items) == 0 {
			return cmd.tell(term, &would, "")
		}
		if goOn, err := cmd.sure(term, action, &would); err != nil || !goOn {
			return err
		}
	}
	many, err := c.HandleManyQuarantined(ctx, action, req, cmd.options(false)...)
	if err != nil {
		return err
	}
	if err := cmd.tell(term, &many, ""); err != nil {
		return err
	}
	if many.Counts["error"] > 0 {
		return errSilent{exitFailed}
	}
	return nil
}

// sure says what would come of it, and asks.
func (cmd *quarantineAct) sure(term *console, action client.QuarantineAction, would *client.QuarantineMany) (bool, error) {
	question := fmt.Sprintf("%s %s (as things stand: %s)?", title(string(action)), count(len(would.Items), "record"), tally(would))
	goOn, err := ask(term, question, "the same with --yes, or with --dry-run")
	if err == nil && !goOn {
		fmt.Fprintln(term.err, "Nothing was done.")
	}
	return goOn, err
}

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// tally is how many came to what: `60 applied, 2 errors`.
func tally(many *client.QuarantineMany) string {
	var out []string
	for _, outcome := range sortedKeys(many.Counts) {
		out = append(out, strconv.Itoa(many.Counts[outcome])+" "+words(outcome))
	}
	return strings.Join(out, ", ")
}

func (cmd *quarantineAct) tell(term *console, many *client.QuarantineMany, would string) error {
	if term.json {
		return writeJSON(term.out, many)
	}
	if len(many.Items) == 0 {
		fmt.Fprintln(term.err, "No such record waits in quarantine.")
		return nil
	}
	for i := range many.Items {
		each := &many.Items[i]
		switch {
		case each.Result != nil:
			fmt.Fprintln(term.out, resultLine(term.style, each.Result, would))
		case each.Error != nil:
			fmt.Fprintf(term.out, "record %d: %s: %s\n", each.ID, term.style.bad(words(each.Error.Code)), plain(each.Error.Detail))
		}
	}
	fmt.Fprintln(term.err, count(len(many.Items), "record")+": "+tally(many))
	if many.More {
		fmt.Fprintln(term.err, "there are more; those that stay in quarantine come first again, so a narrower filter leaves them out")
	}
	if slices.ContainsFunc(many.Items, func(e client.QuarantineEach) bool { return e.Error != nil && e.Error.Code == "token_unproven" }) {
		fmt.Fprintln(term.err, "those whose token is unproven need somebody who vouches: look at one, then --vouch")
	}
	return nil
}
