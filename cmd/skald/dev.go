package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator"
)

// devCmd runs everything in one process, on embedded servers.
type devCmd struct {
	Reset     bool `help:"Begin anew: remove what earlier runs left."`
	Ephemeral bool `help:"Keep nothing: the data goes with the process."`

	configs.Config
}

// Help is shown under the command's usage.
func (devCmd) Help() string {
	return `Brings a real Postgres and a Kafka-protocol broker, makes the schema and the topics, registers the sample definitions, runs the four reference participants, and places three orders. Nothing has to be installed. SKALD_DATABASE_URL and SKALD_KAFKA_BROKERS put servers of your own in their place.

It stays up until Ctrl-C; the next start goes on with what is there. Addresses that are taken are replaced by free ones.`
}

// dev is a running dev mode.
type dev struct {
	cfg   *configs.Config
	term  *console
	log   *slog.Logger
	began time.Time
	own   *devServers
	srv   *server
	up    atomic.Bool // definitions and participants are there
}

// Run runs dev mode until ctx ends.
func (cmd *devCmd) Run(ctx context.Context, term *console, all *cli) (err error) {
	if cmd.Authenticated() {
		return hint(wrongUsage("dev mode lets everybody in, and is reached from this machine alone; auth is %s", cmd.Auth), "skald serve --auth "+cmd.Auth)
	}
	if err := checkSettings(&cmd.Config); err != nil {
		return err
	}
	d := &dev{cfg: &cmd.Config, term: term, log: newLog(term.err, cmd.Log, all.Color), began: time.Now()}
	d.say("\n  %s %s\n\n", term.style.bold("Skald"), term.style.dim("dev mode: everything on this machine, nothing to install"))
	if d.own, err = startDevServers(ctx, cmd, d); err != nil {
		return ignoreEnd(ctx, err)
	}
	defer func() { err = errors.Join(err, d.own.stop()) }()
	applied, err := migrations.Up(ctx, cmd.Database.URL.Reveal())
	if err == nil {
		err = checkSchema(ctx, cmd.Database.URL.Reveal())
	}
	if err != nil {
		return ignoreEnd(ctx, reachDatabase(hint(err, "skald dev --reset   removes the data and begins anew")))
	}
	d.done("schema", describeMigrations(applied))
	if d.srv, err = openServer(ctx, &cmd.Config, d.log, portsOrOther); err != nil {
		return err
	}
	d.srv.ready = d.ready
	err = d.srv.run(ctx, d.run)
	if ctx.Err() != nil {
		d.farewell()
	}
	return err
}

func describeMigrations(applied []int64) string {
	if len(applied) == 0 {
		return "up to date"
	}
	return count(len(applied), "migration") + " applied"
}

// ready is nil once definitions and participants are there, which the engine knows nothing of.
func (d *dev) ready(context.Context) error {
	if !d.up.Load() {
		return errors.New("definitions and participants are not there yet")
	}
	return nil
}

// run brings up what the engine serves, places the orders, and stays until ctx ends.
func (d *dev) run(ctx context.Context, r *replica) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.own.watch(ctx) })
	started := make(chan struct{})
	group.Go(func() error {
		return runParticipants(ctx, d.cfg, d.log, func() { close(started) }, referenceNames()...)
	})
	group.Go(func() error {
		select {
		case <-started:
		case <-ctx.Done():
			return nil
		}
		return ignoreEnd(ctx, d.present(ctx, r))
	})
	return group.Wait()
}

// present ends what startup has to do, and shows it.
func (d *dev) present(ctx context.Context, r *replica) error {
	names, err := d.register(ctx, r)
	if err != nil {
		return err
	}
	d.done("definitions", strings.Join(names, ", "))
	joining, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := awaitGroups(joining, r, d.cfg, referenceNames()); err != nil {
		return fmt.Errorf("wait for the participants: %w", err)
	}
	d.up.Store(true)
	d.done("participants", strings.Join(referenceNames(), ", "))
	if err := await(joining, 20*time.Millisecond, func(context.Context) error { return r.engine.Ready() }); err != nil {
		return fmt.Errorf("wait for the engine: %w", err)
	}
	for _, addr := range d.srv.moved {
		d.say("  %s %s is taken by another process; a free port is used instead\n", d.term.style.warn("!"), addr)
	}
	c, err := client.New(urlOf(d.srv.web), client.WithUserAgent("skald-dev"))
	if err != nil {
		return err
	}
	placed, err := placeOrders(ctx, c)
	if err != nil {
		return fmt.Errorf("place the orders: %w", err)
	}
	return d.report(placed)
}

// register registers the sample definitions. One that was changed since it was registered stays as it is.
func (d *dev) register(ctx context.Context, r *replica) ([]string, error) {
	files, err := fs.Glob(configs.Definitions(), "*.yaml")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		src, err := fs.ReadFile(configs.Definitions(), file)
		if err != nil {
			return nil, err
		}
		row, _, err := r.engine.PutDefinition(ctx, tenantDefault, src, true, "skald dev", "")
		if errors.Is(err, orchestrator.ErrConflict) {
			d.log.WarnContext(ctx, "another content is registered under the same version, and stays; skald dev --reset begins anew", "file", file)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("register the sample %s: %w", file, err)
		}
		names = append(names, fmt.Sprintf("%s@%d", row.Name, row.Version))
	}
	return names, nil
}

// say writes for people; in JSON mode nothing.
func (d *dev) say(format string, args ...any) {
	if !d.term.json {
		fmt.Fprintf(d.term.out, format, args...)
	}
}

// done ticks something off.
func (d *dev) done(what, how string) {
	d.say("  %s %s %s\n", d.term.style.good("✓"), pad(what, 13), d.term.style.dim(how))
}

func (d *dev) farewell() {
	if kept := d.own.kept(); kept != "" {
		d.say("\n  Stopped. The sagas are kept in %s; the next start goes on with them.\n", kept)
		return
	}
	d.say("\n  Stopped.\n")
}

// ignoreEnd drops the errors of what was cut short because it was told to end.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
