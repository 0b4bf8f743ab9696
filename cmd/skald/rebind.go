package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/skaldhq/skald/api/client"
)

// rebindCmd has a saga go on by another version of its definition.
type rebindCmd struct {
	act
	To int `required:"" placeholder:"VERSION" help:"The version to go on by: the same steps, kinds and edges, and the same commands."`
}

// Help is shown under the command's usage.
func (rebindCmd) Help() string {
	return `A definition never changes, so a mistake in it is mended in a new version; live sagas are then rebound to it.

Examples:

  skald definition apply order-placement-v2.yaml
  skald saga rebind A-1 --to 2 --reason "the amount was in euros" --dry-run
  skald operation start rebind --to 2 --saga order-placement --status running,suspended --reason "the amount was in euros"
  skald operation start retry --saga order-placement --attention expression --reason "mended in version 2"`
}

// Run rebinds it.
func (cmd *rebindCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Saga.open()
	if err != nil {
		return err
	}
	id, err := find(ctx, c, cmd.Saga)
	if err != nil {
		return all.Saga.explain(err)
	}
	req := client.RebindRequest{Version: cmd.To, Reason: cmd.Reason}
	var opts []client.CallOption
	if cmd.IfRevision != 0 {
		opts = append(opts, client.IfRevision(cmd.IfRevision))
	}
	if cmd.DryRun {
		preview, err := c.DryRunRebind(ctx, id, req, opts...)
		if err != nil {
			return all.Saga.explain(err)
		}
		return printPreview(term, &preview)
	}
	if cmd.IdempotencyKey != "" {
		opts = append(opts, client.WithIdempotencyKey(cmd.IdempotencyKey))
	}
	done, err := c.Rebind(ctx, id, req, opts...)
	if err != nil {
		return all.Saga.explain(err)
	}
	if term.json {
		return writeJSON(term.out, done.Acted)
	}
	fmt.Fprintf(term.out, "%s: %s %s\n", statusPaint(term.style, done.Status)(string(done.Status)), plain(strings.TrimSuffix(done.Why, ".")),
		term.style.dim(fmt.Sprintf("(%s, revision %d)", id, done.Revision)))
	return nil
}
