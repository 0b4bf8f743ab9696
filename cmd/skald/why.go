package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// sagaWhyCmd says in words why a saga waits.
type sagaWhyCmd struct{ sagaRef }

// Help is shown under the command's usage.
func (sagaWhyCmd) Help() string {
	return `Says what a saga waits for, since when and until when, what the engine does next by itself, and what a person could do, with the commands to type.

Example:

  skald saga why A-1`
}

// Run says it.
func (cmd *sagaWhyCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Saga.open()
	if err != nil {
		return err
	}
	sg, err := readSaga(ctx, c, cmd.Saga)
	if err != nil {
		return all.Saga.explain(err)
	}
	if term.json {
		return writeJSON(term.out, map[string]any{"id": sg.ID, "status": sg.Status, "blocked_on": sg.BlockedOn, "attention": sg.Attention})
	}
	why(term, &sg, time.Now())
	return nil
}

// reason is one thing that a saga waits for, in words.
type reason struct {
	what  string
	lines [][2]string // a label and what it says
	can   []string    // commands to type
}

// why writes what a saga waits for.
func why(term *console, sg *client.Saga, now time.Time) {
	headline(term, sg, now)
	s, w := term.style, term.out
	if sg.Status.Terminal() {
		fmt.Fprintln(w, "It has ended, and waits for nothing.")
	}
	for i := range sg.BlockedOn {
		r := explainBlocked(sg, &sg.BlockedOn[i], now)
		fmt.Fprintf(w, "\n%s\n", s.bold(plain(r.what)))
		for _, line := range r.lines {
			fmt.Fprintf(w, "  %s %s\n", s.dim(pad(line[0], 9)), plain(line[1]))
		}
		for j, command := range r.can {
			label := ""
			if j == 0 {
				label = "you could"
			}
			fmt.Fprintf(w, "  %s %s\n", s.dim(pad(label, 9)), s.out(plain(command)))
		}
	}
	for _, a := range sg.Attention {
		fmt.Fprintf(w, "\n%s %s%s, for %s\n", s.warn("needs attention:"), words(a.Reason), plain(of(a.Step)), took(now.Sub(a.Since)))
		if command := acknowledges(sg, &a); command != "" {
			fmt.Fprintf(w, "  %s %s\n", s.dim("you could"), s.out(command))
		}
	}
	if sg.Deadline != nil && !sg.Status.Terminal() {
		fmt.Fprintf(w, "\n%s\n", s.dim("deadline "+when(*sg.Deadline, now)))
	}
}

func explainBlocked(sg *client.Saga, b *client.BlockedOn, now time.Time) reason {
	switch b.Cause {
	case "reply":
		return whyReply(sg, b, now)
	case "backoff":
		return whyBackoff(sg, b, now)
	case "hold":
		return whyHold(sg, b, now)
	case "unpublished":
		return reason{
			what: fmt.Sprintf("%s waits for Kafka to take %s.", b.Step, b.Command),
			lines: [][2]string{
				{"since", when(b.Since, now)},
				{"next", "it is sent as soon as Kafka takes records again, and its timeout begins then"},
				{"look at", "Kafka: is it up, and is there a topic for the commands of " + b.Participant + "?"},
			},
			can: []string{"skald topics ensure"},
		}
	}
	return whyAttention(sg, b, now)
}

func whyReply(sg *client.Saga, b *client.BlockedOn, now time.Time) reason {
	r := reason{what: fmt.Sprintf("%s waits for an answer of %s to %s, attempt %d.", b.Step, b.Participant, b.Command, b.Attempt)}
	if b.Verb == "compensate" {
		r.what = fmt.Sprintf("%s waits for %s to undo it: %s, attempt %d.", b.Step, b.Participant, b.Command, b.Attempt)
	}
	r.add("since", when(b.Since, now))
	if b.Record != nil && b.Record.At != nil {
		r.add("record", coordinates(b.Record)+", acknowledged "+when(*b.Record.At, now))
	} else {
		r.add("record", "not acknowledged by Kafka yet, as far as is known")
	}
	if b.HeartbeatAt != nil && !b.Queued {
		r.add("heartbeat", when(*b.HeartbeatAt, now))
	}
	if text := consumers(b); text != "" {
		r.add("consumer", text)
	}
	switch {
	case b.Queued && sg.Abort != nil && b.Verb != "compensate":
		r.add("next", "the saga is being undone: at "+clock(b.Until)+" the step counts as unknown, and is undone too")
	case b.Queued:
		r.add("next", b.Participant+" has not reached it: it is neither sent again nor counted until it has, and nothing is undone for that")
	case sg.Abort != nil && b.Verb != "compensate":
		r.add("next", until(b, now)+"the step counts as unknown, and is undone too")
	case b.Verb == "compensate":
		r.add("next", until(b, now)+"it is sent again; a compensation is retried without limit")
	case kindOf(sg, b.Step) == "compensatable":
		r.add("next", until(b, now)+"it is sent again, or, once its attempts are used up, everything is undone")
	default:
		r.add("next", until(b, now)+"it is sent again; a "+kindOf(sg, b.Step)+" step is retried without limit")
	}
	if b.Verb == "compensate" {
		return r
	}
	r.can = append(r.can, step("complete", sg, b.Step)+"   if you know that it was done")
	if kindOf(sg, b.Step) != "retriable" {
		r.can = append(r.can, step("reject", sg, b.Step)+"   to give it up and undo everything", whole("cancel", sg))
	}
	return r
}

// consumers says how far the participant's group is.
func consumers(b *client.BlockedOn) string {
	var parts []string
	if b.Consumers != nil {
		switch *b.Consumers {
		case 0:
			parts = append(parts, "nobody is in the consumer group "+b.Participant)
		case 1:
			parts = append(parts, "one member of "+b.Participant+" reads")
		default:
			parts = append(parts, fmt.Sprintf("%d members of %s read", *b.Consumers, b.Participant))
		}
	}
	switch {
	case b.Lag == nil:
	case *b.Lag > 0:
		parts = append(parts, fmt.Sprintf("%d records before this one are unread", *b.Lag))
	case b.Queued:
		parts = append(parts, "this record is the next")
	default:
		parts = append(parts, "this record was read, or is the next")
	}
	return strings.Join(parts, "; ")
}

func whyBackoff(sg *client.Saga, b *client.BlockedOn, now time.Time) reason {
	r := reason{what: fmt.Sprintf("%s failed and is tried again: %s to %s.", b.Step, b.Command, b.Participant)}
	r.add("attempt", fmt.Sprintf("%d, sent %s", b.Attempt, when(b.Since, now)))
	if b.Message != "" {
		r.add("error", b.Message)
	}
	r.add("next", until(b, now)+"it is sent again")
	r.can = []string{step("retry", sg, b.Step) + "   to send it now"}
	if b.Verb != "compensate" && kindOf(sg, b.Step) != "retriable" {
		r.can = append(r.can, whole("cancel", sg))
	}
	return r
}

func whyHold(sg *client.Saga, b *client.BlockedOn, now time.Time) reason {
	r := reason{what: b.Step + " is held."}
	if b.Held != "" {
		r.add("held", b.Held)
	}
	if b.By != "" {
		r.add("by", b.By)
	}
	if b.Message != "" {
		r.add("reason", b.Message)
	}
	r.add("since", when(b.Since, now))
	r.add("next", "when the hold ends it goes on; timeouts, back-offs and the deadline stand still until then")
	if sg.Paused {
		r.can = []string{whole("resume", sg)}
		return r
	}
	r.can = []string{"skald hold list", "skald hold end ID --reason ..."}
	return r
}

func whyAttention(sg *client.Saga, b *client.BlockedOn, now time.Time) reason {
	name := b.Step
	if name == "" {
		name = "the saga"
	}
	r := reason{what: fmt.Sprintf("%s waits for a person: %s.", name, words(b.Reason))}
	if b.Message != "" {
		r.add("error", b.Message)
	}
	r.add("since", when(b.Since, now))
	r.add("next", "nothing moves it by itself but a late answer")
	switch b.Reason {
	case "invariant":
		r.can = []string{whole("abandon", sg)}
	case "bad_output":
		r.can = []string{step("complete", sg, b.Step) + " --result '{...}'   with an output that fits"}
	case "undo_failed":
		r.can = []string{
			step("retry", sg, b.Step) + "   to ask for it again", step("complete", sg, b.Step) + "   if it was undone by hand",
			step("waive", sg, b.Step) + "   to accept what is left",
		}
	case "rejected":
		r.can = []string{
			step("retry", sg, b.Step) + " --payload '{...}'   with a corrected payload", step("complete", sg, b.Step) + "   if it was done by hand",
		}
	default:
		r.can = []string{step("retry", sg, b.Step), step("skip", sg, b.Step) + "   to go on without it", whole("cancel", sg)}
	}
	return r
}

func (r *reason) add(label, text string) { r.lines = append(r.lines, [2]string{label, text}) }

// acknowledges is the command that clears attention which only a person can clear.
func acknowledges(sg *client.Saga, a *client.Attention) string {
	switch a.Reason {
	case "late_effect", "reply.conflict", "barrier":
		if a.Step == "" {
			return whole("acknowledge", sg)
		}
		return step("acknowledge", sg, a.Step)
	}
	return ""
}

func step(action string, sg *client.Saga, name string) string {
	return fmt.Sprintf("skald saga %s %s --step %s --reason ...", action, sg.ID, name)
}

func whole(action string, sg *client.Saga) string {
	return fmt.Sprintf("skald saga %s %s --reason ...", action, sg.ID)
}

func kindOf(sg *client.Saga, step string) string {
	for i := range sg.Steps {
		if sg.Steps[i].Name == step {
			return sg.Steps[i].Kind
		}
	}
	return ""
}

// when writes a time with how far it is away.
func when(t, now time.Time) string {
	if t.After(now) {
		return "in " + took(t.Sub(now)) + " (" + clock(&t) + ")"
	}
	return took(now.Sub(t)) + " ago (" + clock(&t) + ")"
}

func until(b *client.BlockedOn, now time.Time) string {
	switch {
	case b.Until == nil:
		return ""
	case b.Until.After(now):
		return "in " + took(b.Until.Sub(now)) + " "
	}
	return "any moment "
}

func clock(t *time.Time) string {
	if t == nil {
		return "the end of its time"
	}
	return t.UTC().Format("15:04:05Z")
}
