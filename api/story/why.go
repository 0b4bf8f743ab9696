package story

import (
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// Reason is one thing that a saga waits for, in words.
type Reason struct {
	What  string
	Lines []Line
	Can   []Option // what a person could do
}

// Line is a label and what it says.
type Line struct{ Label, Text string }

// Option is one thing that a person could do: an action on the saga, or another command of the command line.
type Option struct {
	Action  client.Action // empty: Command
	Step    string        // empty: the saga as a whole
	Gives   string        // a flag that the action takes beside, such as --payload; empty: none
	Note    string        // when that is right; empty: nothing to add
	Command string
}

// Waits says what a saga waits for, since when and until when, what the engine does next by itself, and what a person could do.
func Waits(sg *client.Saga, b *client.BlockedOn, now time.Time) Reason {
	switch b.Cause {
	case "reply":
		return whyReply(sg, b, now)
	case "backoff":
		return whyBackoff(sg, b, now)
	case "hold":
		return whyHold(sg, b, now)
	case "unpublished":
		return Reason{
			What: fmt.Sprintf("%s waits for Kafka to take %s.", b.Step, b.Command),
			Lines: []Line{
				{"since", When(b.Since, now)},
				{"next", "it is sent as soon as Kafka takes records again, and its timeout begins then"},
				{"look at", "Kafka: is it up, and is there a topic for the commands of " + b.Participant + "?"},
			},
			Can: []Option{{Command: "skald topics ensure"}},
		}
	}
	return whyAttention(sg, b, now)
}

func whyReply(sg *client.Saga, b *client.BlockedOn, now time.Time) Reason {
	r := Reason{What: fmt.Sprintf("%s waits for an answer of %s to %s, attempt %d.", b.Step, b.Participant, b.Command, b.Attempt)}
	if b.Verb == "compensate" {
		r.What = fmt.Sprintf("%s waits for %s to undo it: %s, attempt %d.", b.Step, b.Participant, b.Command, b.Attempt)
	}
	r.add("since", When(b.Since, now))
	if b.Record != nil && b.Record.At != nil {
		r.add("record", Coordinates(b.Record)+", acknowledged "+When(*b.Record.At, now))
	} else {
		r.add("record", "not acknowledged by Kafka yet, as far as is known")
	}
	if b.HeartbeatAt != nil && !b.Queued {
		r.add("heartbeat", When(*b.HeartbeatAt, now))
	}
	switch text := consumers(b); {
	case text != "":
		r.add("consumer", text)
	case b.Record != nil:
		r.add("consumer", "Kafka does not say how far the consumer group "+b.Participant+" is: is it up?")
	}
	switch {
	case b.Queued && sg.Abort != nil && b.Verb != "compensate":
		r.add("next", "the saga is being undone: at "+Clock(b.Until)+" the step counts as unknown, and is undone too")
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
	r.can(client.ActionComplete, b.Step, "if you know that it was done")
	if kindOf(sg, b.Step) != "retriable" {
		r.can(client.ActionReject, b.Step, "to give it up and undo everything")
		r.can(client.ActionCancel, "", "")
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

func whyBackoff(sg *client.Saga, b *client.BlockedOn, now time.Time) Reason {
	r := Reason{What: fmt.Sprintf("%s failed and is tried again: %s to %s.", b.Step, b.Command, b.Participant)}
	r.add("attempt", fmt.Sprintf("%d, sent %s", b.Attempt, When(b.Since, now)))
	if b.Message != "" {
		r.add("error", b.Message)
	}
	r.add("next", until(b, now)+"it is sent again")
	r.can(client.ActionRetry, b.Step, "to send it now")
	if b.Verb == "compensate" {
		return r
	}
	r.can(client.ActionComplete, b.Step, "if you know that it was done")
	if kindOf(sg, b.Step) != "retriable" {
		r.can(client.ActionCancel, "", "")
	}
	return r
}

func whyHold(sg *client.Saga, b *client.BlockedOn, now time.Time) Reason {
	if b.Limited {
		return whyLimit(sg, b, now)
	}
	r := Reason{What: b.Step + " is held."}
	if b.Held != "" {
		r.add("held", b.Held)
	}
	if b.By != "" {
		r.add("by", b.By)
	}
	if b.Message != "" {
		r.add("reason", b.Message)
	}
	r.add("since", When(b.Since, now))
	r.add("next", "when the hold ends it goes on; timeouts, back-offs and the deadline stand still until then")
	if sg.Paused {
		r.can(client.ActionResume, "", "")
		return r
	}
	r.Can = []Option{{Command: "skald hold list"}, {Command: "skald hold end ID --reason ..."}}
	return r
}

func whyLimit(sg *client.Saga, b *client.BlockedOn, now time.Time) Reason {
	r := Reason{What: b.Step + " is held by a limit."}
	if b.Held != "" {
		r.add("held", b.Held)
	}
	if b.Message != "" {
		r.add("figure", b.Message)
	}
	r.add("since", When(b.Since, now))
	r.add("next", "it goes on when there is room, the oldest first; the deadline stands still until then")
	r.Can = []Option{{Command: "skald limit list"}, {Command: "skald limit set ..."}}
	r.can(client.ActionCancel, "", "")
	return r
}

func whyAttention(sg *client.Saga, b *client.BlockedOn, now time.Time) Reason {
	name := b.Step
	if name == "" {
		name = "the saga"
	}
	r := Reason{What: needsPerson(b.Reason, name)}
	if b.Message != "" {
		r.add("error", b.Message)
	}
	r.add("since", When(b.Since, now))
	r.add("next", "nothing moves it by itself but a late answer")
	switch b.Reason {
	case "invariant":
		r.can(client.ActionAbandon, "", "")
	case "bad_output":
		r.Can = []Option{{Action: client.ActionComplete, Step: b.Step, Gives: "--result '{...}'", Note: "with an output that fits"}}
	case "undo_failed":
		r.can(client.ActionRetry, b.Step, "to ask for it again")
		r.can(client.ActionComplete, b.Step, "if it was undone by hand")
		r.can(client.ActionWaive, b.Step, "to accept what is left")
	case "rejected":
		r.Can = []Option{{Action: client.ActionRetry, Step: b.Step, Gives: "--payload '{...}'", Note: "with a corrected payload"}}
		r.can(client.ActionComplete, b.Step, "if it was done by hand")
	default:
		r.can(client.ActionRetry, b.Step, "")
		r.can(client.ActionSkip, b.Step, "to go on without it")
		r.can(client.ActionCancel, "", "")
	}
	return r
}

// needsPerson says what a person is needed for.
func needsPerson(reason, name string) string {
	what := Words(reason)
	switch reason {
	case "undo_failed":
		what = "it could not be undone"
	case "rejected":
		what = "it was refused where that cannot be undone any more"
	case "bad_output":
		what = "it succeeded with an output that does not fit"
	case "expression":
		what = "it cannot be sent, because an expression failed"
	case "unpublishable":
		what = "Kafka refuses its command for good"
	case "invariant":
		what = "an invariant broke"
	}
	return name + " waits for a person: " + what + "."
}

// Acknowledges is the action that clears attention which only a person can clear; nil where it clears by itself.
func Acknowledges(a *client.Attention) *Option {
	switch a.Reason {
	case "late_effect", "reply.conflict", "barrier":
		return &Option{Action: client.ActionAcknowledge, Step: a.Step}
	}
	return nil
}

func (r *Reason) add(label, text string) { r.Lines = append(r.Lines, Line{label, text}) }

func (r *Reason) can(action client.Action, step, note string) {
	r.Can = append(r.Can, Option{Action: action, Step: step, Note: note})
}

func kindOf(sg *client.Saga, step string) string {
	for i := range sg.Steps {
		if sg.Steps[i].Name == step {
			return sg.Steps[i].Kind
		}
	}
	return ""
}

func until(b *client.BlockedOn, now time.Time) string {
	switch {
	case b.Until == nil:
		return ""
	case b.Until.After(now):
		return "in " + Took(b.Until.Sub(now)) + " "
	}
	return "any moment "
}
