package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// quarantineCmd are the commands about records that could not be applied.
type quarantineCmd struct {
	remote

	List    quarantineListCmd    `cmd:"" help:"List records that could not be applied, newest first."`
	Groups  quarantineGroupsCmd  `cmd:"" help:"Count them by their cause."`
	Show    quarantineShowCmd    `cmd:"" help:"Show one record, byte for byte."`
	Redrive quarantineRedriveCmd `cmd:"" help:"Judge a record, or many, again, as if it had been read now."`
	Discard quarantineDiscardCmd `cmd:"" help:"Settle a record, or many, without judging it; its bytes stay."`
}

// Help is shown under the command's usage.
func (quarantineCmd) Help() string {
	return `A record of the reply topic that cannot be applied is kept, and waits here for a person.

Example:

  skald quarantine groups
  skald quarantine show 12
  skald quarantine redrive --group 1f0c6a52e4b79d38 --reason "the key is back" --dry-run
  skald quarantine redrive --group 1f0c6a52e4b79d38 --reason "the key is back"
  skald quarantine discard 12 --reason "a test of somebody else"`
}

// quarantineWhich picks records.
type quarantineWhich struct {
	Group string `placeholder:"FINGERPRINT" help:"Of this cause, as skald quarantine groups shows it."`
	Cause string `placeholder:"CODE" help:"In quarantine for this reason, such as bad_token."`
	Topic string `help:"That came from this topic."`
	Saga  string `help:"Of this saga: its id or business key."`
}

func (w *quarantineWhich) filter(ctx context.Context, c *client.Client) (client.QuarantineFilter, error) {
	f := client.QuarantineFilter{Fingerprint: w.Group, Reason: w.Cause, Topic: w.Topic}
	if w.Saga == "" {
		return f, nil
	}
	id, err := find(ctx, c, w.Saga)
	f.SagaID = id
	return f, err
}

type (
	quarantineListCmd struct {
		quarantineWhich
		State string `enum:"waiting,redriven,discarded,all" default:"waiting" help:"waiting, redriven, discarded or all."`
		Limit int    `short:"n" default:"25" help:"Show at most so many."`
	}
	quarantineGroupsCmd struct {
		quarantineWhich
		State string `enum:"waiting,redriven,discarded,all" default:"waiting" help:"waiting, redriven, discarded or all."`
		Limit int    `short:"n" default:"50" help:"Show at most so many."`
	}
	quarantineShowCmd struct {
		ID int64 `arg:"" completes:"quarantine" help:"The record's number, as skald quarantine list shows it."`
	}
)

func stateOf(flag string) client.QuarantineState {
	if flag == "all" {
		return ""
	}
	return client.QuarantineState(flag)
}

// Run lists them.
func (cmd *quarantineListCmd) Run(ctx context.Context, term *console, all *cli) error {
	if cmd.Limit < 1 {
		return wrongUsage("--limit %d: want 1 or more", cmd.Limit)
	}
	c, err := all.Quarantine.open()
	if err != nil {
		return err
	}
	filter, err := cmd.filter(ctx, c)
	if err != nil {
		return all.Quarantine.explain(err)
	}
	filter.State, filter.Limit = stateOf(cmd.State), min(cmd.Limit, 500)
	page, err := c.Quarantine(ctx, filter)
	if err != nil {
		return all.Quarantine.explain(err)
	}
	for len(page.Items) < cmd.Limit && page.NextCursor != "" {
		filter.Cursor, filter.Limit = page.NextCursor, min(cmd.Limit-len(page.Items), 500)
		next, err := c.Quarantine(ctx, filter)
		if err != nil {
			return all.Quarantine.explain(err)
		}
		page.Items, page.NextCursor = append(page.Items, next.Items...), next.NextCursor
	}
	if term.json {
		return writeJSON(term.out, page)
	}
	if len(page.Items) == 0 {
		fmt.Fprintln(term.err, "No such record is in quarantine.")
		return nil
	}
	rows := [][]string{{"id", "when", "state", "reason", "where", "saga", "bytes", "message"}}
	now := time.Now()
	for i := range page.Items {
		q := &page.Items[i]
		size := strconv.Itoa(q.Bytes)
		if !q.Kept {
			size += " (not kept)"
		}
		saga := q.SagaID
		if saga == "" {
			saga = "-"
		}
		rows = append(rows, []string{
			strconv.FormatInt(q.ID, 10), took(now.Sub(q.At)) + " ago", string(q.State), q.Reason, placeOf(q), saga, size, clip(q.Message, 60),
		})
	}
	table(term.out, term.style, rows, func(column int, cell string) func(string) string {
		switch {
		case column == 2 && cell == string(client.QuarantineWaiting):
			return term.style.warn
		case column == 5:
			return term.style.dim
		}
		return nil
	})
	if page.NextCursor != "" {
		fmt.Fprintf(term.err, "there are more: --limit %d\n", cmd.Limit*4)
	}
	return nil
}

// placeOf is where a record stands in Kafka.
func placeOf(q *client.Quarantined) string {
	return fmt.Sprintf("%s/%d@%d", plain(q.Topic), q.Partition, q.Offset)
}

// Run counts them.
func (cmd *quarantineGroupsCmd) Run(ctx context.Context, term *console, all *cli) error {
	if cmd.Limit < 1 {
		return wrongUsage("--limit %d: want 1 or more", cmd.Limit)
	}
	c, err := all.Quarantine.open()
	if err != nil {
		return err
	}
	filter, err := cmd.filter(ctx, c)
	if err != nil {
		return all.Quarantine.explain(err)
	}
	filter.State, filter.Limit = stateOf(cmd.State), min(cmd.Limit, 500)
	groups, err := c.QuarantineGroups(ctx, filter)
	if err != nil {
		return all.Quarantine.explain(err)
	}
	if term.json {
		return writeJSON(term.out, client.QuarantineGroupList{Items: groups})
	}
	if len(groups) == 0 {
		fmt.Fprintln(term.err, "No such record is in quarantine.")
		return nil
	}
	now := time.Now()
	rows := [][]string{{"group", "records", "reason", "topic", "first", "last", "example", "message"}}
	for _, g := range groups {
		rows = append(rows, []string{
			g.Fingerprint, strconv.FormatInt(g.Count, 10), g.Reason, plain(g.Topic), took(now.Sub(g.First)) + " ago", took(now.Sub(g.Last)) + " ago",
			strconv.FormatInt(g.Example, 10), clip(g.Message, 60),
		})
	}
	table(term.out, term.style, rows, nil)
	return nil
}

// Run shows it.
func (cmd *quarantineShowCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Quarantine.open()
	if err != nil {
		return err
	}
	q, err := c.QuarantinedRecord(ctx, cmd.ID)
	if err != nil {
		return missing(all.Quarantine.explain(err), "skald quarantine list")
	}
	if term.json {
		return writeJSON(term.out, q)
	}
	showQuarantined(term, &q)
	return nil
}

func showQuarantined(term *console, q *client.Quarantined) {
	s := term.style
	line := func(name, text string) { fmt.Fprintf(term.out, "%s%s\n", s.dim(pad(name, 13)), text) }
	fmt.Fprintf(term.out, "%s %s\n", s.bold(fmt.Sprintf("record %d", q.ID)), s.warn(string(q.State)))
	line("reason", q.Reason+": "+plain(q.Message))
	line("group", q.Fingerprint)
	line("where", placeOf(q)+", written "+stamp(q.Timestamp))
	line("kept since", stamp(q.At))
	if q.SagaID != "" {
		line("saga", q.SagaID+s.dim(" (its token proves it)"))
	}
	if h := q.Handled; h != nil {
		line("handled", fmt.Sprintf("%s by %s at %s: %s", words(string(h.Outcome)), plain(h.By), stamp(h.At), plain(h.Reason)))
		if h.Why != "" {
			line("", plain(h.Why))
		}
		if h.Vouched {
			line("", "the operator stood in for its token")
		}
	}
	line("sha256", q.SHA256)
	if !q.Kept {
		line("value", fmt.Sprintf("%d bytes, not kept: beyond the hourly quota", q.Bytes))
		return
	}
	line("key", printable(q.Key, q.KeyText))
	for _, h := range q.Headers {
		line("header", plain(h.Key)+" = "+printable(h.Value, h.Text))
	}
	line("value", fmt.Sprintf("%d bytes", q.Bytes))
	if len(q.Value) > 0 {
		fmt.Fprintln(term.out, printable(q.Value, pretty(q.ValueText)))
	}
}

func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// printable is bytes as text where they are text that steers no terminal, else quoted.
func printable(b []byte, text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		if plain(lines[i]) != lines[i] {
			return strconv.QuoteToASCII(string(b))
		}
	}
	if text == "" && len(b) > 0 {
		return strconv.QuoteToASCII(string(b))
	}
	return text
}

// pretty indents JSON; other text is left as it is.
func pretty(text string) string {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if !json.Valid([]byte(text)) || enc.Encode(json.RawMessage(text)) != nil {
		return text
	}
	return strings.TrimSuffix(out.String(), "\n")
}
