package fill

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Tenant is whose the sagas are.
const Tenant = "default"

// The definitions by name: most sagas are purchases, one in ten is a refund, one in ten thousand a recall.
const (
	Common = "purchase"
	Second = "refund"
	Rare   = "recall"
)

// patience is how long the sagas that wait go on waiting: nothing comes due while somebody measures.
const patience = 240 * time.Hour

// Sources are the definitions that have to be registered before a saga of theirs is looked at.
func Sources() map[string]string {
	out := map[string]string{}
	for _, name := range []string{Common, Second, Rare} {
		out[name] = strings.ReplaceAll(source, "NAME", name)
	}
	return out
}

const source = `
saga: NAME
version: 1
defaults: {timeout: 240h, retry: {max_attempts: 3, initial: 240h, multiplier: 1, max: 240h}}
steps:
  - {name: one, participant: bench, command: Do.v1, compensation: {command: Undo.v1}}
  - {name: two, participant: bench, command: Do.v1, compensation: {command: Undo.v1}}
  - {name: three, participant: bench, command: Do.v1, compensation: {command: Undo.v1}}
`

// state names what a saga has come to.
type state string

// The states of what is stored.
const (
	completed    state = "completed"
	compensated  state = "compensated"
	abandoned    state = "abandoned"
	waitingOne   state = "waiting for the first step"
	waitingTwo   state = "waiting for the second step"
	waitingThree state = "waiting for the third step"
	backingOff   state = "backing off"
	held         state = "held"
	undoing      state = "undoing"
	suspended    state = "suspended"
)

// template is a decided saga: what each of its transactions writes.
type template struct {
	state  state
	writes []orchestrator.Write
}

// templates decides one saga of each state.
func templates(at time.Time) ([]template, error) {
	def, err := definition.Read("purchase", []byte(Sources()[Common]))
	if err != nil {
		return nil, err
	}
	answer := func(step string, verb saga.Verb, outcome saga.ReplyOutcome) saga.Body {
		return saga.Replied{Step: step, Verb: verb, Attempt: 1, Outcome: outcome, Code: "no", Message: "as it was asked for", Value: json.RawMessage(`{"ok":true,"note":"` + strings.Repeat("x", 60) + `"}`)}
	}
	ok := func(step string) saga.Body { return answer(step, saga.Execute, saga.ReplySucceeded) }
	refused := answer("two", saga.Execute, saga.ReplyRejected)
	stories := []struct {
		state  state
		hold   bool
		bodies []saga.Body
	}{
		{state: completed, bodies: []saga.Body{ok("one"), ok("two"), ok("three")}},
		{state: compensated, bodies: []saga.Body{ok("one"), refused, answer("one", saga.Compensate, saga.ReplySucceeded)}},
		{state: abandoned, bodies: []saga.Body{ok("one"), saga.Acted{Action: saga.ActionAbandon, Reason: "not wanted any more", By: "ada"}}},
		{state: waitingOne},
		{state: waitingTwo, bodies: []saga.Body{ok("one")}},
		{state: waitingThree, bodies: []saga.Body{ok("one"), ok("two")}},
		{state: backingOff, bodies: []saga.Body{answer("one", saga.Execute, saga.ReplyFailed)}},
		{state: held, hold: true},
		{state: undoing, bodies: []saga.Body{ok("one"), refused}},
		{state: suspended, bodies: []saga.Body{ok("one"), refused, answer("one", saga.Compensate, saga.ReplyRejected)}},
	}
	var out []template
	for n, story := range stories {
		t := template{state: story.state}
		var in saga.Instance
		start := saga.Started{ID: saga.NewID(at, uint16(n), uint64(n)), Tenant: Tenant, Input: json.RawMessage(`{"order_id":"a-1","customer_id":"c-1","amount_cents":4200,"note":"` + strings.Repeat("x", 320) + `"}`)}
		for i, body := range append([]saga.Body{start}, story.bodies...) {
			env := saga.Env{At: at.Add(time.Duration(i) * time.Millisecond)}
			if story.hold {
				env.Holds = []saga.Hold{{Participant: "bench", From: at.Add(-time.Second), Reason: "maintenance"}}
			}
			d, err := saga.Decide(def, in, saga.Event{ID: fmt.Sprintf("e-%d-%d", n, i), Env: env, Body: body})
			if err != nil {
				return nil, fmt.Errorf("decide a saga that is %s: %w", story.state, err)
			}
			in = d.Next
			write := orchestrator.Write{Next: in, Facts: d.Facts, Blocked: saga.Blocked(def, in, env)}
			if !in.Status.Terminal() {
				write.WakeAt = orchestrator.OnGrid(at.Add(patience)) // a held or suspended saga looks again sooner, for nothing
			}
			t.writes = append(t.writes, write)
		}
		out = append(out, t)
	}
	return out, nil
}
