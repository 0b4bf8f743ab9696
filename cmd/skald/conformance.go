package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skaldhq/skald/participants/conformance"
	ckafka "github.com/skaldhq/skald/participants/conformance/kafka"
	"github.com/skaldhq/skald/participants/wire"
)

// conformanceCmd plays the conformance kit against a participant.
type conformanceCmd struct {
	Participant string        `placeholder:"NAME" help:"Whom to play against. Those that come with skald need no plan."`
	Brokers     []string      `env:"SKALD_KAFKA_BROKERS" default:"localhost:9092" placeholder:"HOST:PORT" aliases:"kafka-brokers" help:"Kafka's addresses (${default})."`
	Prefix      string        `name:"topics-prefix" env:"SKALD_TOPICS_PREFIX" placeholder:"TEXT" help:"Put before the names of topics and groups."`
	Plan        string        `placeholder:"FILE" help:"What the participant takes, as YAML."`
	Start       string        `placeholder:"COMMAND" help:"Starts the participant, so that it can be crashed."`
	Log         string        `placeholder:"FILE" help:"Where what a started participant prints goes."`
	Patience    time.Duration `default:"10s" placeholder:"TIME" help:"How long a reply may take (${default})."`
	Tenant      string        `default:"conformance" placeholder:"NAME" help:"The tenant of the commands that are sent (${default})."`
	List        bool          `help:"List the checks and what the protocol says, and play none."`
}

// Help is shown under the command's usage.
func (conformanceCmd) Help() string {
	return `It sends commands as the engine does, each check in sagas of its own, and judges the replies by docs/protocol.md. The effects are real: play against an installation that is there for tests. Exit code 1 means that a check failed.

A plan says which commands the participant takes (` + "`${saga}`" + ` is another in each check):

  participant: payments
  command: ChargePayment.v1
  payload: {order_id: "${saga}", amount_cents: 4200, token: tok_ok}          # is answered succeeded
  refused: {order_id: "${saga}", amount_cents: 4200, token: tok_declined}    # rejected; may be left out
  flaky:   {order_id: "${saga}", amount_cents: 4200, token: tok_flaky}       # failed at attempt 1 alone; may be left out
  compensation: {command: RefundPayment.v1}                                  # with a payload of its own, or the engine's; may be left out
  probe: FindPayment.v1                                                      # may be left out

With --start the participant is also killed between its commit and its reply, and started again. The command gets SKALD_KAFKA_BROKERS and SKALD_TOPICS_PREFIX, and what else is in the environment.

Example:

  skald conformance --participant payments --brokers localhost:9092
  skald conformance --plan shop.yaml --start 'python -m shop'`
}

// Run plays it.
func (cmd *conformanceCmd) Run(ctx context.Context, term *console) error {
	if cmd.List {
		return listChecks(term)
	}
	plan, err := cmd.plan(term)
	if err != nil {
		return err
	}
	config := ckafka.Config{Brokers: cmd.Brokers, Topics: wire.Topics{Prefix: cmd.Prefix}, Participant: plan.Participant}
	var started *startedParticipant
	if cmd.Start != "" {
		if started, err = cmd.process(); err != nil {
			return err
		}
		defer started.close()
		config.Process = started
	}
	link, err := ckafka.Open(ctx, config)
	if err != nil {
		return cmd.explain(ctx, plan, started, err)
	}
	kit := conformance.Config{Plan: plan, Link: link, Patience: cmd.Patience, Tenant: cmd.Tenant, Progress: conformanceProgress(term)}
	if started != nil {
		kit.Crasher = link
	}
	report, err := conformance.Run(ctx, kit)
	if err = errors.Join(err, link.Close()); err != nil {
		return err
	}
	return printReport(term, &report)
}

// plan is the one that was given, else the one that comes with skald.
func (cmd *conformanceCmd) plan(term *console) (*conformance.Plan, error) {
	if cmd.Plan == "" {
		if cmd.Participant == "" {
			return nil, hint(wrongUsage("whom to play against is not said: --participant or --plan"), "skald conformance --help")
		}
		plan, ok := conformance.BuiltIn(cmd.Participant)
		if !ok {
			return nil, hint(wrongUsage("no plan for %s comes with skald: what it takes must be said", cmd.Participant),
				"--plan FILE        skald conformance --help shows one")
		}
		return plan, nil
	}
	src, err := readFile(term.in, cmd.Plan)
	if err != nil {
		return nil, err
	}
	plan, err := conformance.ReadPlan(cmd.Plan, src)
	if err != nil {
		return nil, &hinted{code: exitUsage, err: err}
	}
	if cmd.Participant != "" && cmd.Participant != plan.Participant {
		return nil, wrongUsage("--participant says %s, and the plan %s", cmd.Participant, plan.Participant)
	}
	return plan, nil
}

// explain says what to do where the participant could not be reached.
func (cmd *conformanceCmd) explain(ctx context.Context, plan *conformance.Plan, started *startedParticipant, err error) error {
	start := "--start COMMAND    to have it started here, and crashed too"
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ckafka.ErrNobody), errors.Is(err, ckafka.ErrNoTopic):
		return &hinted{code: exitUnreachable, err: err, hints: []string{"is it running, with the same --topics-prefix (" + fmt.Sprintf("%q", cmd.Prefix) + ")?", start}}
	case errors.Is(err, ckafka.ErrRunning):
		return &hinted{code: exitUsage, err: err, hints: []string{"stop it, so that the one that is started here can be crashed", "or leave out --start"}}
	case errors.Is(err, ckafka.ErrStart):
		if printed := started.printed(); printed != "" {
			err = fmt.Errorf("%w\nit printed:\n%s", err, printed)
		}
		return hint(err, "--start must run "+plan.Participant+" in the foreground, with the settings that it needs")
	}
	return &hinted{code: exitUnreachable, err: err, hints: []string{"is Kafka up, and is --brokers (SKALD_KAFKA_BROKERS) right?"}}
}
