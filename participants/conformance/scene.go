package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/participants/wire"
)

// scene is one check while it is played: a saga of its own, what was seen so far, and whether that is what the protocol says. Once it is not,
// nothing more is sent or judged.
type scene struct {
	*session
	ctx     context.Context
	saga    wire.ID
	seen    []string
	verdict Verdict // "": good so far
	silent  bool    // an answer has not come
}

func (s *session) scene(ctx context.Context) *scene {
	return &scene{session: s, ctx: ctx, saga: wire.RandomID()}
}

func (s *scene) over() bool { return s.verdict != "" }

func (s *scene) see(format string, args ...any) {
	s.seen = append(s.seen, fmt.Sprintf(format, args...))
}

func (s *scene) fail(format string, args ...any) {
	if !s.over() {
		s.verdict = Fail
		s.see(format, args...)
	}
}

// untried ends the scene: what it needs is not there.
func (s *scene) untried(format string, args ...any) {
	if !s.over() {
		s.verdict, s.seen = Untried, []string{fmt.Sprintf(format, args...)}
	}
}

func (s *scene) saw() string { return strings.Join(s.seen, "; ") }

// The commands of the plan, in the scene's saga.

func (s *scene) execute(edition int) wire.Command { return s.executing(edition, s.Plan.Payload) }

func (s *scene) refused(edition int) wire.Command { return s.executing(edition, s.Plan.Refused) }

func (s *scene) executing(edition int, payload []byte) wire.Command {
	return s.command(s.saga, s.Plan.Command, wire.Execute, edition, render(payload, s.saga))
}

// compensate is the compensation of what was executed with a payload, and answered with output; nil: nothing was answered.
func (s *scene) compensate(edition int, output []byte) wire.Command {
	payload := render(s.Plan.UndoPayload, s.saga)
	if s.Plan.UndoPayload == nil {
		if !json.Valid(output) {
			output = []byte("null")
		}
		payload = fmt.Appendf(nil, `{"payload": %s, "output": %s}`, render(s.Plan.Payload, s.saga), output)
	}
	return s.command(s.saga, s.Plan.Undo, wire.Compensate, edition, payload)
}

func (s *scene) probe(edition int) wire.Command {
	return s.command(s.saga, s.Plan.probe(), wire.Probe, edition, render(s.Plan.Payload, s.saga))
}

// ask sends one command and waits for its answer.
func (s *scene) ask(c wire.Command) answer { return s.all(s.deliver(c))[0] }

// all sends deliveries at once, and waits until each is answered.
func (s *scene) all(deliveries ...*delivery) []answer {
	answers := make([]answer, len(deliveries))
	if s.over() {
		return answers
	}
	if err := s.send(s.ctx, deliveries...); err != nil {
		s.untried("%v", err)
		return answers
	}
	s.collect(s.Patience, answers, deliveries)
	return answers
}

// collect waits for the answers to deliveries that were sent.
func (s *scene) collect(patience time.Duration, answers []answer, deliveries []*delivery) {
	if !s.await(s.ctx, patience, deliveries...) {
		s.silent = true
		s.fail("%s: no answer within %s", unanswered(deliveries), patience)
		return
	}
	for i, d := range deliveries {
		answers[i] = d.answers[0]
		if i < few {
			s.see("%s: %s", what(&d.command), answers[i])
		}
	}
}

// few is how many answers of many sent at once are told.
const few = 3

func unanswered(deliveries []*delivery) string {
	for _, d := range deliveries {
		if len(d.answers) == 0 {
			return what(&d.command)
		}
	}
	return ""
}

// what names a command in what was seen.
func what(c *wire.Command) string {
	text := string(c.Verb)
	if c.Edition > 0 {
		text += fmt.Sprintf(" of edition %d", c.Edition)
	}
	if c.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", c.Attempt)
	}
	return text
}

// want judges an answer. code "": any but those that mean something else to the engine.
func (s *scene) want(a answer, outcome wire.Outcome, code string) {
	switch {
	case s.over():
	case a.outcome != string(outcome) || code != "" && a.code != code:
		s.fail("want %s", strings.TrimSpace(string(outcome)+" "+code))
	case code == "" && (a.code == wire.CodeNothingToUndo || a.code == wire.CodeAlreadyCompensated || a.code == wire.CodeSuperseded):
		s.fail("want %s without that code", outcome)
	}
}

// same judges whether a duplicate was answered like the first.
func (s *scene) same(first, again answer) {
	if s.over() {
		return
	}
	if difference := first.differs(again); difference != "" {
		s.fail("want the same answer: %s", difference)
	}
}
