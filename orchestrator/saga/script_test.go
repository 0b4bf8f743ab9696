package saga_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// TestDecide_Scripts plays the scenarios in testdata/scripts, one a file; each quotes the rule that it is about. -rewrite
// writes what Decide says into them: read the difference against the rule before it is committed. The commands:
//
//	define [deadline=1m] [output=fails]       one step a line: see parseStep
//	version N [input=needs-ok]                another version to rebind to, in the same way
//	start                                     begins the saga
//	reply STEP VERB OUTCOME [code=] [edition=] [attempt=] [output=] [retry-after=] [oversized]    (the newest, unless said)
//	pass DURATION                             time goes by unseen
//	wake [DURATION | next]                    and is then looked at (next: at the time that Decide asked for)
//	act ACTION [STEP] [output=] [payload=]    an operator's wish; of rebind: version=
//	publish-refused STEP VERB [maybe-sent]    by the broker, for good
//	hold [PARTICIPANT]    release [PARTICIPANT] [tried=30s]
//	limit [PARTICIPANT | sagas]... room=N     the limits from now on, each with as much room; none: none
//	outbox STEP VERB unpublished|acked|queued what is known of the newest attempt from now on
func TestDecide_Scripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scripts/*.txt")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 40, "a scenario for each rule and each action of an operator")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			s := &script{at: epoch(), sent: map[legKey]saga.Sent{}}
			datadriven.RunTest(t, file, s.run)
		})
	}
}

// script is the saga of one scenario.
type script struct {
	def    *saga.Definition
	in     saga.Instance
	at     time.Time
	wakeAt time.Time
	events int
	facts  []saga.Fact
	holds  []saga.Hold
	limits []saga.Limit
	sent   map[legKey]saga.Sent

	targets map[int]*saga.Definition // by version
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	args, options := splitArgs(d)
	switch d.Cmd {
	case "define":
		s.def = &saga.Definition{Name: "scenario", Version: 1}
		return define(t, s.def, d, options)
	case "version":
		to := &saga.Definition{Name: "scenario"}
		_, err := fmt.Sscan(args[0], &to.Version)
		require.NoError(t, err)
		if s.targets == nil {
			s.targets = map[int]*saga.Definition{}
		}
		s.targets[to.Version] = to
		return define(t, to, d, options)
	case "pass":
		s.at = s.at.Add(duration(t, args[0]))
	case "hold":
		s.holds = append(s.holds, saga.Hold{Participant: strings.Join(args, ""), From: s.at, Reason: "maintenance"})
	case "release":
		for i := range s.holds {
			if s.holds[i].Participant == strings.Join(args, "") && s.holds[i].To.IsZero() {
				s.holds[i].To = s.at
				if v := options["tried"]; v != "" {
					s.holds[i].TriedUntil = s.at.Add(duration(t, v))
				}
			}
		}
	case "limit":
		s.limits = nil
		for _, a := range args {
			room := 0
			_, err := fmt.Sscan(options["room"]+" ", &room)
			require.NoError(t, err)
			l := saga.Limit{What: "commands of participant " + a, Figure: "10 of 10", Room: room, Participant: a}
			if a == "sagas" {
				l.What, l.Participant, l.Begins = "sagas of scenario", "", true
			}
			s.limits = append(s.limits, l)
		}
	case "outbox":
		s.outbox(t, args)
	default:
		return s.decide(t, s.body(t, d))
	}
	return ""
}

// try is run for what the table asks about: the decision itself, or its error.
func (s *script) try(t *testing.T, d *datadriven.TestData) (saga.Decision, error) {
	t.Helper()
	return s.judge(t, s.body(t, d))
}

// body is what happens by a command.
func (s *script) body(t *testing.T, d *datadriven.TestData) saga.Body {
	t.Helper()
	args, options := splitArgs(d)
	switch d.Cmd {
	case "start":
		return saga.Started{ID: testID(), Tenant: "default", Input: json.RawMessage(`{"n":1}`), By: "api"}
	case "reply":
		return s.reply(t, args, options)
	case "wake":
		switch {
		case len(args) > 0 && args[0] == "next":
			s.at = s.wakeAt
		case len(args) > 0:
			s.at = s.at.Add(duration(t, args[0]))
		}
		return saga.Woken{}
	case "act":
		return s.acted(args, options)
	case "publish-refused":
		leg := s.leg(t, args[0], saga.Verb(args[1]))
		return saga.PublishRefused{
			Step: args[0], Verb: saga.Verb(args[1]), Edition: leg.Edition, Attempt: leg.Attempt,
			MaybeSent: len(args) > 2, Message: "message too large",
		}
	default:
		t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
		return nil
	}
}

func splitArgs(d *datadriven.TestData) (args []string, options map[string]string) {
	options = map[string]string{}
	for _, a := range d.CmdArgs {
		if len(a.Vals) == 0 {
			args = append(args, a.Key)
			continue
		}
		options[a.Key] = strings.Join(a.Vals, ",")
	}
	return args, options
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	require.NoError(t, err)
	return d
}

func define(t *testing.T, def *saga.Definition, d *datadriven.TestData, options map[string]string) string {
	t.Helper()
	if v := options["deadline"]; v != "" {
		def.Deadline = duration(t, v)
	}
	def.Output = parseExpr(options["output"])
	if options["input"] == "needs-ok" {
		def.Input = okSchema{}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(d.Input), "\n") {
		def.Steps = append(def.Steps, parseStep(t, def, line))
	}
	var b strings.Builder
	for _, p := range def.Link() {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

// parseStep reads a line such as: charge pivot after=a,b participant=p timeout=5s max=2 probe returns effect-none when=false
// payload=fails undo=none|fails|output undo-max=3. Without `after` a step follows the one above it.
func parseStep(t *testing.T, def *saga.Definition, line string) saga.Step {
	t.Helper()
	words := strings.Fields(line)
	step := plain(words[0])
	if n := len(def.Steps); n > 0 {
		step.After = []int{n - 1}
	}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "pivot", "retriable":
			step.Kind, step.Compensation = saga.Kind(key), nil
		case "after":
			step.After = nil
			for name := range strings.SplitSeq(value, ",") {
				if i := def.StepIndex(name); i >= 0 {
					step.After = append(step.After, i)
				}
			}
		case "participant":
			step.Participant = value
		case "timeout":
			step.Timeout = duration(t, value)
		case "max":
			_, err := fmt.Sscan(value, &step.Retry.MaxAttempts)
			require.NoError(t, err)
		case "undo-max":
			_, err := fmt.Sscan(value, &step.Compensation.Retry.MaxAttempts)
			require.NoError(t, err)
		case "probe":
			step.Probe = "Probe.v1"
		case "returns":
			step.Returns = okSchema{}
		case "effect-none":
			step.EffectNone, step.Compensation = true, nil
		case "when":
			step.When = parseExpr(value)
		case "payload":
			step.Payload = parseExpr(value)
		case "undo":
			step.Compensation = parseUndo(step.Compensation, value)
		default:
			t.Fatalf("unknown word %q in %q", w, line)
		}
	}
	return step
}

func parseExpr(value string) saga.Expr {
	switch value {
	case "":
		return nil
	case "fails":
		return failExpr()
	default:
		if step, ok := strings.CutPrefix(value, "output-of-"); ok {
			return outputExpr(step)
		}
		return constExpr(value)
	}
}

func parseUndo(c *saga.Compensation, value string) *saga.Compensation {
	if c == nil {
		c = plain("x").Compensation
	}
	switch value {
	case "none":
		return nil
	case "fails":
		c.Payload = failExpr()
	case "output":
		c.Payload = ownOutputExpr()
	}
	return c
}

func (s *script) leg(t *testing.T, step string, verb saga.Verb) saga.Leg {
	t.Helper()
	i := s.def.StepIndex(step)
	if i < 0 || len(s.in.Steps) == 0 {
		return saga.Leg{}
	}
	if verb == saga.Compensate {
		return s.in.Steps[i].Backward
	}
	return s.in.Steps[i].Forward
}

func (s *script) reply(t *testing.T, args []string, options map[string]string) saga.Replied {
	t.Helper()
	r := saga.Replied{Step: args[0], Verb: saga.Verb(args[1]), Outcome: saga.ReplyOutcome(args[2]), Code: options["code"]}
	leg := s.leg(t, r.Step, r.Verb)
	r.Edition, r.Attempt = leg.Edition, leg.Attempt
	for key, to := range map[string]*int{"edition": &r.Edition, "attempt": &r.Attempt} {
		if v := options[key]; v != "" {
			_, err := fmt.Sscan(v, to)
			require.NoError(t, err)
		}
	}
	if v := options["retry-after"]; v != "" {
		r.RetryAfter = duration(t, v)
	}
	switch {
	case len(args) > 3:
		r.Oversized = args[3] == "oversized"
	case options["output"] != "":
		r.Value = json.RawMessage(options["output"])
	case r.Outcome == saga.ReplySucceeded && r.Verb != saga.Compensate:
		r.Value = json.RawMessage(goodOutput)
	}
	return r
}

func (s *script) acted(args []string, options map[string]string) saga.Acted {
	a := saga.Acted{Action: saga.Action(args[0]), Reason: "because", By: "ann"}
	switch {
	case a.Action == saga.ActionRebind:
		_, _ = fmt.Sscan(options["version"], &a.Version)
		if to := s.targets[a.Version]; to != nil {
			a.To = &saga.Target{Definition: to, Holds: s.holds}
		}
	case len(args) > 1:
		a.Step = args[1]
	}
	if v := options["output"]; v != "" {
		a.Output = json.RawMessage(v)
	}
	if v := options["payload"]; v != "" {
		a.Payload = json.RawMessage(v)
	}
	return a
}

func (s *script) outbox(t *testing.T, args []string) {
	t.Helper()
	known := saga.Sent{Step: s.def.StepIndex(args[0]), Verb: saga.Verb(args[1])}
	switch args[2] {
	case "unpublished":
		known.Unpublished = true
	case "acked":
		known.AckedAt = s.at
	case "queued":
		known.Queued, known.AckedAt = true, s.at
	default:
		t.Fatalf("unknown state of the outbox: %s", args[2])
	}
	s.sent[legKey{args[0], known.Verb}] = known
}

// decide judges one event, and says all that came of it.
func (s *script) decide(t *testing.T, body saga.Body) string {
	t.Helper()
	d, err := s.judge(t, body)
	var refused *saga.RefusedError
	var notAsked *saga.NotAskedError
	switch {
	case errors.As(err, &refused):
		return fmt.Sprintf("refused %s: %s\npossible: %v\n", refused.Code, refused.Message, refused.Possible)
	case errors.As(err, &notAsked):
		return fmt.Sprintf("not asked: %s\n", notAsked.Message)
	}
	require.NoError(t, err)
	return printDecision(s.def, d)
}

func (s *script) judge(t *testing.T, body saga.Body) (saga.Decision, error) {
	t.Helper()
	s.events++
	ev := saga.Event{ID: fmt.Sprintf("e%d", s.events), Body: body, Env: saga.Env{At: s.at, Jitter: 0.5}}
	ev.Holds = append(ev.Holds, s.holds...)
	ev.Limits = append(ev.Limits, s.limits...)
	for i := range s.def.Steps {
		for _, verb := range []saga.Verb{saga.Execute, saga.Compensate} {
			if known, ok := s.sent[legKey{s.def.Steps[i].Name, verb}]; ok {
				ev.Sent = append(ev.Sent, known)
			}
		}
	}
	d, err := saga.Decide(s.def, s.in, ev)
	if err != nil {
		return d, err
	}
	if to := s.targets[d.Next.Version]; to != nil {
		s.def = to
	}
	for _, c := range d.Commands {
		delete(s.sent, legKey{c.Step, legOf(c.Verb)})
	}
	s.in, s.wakeAt = d.Next, d.WakeAt
	s.facts = append(s.facts, d.Facts...)
	folded, err := saga.Fold(s.def, s.facts)
	require.NoError(t, err)
	require.Empty(t, saga.Equivalent(s.def, folded, s.in), "S4: folding the history gives the stored state")
	return d, nil
}
