package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/bench/load"
)

// benchCmd puts a load on a running server.
type benchCmd struct {
	remote

	Saga     string        `arg:"" optional:"" default:"order-placement" completes:"version" help:"The definition's name, or name@version."`
	InFlight int           `short:"n" xor:"load" placeholder:"16" help:"Keep so many sagas in flight: when one ends, the next starts. The default, with 16."`
	Rate     float64       `short:"r" xor:"load" placeholder:"N" help:"Start so many a second, each at its time, whatever comes back."`
	Duration time.Duration `short:"d" default:"10s" help:"How long it measures."`
	WarmUp   time.Duration `default:"2s" help:"How long the load is on before that."`
	Input    string        `short:"i" placeholder:"JSON" help:"The input: JSON, @file, or - for standard input; {{n}} in it becomes a number, another one for each saga. Without it, a sample order."`
	Declined float64       `placeholder:"SHARE" help:"Share of the sample orders whose card is declined, 0 to 1; what they did is undone."`
	Observe  string        `enum:"events,wait" default:"events" help:"How ends are learned: events (the server's event stream) or wait (each start waits for its saga's end, at most 60s)."`
}

// Help is shown under the command's usage.
func (benchCmd) Help() string {
	return `It starts real sagas, which call their participants and stay in the server's database with the label bench=<run>: not for a server that others need.

What it measures is the way from this machine and back:
  accepted   from the request to the answer that the saga is stored
  ended      from the request until its end was seen here; with --observe events that is after the event has gone through Kafka
With --rate both clocks run from when a start was due, so that nothing is left out while the server stands still; sagas that have not ended when the run is over count with the time they have taken. This program takes CPU time too: on the server's own machine that is missing there.

Examples:

  skald bench
  skald bench --in-flight 64 --duration 30s
  skald bench --rate 200 --declined 0.1
  skald bench my-saga@2 --input '{"id": "run-7-{{n}}"}' --observe wait

Ctrl-C prints what there is.`
}

// Validate is called by kong.
func (cmd *benchCmd) Validate() error {
	var errs []error
	if cmd.InFlight < 0 || cmd.Rate < 0 {
		errs = append(errs, errors.New("--in-flight and --rate: want a positive number"))
	}
	if cmd.Declined < 0 || cmd.Declined > 1 {
		errs = append(errs, errors.New("--declined: want a share from 0 to 1"))
	}
	if cmd.Declined > 0 && cmd.Input != "" {
		errs = append(errs, errors.New("--declined is about sample orders, not about an --input"))
	}
	if cmd.Duration <= 0 || cmd.WarmUp < 0 {
		errs = append(errs, errors.New("--duration and --warm-up: want a positive time"))
	}
	return errors.Join(errs...)
}

// benchDrain is how long the last sagas are waited for, and benchWait how long a start that waits does.
const (
	benchDrain = 30 * time.Second
	benchWait  = time.Minute
)

// Run puts the load on.
func (cmd *benchCmd) Run(ctx context.Context, term *console) error {
	b, err := cmd.prepare(ctx, term)
	if err != nil {
		return cmd.explain(err)
	}
	progress := newBenchProgress(term)
	cfg := load.Config{
		InFlight: b.inFlight, Rate: cmd.Rate, Start: b.start, Watch: b.watch, WarmUp: cmd.WarmUp, Duration: cmd.Duration, Drain: benchDrain,
		Posters: load.PostersDefault, Progress: progress.show,
	}
	if cmd.Observe == "wait" {
		cfg.Watch, cfg.Posters, cfg.Drain = nil, max(1, b.inFlight), benchWait
	}
	result, err := load.Run(ctx, cfg)
	progress.clear()
	if err != nil {
		return cmd.explain(b.noEnd(err))
	}
	if term.json {
		return writeJSON(term.out, b.report(&result))
	}
	b.print(term, &result)
	return nil
}

// benchRun is one run.
type benchRun struct {
	cmd      *benchCmd
	client   *client.Client
	name     string
	version  int
	run      string // in the label and the orders' ids
	input    []byte // nil: sample orders
	inFlight int    // 0: at a rate
}

func (cmd *benchCmd) prepare(ctx context.Context, term *console) (*benchRun, error) {
	b := &benchRun{cmd: cmd, run: "bench-" + strings.ToLower(rand.Text()[:8]), inFlight: cmd.InFlight}
	if b.inFlight == 0 && cmd.Rate == 0 {
		b.inFlight = 16
	}
	var err error
	if b.name, b.version, err = splitVersion(cmd.Saga); err != nil {
		return nil, err
	}
	if cmd.Input != "" {
		if b.input, err = readArgument(term.in, cmd.Input); err != nil {
			return nil, err
		}
		if !json.Valid(b.inputOf(0)) {
			return nil, wrongUsage("the input is no JSON: %s", clip(string(b.input), 60))
		}
	}
	conns := load.PostersDefault
	if cmd.Observe == "wait" {
		conns = max(conns, b.inFlight)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 2*conns, 2*conns
	b.client, err = client.New(cmd.Server, client.WithToken(cmd.Token), client.WithUserAgent("skald-cli/"+readBuild().Version),
		client.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		return nil, &hinted{code: exitUsage, err: err}
	}
	return b, b.findVersion(ctx)
}

// findVersion asks for the version that will be measured, so that the result can name it.
func (b *benchRun) findVersion(ctx context.Context) error {
	list, err := b.client.Definitions(ctx, b.name)
	if err != nil {
		return err
	}
	for _, def := range list.Items { // newest first
		if def.Version == b.version || b.version == 0 && def.State == "active" {
			b.version = def.Version
			return nil
		}
	}
	return &hinted{code: exitNotFound, err: fmt.Errorf("there is no %s that takes sagas", b.cmd.Saga), hints: []string{"skald definition list"}}
}

// start is a load.StartFunc.
func (b *benchRun) start(ctx context.Context, n int64) (load.Started, error) {
	req := client.StartRequest{Saga: b.name, Version: b.version, Input: b.inputOf(n), Labels: map[string]string{"bench": b.run}}
	var opts []client.CallOption
	if b.cmd.Observe == "wait" {
		opts = append(opts, client.WithWait(benchWait))
	}
	result, err := b.client.Start(ctx, req, opts...)
	return load.Started{ID: result.ID, Status: result.Status}, err
}

func (b *benchRun) inputOf(n int64) json.RawMessage {
	if b.input == nil {
		return load.Order(b.run, n, load.Every(n, b.cmd.Declined))
	}
	return bytes.ReplaceAll(b.input, []byte("{{n}}"), strconv.AppendInt(nil, n, 10))
}

// watch is a load.WatchFunc: it learns of ends from the server's event stream. A stream that breaks is gone on with where it
// broke.
func (b *benchRun) watch(ctx context.Context, ended func(string, client.Status)) error {
	ends := map[string]client.Status{"saga.completed": client.Completed, "saga.compensated": client.Compensated, "saga.abandoned": client.Abandoned}
	last := ""
	for broken := 0; ; broken++ {
		var failed error
		for event, err := range b.client.Events(ctx, last) {
			if err != nil {
				failed = err
				break
			}
			last, broken = event.ID, 0
			status, isEnd := ends[event.Type]
			if !isEnd {
				continue
			}
			var of struct {
				SagaID string `json:"saga_id"`
			}
			if err := json.Unmarshal(event.Data, &of); err != nil {
				return fmt.Errorf("read an event: %w", err)
			}
			ended(of.SagaID, status)
		}
		var answer *client.Error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(failed, &answer) && !answer.Retryable || broken == 5:
			return failed
		}
		select {
		case <-time.After(min(50*time.Millisecond<<broken, time.Second)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// noEnd says what may be missing where nothing ends.
func (b *benchRun) noEnd(err error) error {
	if !errors.Is(err, load.ErrNoEnd) {
		return err
	}
	return &hinted{code: exitFailed, err: fmt.Errorf("%s takes sagas, and %w", b.name, err), hints: []string{
		"skald saga list --saga " + b.name + "   to see what they wait for: do their participants run?",
		"--observe wait   where the definition says `events: none`",
	}}
}
