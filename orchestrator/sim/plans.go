package sim

import (
	"math/rand/v2"
	"sync"

	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// plan is a definition that worlds run, with what the oracle must know of it.
type plan struct {
	def     *saga.Definition
	source  []byte // canonical JSON
	payload []payloadKind
	undo    []payloadKind // of compensations
	trap    bool          // judging its sagas panics
}

// poolSize is how many names are drawn; each has two versions that have nothing in common.
const poolSize = 60

// planPool compiles each plan once in a process, when a world first asks for it. It is safe for concurrent use.
type planPool struct {
	fixed [][]func() *plan // by name; its versions fit one another, so that sagas can be rebound
	trap  func() *plan
	drawn [poolSize][2]func() *plan
}

// pool is a table: what it holds follows from the code alone.
var pool = newPlanPool()

func newPlanPool() *planPool {
	p := &planPool{trap: sync.OnceValue(compileTrap)}
	for _, sources := range fixedPlans {
		var versions []func() *plan
		for _, src := range sources {
			versions = append(versions, sync.OnceValue(func() *plan { return compilePlan([]byte(src), nil, nil) }))
		}
		p.fixed = append(p.fixed, versions)
	}
	for n := range p.drawn {
		for v := range p.drawn[n] {
			p.drawn[n][v] = sync.OnceValue(func() *plan { return drawPlan(n, v+1) })
		}
	}
	return p
}

// choose picks what a world runs: the versions of one name stand together, the first one first.
func (p *planPool) choose(r *rand.Rand) [][]*plan {
	var out [][]*plan
	for _, versions := range p.fixed {
		if r.IntN(3) == 0 {
			var plans []*plan
			for _, f := range versions {
				plans = append(plans, f())
			}
			out = append(out, plans)
		}
	}
	first := r.IntN(poolSize)
	for i := range 1 + r.IntN(2) {
		d := &p.drawn[(first+17*i)%poolSize]
		versions := []*plan{d[0]()}
		if r.IntN(2) == 0 {
			versions = append(versions, d[1]())
		}
		out = append(out, versions)
	}
	if first%trapEvery == 0 {
		out = append(out, []*plan{p.trap()})
	}
	return out
}

func compilePlan(src []byte, payload, undo []payloadKind) *plan {
	source, err := definition.ReadSource("plan.yaml", src)
	if err != nil {
		panic("a plan of the simulation is wrong: " + err.Error() + "\n" + string(src))
	}
	compiled.Store(string(source.JSON), source.Definition) // what replicas then read
	p := &plan{def: source.Definition, source: source.JSON, payload: payload, undo: undo}
	if payload == nil { // those fixed have no payloads of their own
		p.payload, p.undo = make([]payloadKind, len(p.def.Steps)), make([]payloadKind, len(p.def.Steps))
	}
	return p
}

var fixedPlans = [][]string{{`
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
saga: line
version: 2
key: input.id
deadline: 3m
defaults: {timeout: 3s, retry: {max_attempts: 5, initial: 200ms, multiplier: 2, max: 4s, jitter: 0.1}}
steps:
  - {name: one, participant: alpha, command: Do.v1, retry: {max_attempts: 2}, compensation: {command: Undo.v1, timeout: 1s}}
  - {name: two, participant: beta, command: Do.v1, compensation: {command: Undo.v1, retry: {max_attempts: 2}}}
  - {name: gate, participant: alpha, command: Do.v1, kind: pivot}
  - {name: ship, participant: gamma, command: Do.v1, kind: retriable, retry: {max_attempts: 1}}
`}, {`
saga: fork
version: 1
defaults: {timeout: 1s, retry: {max_attempts: 2, initial: 100ms, multiplier: 2, max: 5s, jitter: 0}}
steps:
  - {name: root, participant: alpha, command: Do.v1, compensation: {command: Undo.v1}}
  - {name: left, participant: beta, command: Do.v1, after: [root], compensation: {command: Undo.v1}}
  - {name: right, participant: gamma, command: Do.v1, after: [root], probe: Ask.v1, compensation: {command: Undo.v1}}
  - {name: look, participant: alpha, command: Do.v1, after: [root], effect: none}
  - {name: join, participant: beta, command: Do.v1, after: [left, right, look], compensation: {command: Undo.v1}}
`}}
