package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// people are the clients and the operators.
type people struct {
	w     *world
	defs  map[string]*saga.Definition
	acked map[string]saga.ID // what a client was told, by idempotency key (S1, S2)
	calm  bool
}

func newPeople(w *world) *people {
	return &people{w: w, defs: map[string]*saga.Definition{}, acked: map[string]saga.ID{}}
}

var plans = []string{`
saga: line
version: 1
key: input.id
deadline: 2m
defaults: {timeout: 2s, retry: {max_attempts: 3, initial: 100ms, multiplier: 2, max: 5s, jitter: 0.2}}
steps:
  - {name: one, participant: alpha, command: Do.v1, compensation: {command: Undo.v1}}
  - {name: two, participant: beta, command: Do.v1, compensation: {command: Undo.v1}}
  - {name: gate, participant: alpha, command: Do.v1, kind: pivot}
  - {name: ship, participant: gamma, command: Do.v1, kind: retriable}
`, `
saga: fork
version: 1
defaults: {timeout: 1s, retry: {max_attempts: 2, initial: 100ms, multiplier: 2, max: 5s, jitter: 0}}
steps:
  - {name: root, participant: alpha, command: Do.v1, compensation: {command: Undo.v1}}
  - {name: left, participant: beta, command: Do.v1, after: [root], compensation: {command: Undo.v1}}
  - {name: right, participant: gamma, command: Do.v1, after: [root], probe: Ask.v1, compensation: {command: Undo.v1}}
  - {name: look, participant: alpha, command: Do.v1, after: [root], effect: none}
  - {name: join, participant: beta, command: Do.v1, after: [left, right, look], compensation: {command: Undo.v1}}
`}

func (p *people) registerDefinitions() {
	for _, src := range plans {
		source, err := definition.ReadSource("plan.yaml", []byte(src))
		if err != nil {
			panic(err)
		}
		def := source.Definition
		p.defs[def.Name] = def
		if _, err := p.w.store.PutDefinition(context.Background(), orchestrator.DefinitionRow{
			Tenant: "default", Name: def.Name, Version: def.Version,
			State: orchestrator.DefinitionActive, Hash: def.Hash, Content: source.JSON, Source: []byte(src),
		}, orchestrator.Audit{Tenant: "default", Actor: "sim", Action: "definition.put", Reason: "sim"}); err != nil {
			panic(err)
		}
	}
}

// script plans what clients and operators do in the first phase.
func (p *people) script() {
	n := p.w.opt.Sagas
	if n == 0 {
		n = 1 + p.w.script.IntN(8)
	}
	for i := range n {
		name := "line"
		if p.w.script.IntN(2) == 0 {
			name = "fork"
		}
		key := fmt.Sprintf("client-%d", i)
		input := json.RawMessage(fmt.Sprintf(`{"id": "order-%d"}`, i))
		p.w.after(time.Duration(p.w.script.IntN(10_000))*time.Millisecond, func() { p.start(key, name, input) })
		for range p.w.script.IntN(4) {
			p.w.after(time.Duration(p.w.script.IntN(60_000))*time.Millisecond, func() { p.operate(key) })
		}
	}
}

func (p *people) heal() { p.calm = true }

// start asks some replica, and another one until it is told an answer: the Idempotency-Key makes that harmless.
func (p *people) start(key, name string, input json.RawMessage) {
	if _, ok := p.acked[key]; ok {
		return
	}
	again := func() { p.w.after(3*time.Second, func() { p.start(key, name, input) }) }
	r := p.w.replicas[p.w.script.IntN(len(p.w.replicas))]
	if r.away() {
		again()
		return
	}
	again() // whatever becomes of this one; it does nothing once the answer is there
	err := r.engine.OfferStart(context.Background(), orchestrator.StartRequest{Tenant: "default", Saga: name, Input: input, IdempotencyKey: key, By: "client"},
		func(s orchestrator.Started, err error) {
			if err != nil {
				return
			}
			if known, ok := p.acked[key]; ok && known != s.ID {
				p.w.violate("S2", "two sagas for one Idempotency-Key: %s and %s", known, s.ID)
			}
			p.acked[key] = s.ID
			if p.w.oracle.folded[s.ID] == nil {
				p.w.violate("S1", "a start was answered before it was committed: %s", s.ID)
			}
		})
	var overloaded *orchestrator.OverloadedError
	if err != nil && !errors.Is(err, orchestrator.ErrStopping) && !errors.As(err, &overloaded) {
		p.w.violate("world", "a start is refused: %v", err)
	}
}

// operate does something to a saga, wise or not.
func (p *people) operate(key string) {
	id, ok := p.acked[key]
	r := p.w.replicas[p.w.script.IntN(len(p.w.replicas))]
	actions := []saga.Action{saga.ActionCancel, saga.ActionPause, saga.ActionRetry, saga.ActionCancel}
	act := saga.Acted{Action: actions[p.w.script.IntN(len(actions))], Reason: "sim", By: "operator"}
	if !ok || r.away() {
		return
	}
	if act.Action == saga.ActionRetry {
		act.Step = "two"
		if p.w.oracle.folded[id].Saga == "fork" {
			act.Step = "join"
		}
	}
	p.act(r, id, act)
	if act.Action == saga.ActionPause {
		p.resume(id)
	}
}

func (p *people) act(r *replica, id saga.ID, act saga.Acted) {
	p.w.note("act", string(act.Action), id.String())
	_ = r.engine.OfferAct(orchestrator.ActRequest{Tenant: "default", ID: id, Act: act}, func(orchestrator.Acted, error) {})
}

// resume ends a pause sooner or later, whoever is alive by then.
func (p *people) resume(id saga.ID) {
	p.w.after(time.Duration(1+p.w.script.IntN(30))*time.Second, func() {
		in := p.w.oracle.folded[id]
		if in == nil || in.Pause == nil || in.Status.Terminal() {
			return
		}
		for _, r := range p.w.replicas {
			if !r.away() {
				p.act(r, id, saga.Acted{Action: saga.ActionResume, Reason: "sim", By: "operator"})
				break
			}
		}
		p.resume(id)
	})
}
