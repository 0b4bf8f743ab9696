package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/skaldhq/skald/configs"
)

// cli is the command line.
type cli struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"text, or json for programs."`
	Color  string `enum:"auto,always,never" default:"auto" help:"auto: on a terminal, unless NO_COLOR is set."`

	Dev         devCmd         `cmd:"" group:"run" help:"Run everything on this machine, with servers embedded, and place three orders."`
	Serve       serveCmd       `cmd:"" group:"run" help:"Run the engine and the API against given Postgres and Kafka."`
	Participant participantCmd `cmd:"" group:"run" help:"Run one reference participant as a process of its own; or list those of a server."`
	Conformance conformanceCmd `cmd:"" group:"run" help:"Play against a participant what the protocol says that it must stand."`
	Migrate     migrateCmd     `cmd:"" group:"run" help:"Make, remove or look at the schema skald."`
	Apikey      apikeyCmd      `cmd:"" group:"run" help:"Make, list, rotate and revoke API keys."`
	Topics      topicsCmd      `cmd:"" group:"run" help:"Make the topics that are missing."`

	Saga       sagaCmd       `cmd:"" group:"operate" help:"Start, read and operate sagas."`
	Definition definitionCmd `cmd:"" group:"operate" help:"Check, try, register and list definitions."`
	Hold       holdCmd       `cmd:"" group:"operate" help:"Stop sagas from outside for a while: a definition, a participant, all."`
	Limit      limitCmd      `cmd:"" group:"operate" help:"Bound how much of a definition or a participant goes on at once."`
	Operation  operationCmd  `cmd:"" group:"operate" help:"Do one action with many sagas."`
	Quarantine quarantineCmd `cmd:"" group:"operate" help:"Look at replies that could not be applied, and redrive or discard them."`
	Top        topCmd        `cmd:"" group:"operate" help:"Show what goes on: rates, what waits, the worst participants, stuck sagas."`
	Bench      benchCmd      `cmd:"" group:"operate" help:"Put a load on a server and measure what comes back."`

	Audit     auditCmd     `cmd:"" group:"inspect" help:"Check what is stored against what was promised."`
	Retention retentionCmd `cmd:"" group:"inspect" help:"Remove what is past its retention."`

	Config     configCmd     `cmd:"" group:"about" help:"Print every setting with its default, as a configuration file."`
	Completion completionCmd `cmd:"" group:"about" help:"Print the completion script of a shell."`
	Version    versionCmd    `cmd:"" group:"about" help:"Print the version."`
	Words      wordsCmd      `cmd:"" name:"__complete" hidden:"" help:"Print words that could be typed."`
}

// Help is the text under the list of commands.
func (cli) Help() string {
	return `To see it work, with nothing installed:

  skald dev

Then, in another terminal:

  skald saga list
  skald saga start order-placement --input '{"order_id":"A-1","customer_id":"c-1","amount_cents":4200,"payment_token":"tok_ok","items":[{"sku":"sku-1","quantity":1}]}' --watch
  skald saga get A-1

Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 the server can't be reached or takes no requests now, 4 not found, 5 the saga's state forbids it, 6 the saga ended otherwise than completed. Those of ` + "`skald audit`" + ` are its own: skald audit --help.`
}

// console is what every command writes to and asks.
type console struct {
	streams
	style style
	json  bool
	model *kong.Application
}

// run parses args, runs the command, says what went wrong, and returns the exit code.
func run(ctx context.Context, args []string, std streams) int {
	var c cli
	exited, code := false, 0
	parser, err := kong.New(&c,
		kong.Name("skald"),
		kong.Description("Skald carries a business transaction across services, or undoes it."),
		kong.Writers(std.out, std.err),
		kong.Exit(func(n int) { exited, code = true, n }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "run", Title: "Run:"},
			{Key: "operate", Title: "Operate (through the API of a server):"},
			{Key: "inspect", Title: "Inspect (the database itself):"},
			{Key: "about", Title: "About:"},
		}),
		kong.PostBuild(shapeFlags),
	)
	if err != nil {
		return explain(std.err, newStyle("auto", std.err), err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parse(parser, args, &exited)
	if exited {
		return code
	}
	if err != nil {
		return explain(std.err, newStyle(c.Color, std.err), usageError(err))
	}
	term := &console{streams: std, style: newStyle(c.Color, std.out), json: c.Output == "json", model: parser.Model}
	parsed.Bind(term)
	parsed.BindTo(ctx, (*context.Context)(nil))
	return explain(std.err, newStyle(c.Color, std.err), parsed.Run())
}

// parse is kong's, which goes on after it has printed help.
func parse(parser *kong.Kong, args []string, exited *bool) (*kong.Context, error) {
	ctx, err := parser.Parse(args)
	if *exited {
		return nil, nil
	}
	return ctx, err
}

// usageError points at the help of the command that was meant.
func usageError(err error) error {
	var p *kong.ParseError
	if !errors.As(err, &p) {
		return err
	}
	command := "skald"
	if p.Context != nil {
		if selected := p.Context.Selected(); selected != nil {
			command = selected.FullPath()
		}
	}
	return &hinted{code: exitUsage, err: err, hints: []string{command + " --help"}}
}

// shapeFlags fits the settings to the commands that have them: help shows those that most people need, and defaults differ
// where a command is not the server.
func shapeFlags(k *kong.Kong) error {
	shown := map[string][]string{
		"dev":         {"data-dir", "http-addr", "admin-addr", "database-url", "kafka-brokers", "log-level", "log-format", "config"},
		"serve":       {"http-addr", "admin-addr", "database-url", "kafka-brokers", "reply-keys", "instance-id", "auth", "allow-unauthenticated", "log-level", "log-format", "config"},
		"participant": {"admin-addr", "database-url", "kafka-brokers", "topics-prefix", "log-level", "log-format", "config"},
		"migrate":     {"database-url", "config"},
		"apikey":      {"database-url", "config"},
		"audit":       {"database-url", "config"},
		"retention":   {"database-url", "config", "retention-default", "retention-sagas", "retention-drop", "retention-rate"},
		"topics":      {"database-url", "kafka-brokers", "topics-prefix", "topics-partitions", "topics-replication", "config"},
	}
	settings := map[string]bool{"config": true}
	for _, key := range configs.Keys() {
		settings[key.Flag[len("--"):]] = true
	}
	for _, node := range k.Model.Children {
		show, has := shown[node.Name]
		if !has {
			continue
		}
		for _, flag := range node.Flags {
			if !settings[flag.Name] {
				continue
			}
			flag.Hidden = !slices.Contains(show, flag.Name)
			flag.Group = &kong.Group{Key: "settings", Title: "Settings (all of them: skald config):"}
			switch {
			case node.Name == "participant" && flag.Name == "admin-addr":
				flag.Default, flag.HasDefault = "", false // design section 11: none unless it is set
			case node.Name == "dev" && flag.Name == "log-level":
				flag.Default = "warn" // its own lines say what happens
			}
		}
	}
	return nil
}

// configCmd prints all settings.
type configCmd struct{}

// Run prints them.
func (configCmd) Run(term *console) error {
	if term.json {
		return writeJSON(term.out, configs.Keys())
	}
	_, err := io.WriteString(term.out, configs.SampleFile())
	if err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	return nil
}
