package saga_test

import (
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// chooser draws the numbers that a random run is made of: from rapid, or from the bytes of a fuzzer.
type chooser interface {
	// pick answers 0 <= i < n. Smaller is simpler.
	pick(n int, what string) int
}

// oneIn is true once in n draws.
func oneIn(c chooser, n int, what string) bool { return c.pick(n, what) == n-1 }

// randomDefinition draws a sound definition: a DAG of compensatable steps, perhaps a pivot behind all of them, and retriable
// steps behind that. No two timers of it are likely to be due at the same microsecond: what then goes first is not a rule.
func randomDefinition(c chooser) *saga.Definition {
	def := &saga.Definition{Name: "random", Version: 1}
	before := 1 + c.pick(4, "steps")
	for i := range before {
		s := randomStep(c, i)
		s.Kind = saga.Compensatable
		if !s.EffectNone || oneIn(c, 3, "undo what has no effect") {
			s.Compensation = randomCompensation(c, i)
		}
		for p := range i {
			if c.pick(3, "edge") == 0 {
				s.After = append(s.After, p)
			}
		}
		def.Steps = append(def.Steps, s)
	}
	if c.pick(3, "pivot") > 0 {
		addPivot(c, def)
	}
	switch c.pick(4, "saga output") {
	case 1:
		def.Output = constExpr(`{"done":true}`)
	case 2:
		def.Output = outputExpr(def.Steps[0].Name)
	case 3:
		def.Output = failExpr()
	}
	if oneIn(c, 2, "deadline") {
		def.Deadline = time.Duration(2+c.pick(12, "deadline"))*time.Second + 17*time.Microsecond
	}
	return def
}

func addPivot(c chooser, def *saga.Definition) {
	p := len(def.Steps)
	isPredecessor := make([]bool, p)
	for _, s := range def.Steps {
		for _, a := range s.After {
			isPredecessor[a] = true
		}
	}
	pivot := randomStep(c, p)
	pivot.Kind = saga.Pivot
	if oneIn(c, 3, "pivot has a compensation") {
		pivot.Compensation = randomCompensation(c, p)
	}
	for i, pred := range isPredecessor {
		if !pred {
			pivot.After = append(pivot.After, i)
		}
	}
	def.Steps = append(def.Steps, pivot)
	for k := range c.pick(3, "retriable steps") {
		i := p + 1 + k
		s := randomStep(c, i)
		s.Kind, s.After = saga.Retriable, []int{p}
		if k > 0 && oneIn(c, 2, "edge") {
			s.After = []int{i - 1}
		}
		def.Steps = append(def.Steps, s)
	}
}

func randomStep(c chooser, i int) saga.Step {
	s := saga.Step{
		Name: fmt.Sprintf("s%d", i), Participant: fmt.Sprintf("p%d", i%3), Command: fmt.Sprintf("Do%d.v1", i),
		Timeout: time.Duration(1+c.pick(2, "timeout"))*time.Second + time.Duration(1+i)*101*time.Microsecond,
		Retry:   randomRetry(c, i),
	}
	s.EffectNone = oneIn(c, 8, "effect none")
	if oneIn(c, 4, "probe") {
		s.Probe = "Probe.v1"
	}
	if oneIn(c, 3, "returns") {
		s.Returns = okSchema{}
	}
	switch c.pick(8, "when") {
	case 5:
		s.When = constExpr("true")
	case 6:
		s.When = constExpr("false")
	case 7:
		if oneIn(c, 2, "when fails") {
			s.When = failExpr()
		}
	}
	switch c.pick(6, "payload") {
	case 4:
		s.Payload = outputExpr("s0")
	case 5:
		if oneIn(c, 2, "payload fails") {
			s.Payload = failExpr()
		}
	}
	return s
}

func randomCompensation(c chooser, i int) *saga.Compensation {
	comp := &saga.Compensation{
		Command: "Undo.v1", Timeout: 2*time.Second + time.Duration(1+i)*211*time.Microsecond, Retry: randomRetry(c, i+20),
	}
	switch c.pick(6, "undo payload") {
	case 3, 4:
		comp.Payload = ownOutputExpr()
	case 5:
		if oneIn(c, 2, "undo payload fails") {
			comp.Payload = failExpr()
		}
	}
	return comp
}

func randomRetry(c chooser, i int) saga.Retry {
	r := saga.Retry{
		MaxAttempts: 1 + c.pick(3, "max_attempts"), Initial: 300*time.Millisecond + time.Duration(i)*37*time.Microsecond,
		Multiplier: 2, Max: 900*time.Millisecond + time.Duration(i)*41*time.Microsecond,
	}
	if oneIn(c, 2, "jitter") {
		r.Jitter = 0.2
	}
	return r
}
