package explore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

const maxSteps = 4

// Budget says how often each fault may happen in one run of the saga.
type Budget struct {
	Crash     uint8 // a participant dies between effect and answer or with its transaction open; the engine between commit and publish
	Timeout   uint8 // an attempt times out while its command or answer is on its way; without either it always may
	Duplicate uint8 // a command or a reply comes once more
	Operator  uint8 // an operator acts; resume is free
	Fail      uint8 // a participant answers `failed`
	Beat      uint8 // a participant sends a heartbeat
	Lie       uint8 // a participant says anything at all about a command that it got
	Open      uint8 // a participant keeps its transaction open over other deliveries
	Refuse    uint8 // the broker refuses a record for good
	Hold      uint8 // a hold is set; its end is free
}

// World is one small world.
type World struct {
	Name  string
	About string
	// Steps are written as in the scripts of package saga, for instance `b after=a max=2 probe returns`. Without `after` a step
	// follows the one above it.
	Steps    []string
	Deadline bool // the saga has one, and it may pass
	Budget   Budget
	Small    Budget // for every day
	// HoldOf is the participant that a hold stops; empty: holds stop the whole saga.
	HoldOf string
	// BadOutput: a participant may answer with an output that breaks `returns`.
	BadOutput bool
	// External: the effects are outside the barrier's database, so commands are claimed first; "ask": the provider can be asked
	// what became of a claim, "mute": it cannot.
	External string
	// Circles says why free moves may go round and round in this world, until one of them that could come at any time does; empty:
	// they must not.
	Circles string
	// WhatIf asks Decide about every event of the transition table, whether it can come by then or not.
	WhatIf WhatIf

	tamper func(*saga.Decision) // for tests: what a broken engine would decide; nil: nothing
	forget bool                 // for tests: participants without a barrier
}

// WhatIf says where Decide is asked about events that may not be possible.
type WhatIf uint8

// The extents of what-ifs.
const (
	WhatIfNever  WhatIf = iota
	WhatIfSteps         // about each way that a step can be in
	WhatIfAlways        // in each instance
)

const (
	goodOutput = `{"ok":1}`
	badOutput  = `{"bad":1}`
	byHand     = `{"ok":2}`
	corrected  = `{"corrected":1}`
	input      = `{"n":1}`
)

// definition reads the steps.
func (w *World) definition() (*saga.Definition, error) {
	def := &saga.Definition{Name: "small", Version: 1}
	if w.Deadline {
		def.Deadline = time.Hour
	}
	for _, line := range w.Steps {
		step, err := parseStep(def, line)
		if err != nil {
			return nil, fmt.Errorf("world %s: %w", w.Name, err)
		}
		def.Steps = append(def.Steps, step)
	}
	if len(def.Steps) > maxSteps {
		return nil, fmt.Errorf("world %s: more than %d steps", w.Name, maxSteps)
	}
	if problems := def.Link(); len(problems) > 0 {
		return nil, fmt.Errorf("world %s: %v", w.Name, problems)
	}
	return def, nil
}

func retry() saga.Retry {
	return saga.Retry{MaxAttempts: 2, Initial: time.Second, Multiplier: 2, Max: 10 * time.Second}
}

func parseStep(def *saga.Definition, line string) (saga.Step, error) {
	words := strings.Fields(line)
	s := saga.Step{
		Name: words[0], Participant: "svc", Command: "Do.v1", Kind: saga.Compensatable, Timeout: 5 * time.Second, Retry: retry(),
		Compensation: &saga.Compensation{Command: "Undo.v1", Timeout: 5 * time.Second, Retry: retry()},
	}
	if n := len(def.Steps); n > 0 {
		s.After = []int{n - 1}
	}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "pivot", "retriable":
			s.Kind, s.Compensation = saga.Kind(key), nil
		case "after":
			s.After = nil
			for name := range strings.SplitSeq(value, ",") {
				if i := def.StepIndex(name); i >= 0 {
					s.After = append(s.After, i)
				}
			}
		case "participant":
			s.Participant = value
		case "max":
			if _, err := fmt.Sscan(value, &s.Retry.MaxAttempts); err != nil {
				return s, err
			}
		case "probe":
			s.Probe = "Probe.v1"
		case "returns":
			s.Returns = okSchema{}
		case "effect-none":
			s.EffectNone, s.Compensation = true, nil
		case "when":
			s.When = parseExpr(value)
		case "payload":
			s.Payload = parseExpr(value)
		case "undo":
			s.Compensation = parseUndo(s.Compensation, value)
		default:
			return s, fmt.Errorf("unknown word %q in %q", word, line)
		}
	}
	return s, nil
}

func parseUndo(c *saga.Compensation, value string) *saga.Compensation {
	if c == nil {
		c = &saga.Compensation{Command: "Undo.v1", Timeout: 5 * time.Second, Retry: retry()}
	}
	switch value {
	case "none":
		return nil
	case "fails":
		c.Payload = parseExpr("fails")
	case "output":
		c.Payload = exprFunc(func(s saga.Scope) (json.RawMessage, error) {
			return json.RawMessage(`{"undo":` + string(s.Output) + `}`), nil
		})
	}
	return c
}

// exprFunc is an expression written in Go.
type exprFunc func(saga.Scope) (json.RawMessage, error)

func (f exprFunc) Eval(s saga.Scope) (json.RawMessage, error) { return f(s) }

func parseExpr(value string) saga.Expr {
	return exprFunc(func(saga.Scope) (json.RawMessage, error) {
		if value == "fails" {
			return nil, errors.New("no such key: nope")
		}
		return json.RawMessage(value), nil
	})
}

// okSchema accepts objects that have the field `ok`.
type okSchema struct{}

func (okSchema) Validate(raw json.RawMessage) error {
	var v map[string]json.RawMessage
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	if v["ok"] == nil {
		return errors.New("/: missing property 'ok'")
	}
	return nil
}
