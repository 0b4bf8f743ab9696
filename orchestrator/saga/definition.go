package saga

import (
	"encoding/json"
	"time"
)

// Limits of definitions and of running sagas (design section 4).
const (
	MaxSteps         = 100
	MaxInputBytes    = 256 << 10
	MaxReplyBytes    = 256 << 10
	MaxInstanceBytes = 1 << 20
	MaxTimeout       = 30 * 24 * time.Hour
)

// Expr is a compiled expression or template. Eval answers raw JSON (`null` where a plain path leads nowhere) or an error that
// a person can read. It is deterministic, limited in cost, and safe for concurrent use.
type Expr interface {
	Eval(Scope) (json.RawMessage, error)
}

// Schema is a compiled JSON Schema. Validate answers nil, or an error that lists every violation with its place. It is safe
// for concurrent use.
type Schema interface {
	Validate(json.RawMessage) error
}

// Scope is what an expression can see.
type Scope struct {
	Input json.RawMessage
	// StepOutput is the output of a settled step by its name; `null` for a step that was skipped or has none.
	StepOutput func(step string) json.RawMessage
	// Output is the step's own output, in the payload of a compensation alone; `null` when the step was never answered.
	Output json.RawMessage
}

// Definition is a saga's plan. It is immutable once Link accepted it, and safe for concurrent use.
type Definition struct {
	Name        string
	Version     int
	Hash        [32]byte // SHA-256 over the canonical parsed JSON; YAML equals JSON
	Description string
	Deadline    time.Duration // 0: none
	Input       Schema        // nil: anything
	Key         Expr          // nil: the definition has no business key
	Output      Expr          // nil: the saga's output is null
	Labels      Expr          // nil: no labels but those given at start; else an object of strings
	Events      EventLevel
	Redact      []string // JSON pointers that only a payload reader sees
	Steps       []Step   // in the order listed

	pivot       int // -1: none
	descendants [][]int
}

// EventLevel says which facts are published as events on skald.events.
type EventLevel string

// The levels of events.
const (
	EventsLifecycle EventLevel = "lifecycle" // the default: started, ended, attention
	EventsAll       EventLevel = "all"       // every fact
	EventsNone      EventLevel = "none"
)

// Step is a forward command, how to undo it, and how hard to try.
type Step struct {
	Name         string
	Participant  string
	Command      string
	Kind         Kind
	EffectNone   bool // `effect: none`: the command changes nothing, whatever is answered
	Payload      Expr // nil: the saga's input, as it is
	Returns      Schema
	When         Expr          // nil: always; else true or false
	After        []int         // indexes of all predecessors, ascending
	Timeout      time.Duration // of one attempt
	Retry        Retry
	Compensation *Compensation // nil: none
	Probe        string        // a command; empty: none
}

// Compensation undoes a step.
type Compensation struct {
	Command string
	Payload Expr // nil: {"payload": <forward payload>, "output": <output or null>}
	Timeout time.Duration
	Retry   Retry
}

// Retry is a policy of attempts. Before attempt n+1 it waits Initial*Multiplier^(n-1), at most Max, give or take Jitter
// (0.2: a fifth).
type Retry struct {
	MaxAttempts int
	Initial     time.Duration
	Multiplier  float64
	Max         time.Duration
	Jitter      float64
}

// PivotIndex is the index of the pivot, or -1.
func (d *Definition) PivotIndex() int { return d.pivot }

// StepIndex is the index of the step of that name, or -1.
func (d *Definition) StepIndex(name string) int {
	for i := range d.Steps {
		if d.Steps[i].Name == name {
			return i
		}
	}
	return -1
}

// Descendants lists every step that starts only after step i, directly or not, ascending. Callers do not change it.
func (d *Definition) Descendants(i int) []int { return d.descendants[i] }
