package sim

import (
	"encoding/json"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// trapPlan is a plan with a bug in it: judging that its first step succeeded panics, whenever its second one would start. Such a saga
// delays only itself: it is suspended with attention, and the others go on (L5).
const trapPlan = `
saga: trap
version: 1
defaults: {timeout: 2s, retry: {max_attempts: 3, initial: 100ms, multiplier: 2, max: 5s, jitter: 0.2}}
steps:
  - {name: one, participant: alpha, command: Do.v1, compensation: {command: Undo.v1}}
  - {name: two, participant: beta, command: Do.v1, payload: {id: "${input.id}"}, compensation: {command: Undo.v1}}
`

// trapEvery is how many worlds there are for one in which some sagas fall into the trap.
const trapEvery = 8

func compileTrap() *plan {
	p := compilePlan([]byte(trapPlan), nil, nil)
	p.trap = true
	p.def.Steps[1].Payload = bug{}
	return p
}

// bug is an expression that panics.
type bug struct{}

// Eval implements saga.Expr.
func (bug) Eval(saga.Scope) (json.RawMessage, error) { panic("a bug in an expression") }
