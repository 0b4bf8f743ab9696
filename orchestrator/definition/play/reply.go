package play

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Timeout is the outcome of a command that is never answered.
const Timeout saga.ReplyOutcome = "timeout"

// Reply says what a step's participant answers. Replies of one step and verb are used in the order given; what none of them answers
// any more is answered `succeeded`.
type Reply struct {
	Step    string
	Verb    saga.Verb         // empty: execute
	Outcome saga.ReplyOutcome // or Timeout
	Code    string
	Message string
	Output  json.RawMessage // with succeeded; nil: made up from the step's `returns`
	Times   int             // 0: always
}

// ParseReply reads STEP[.VERB]=OUTCOME[*TIMES][:CODE], such as reserve-items=rejected, charge-payment=failed*2,
// charge-payment=timeout or create-order.compensate=rejected:too_late.
func ParseReply(s string) (Reply, error) {
	left, right, found := strings.Cut(s, "=")
	if !found {
		return Reply{}, fmt.Errorf("read reply %q: want STEP=OUTCOME, such as reserve-items=rejected or charge-payment=failed*2", s)
	}
	var r Reply
	var verb, times string
	r.Step, verb, _ = strings.Cut(left, ".")
	right, r.Code, _ = strings.Cut(right, ":")
	right, times, found = strings.Cut(right, "*")
	r.Verb, r.Outcome = saga.Verb(verb), saga.ReplyOutcome(right)
	if found {
		n, err := strconv.ParseUint(times, 10, 16)
		if err != nil || n == 0 {
			return Reply{}, fmt.Errorf("read reply %q: %q: want how often, 1 or more", s, times)
		}
		r.Times = int(n)
	}
	return r, r.check()
}

// check answers what is wrong with a reply in itself.
func (r *Reply) check() error {
	switch r.Verb {
	case "", saga.Execute, saga.Compensate, saga.Probe:
	default:
		return fmt.Errorf("reply of %s: %q is no verb: want execute, compensate or probe", r.Step, r.Verb)
	}
	switch r.Outcome {
	case saga.ReplySucceeded, saga.ReplyRejected, saga.ReplyFailed, saga.ReplyInProgress, saga.ReplyUnknown, Timeout:
	default:
		return fmt.Errorf("reply of %s: %q is no outcome: want succeeded, rejected, failed, inprogress, unknown or timeout", r.Step, r.Outcome)
	}
	return nil
}

// script hands out the replies of a play.
type script struct {
	replies []Reply
	used    []int
}

func newScript(def *saga.Definition, replies []Reply) (*script, error) {
	s := &script{replies: slices.Clone(replies), used: make([]int, len(replies))}
	for i := range s.replies {
		r := &s.replies[i]
		if r.Verb == "" {
			r.Verb = saga.Execute
		}
		if err := r.check(); err != nil {
			return nil, err
		}
		j := def.StepIndex(r.Step)
		switch {
		case j < 0:
			return nil, fmt.Errorf("reply of %s: %s has no such step", r.Step, def.Name)
		case r.Verb == saga.Compensate && def.Steps[j].Compensation == nil:
			return nil, fmt.Errorf("reply of %s: the step has no compensation", r.Step)
		case r.Verb == saga.Probe && def.Steps[j].Probe == "":
			return nil, fmt.Errorf("reply of %s: the step has no probe", r.Step)
		}
	}
	return s, nil
}

// peek answers the index of the next reply to a command; -1 when none is left.
func (s *script) peek(step string, verb saga.Verb) int {
	for i, r := range s.replies {
		if r.Step == step && r.Verb == verb && (r.Times == 0 || s.used[i] < r.Times) {
			return i
		}
	}
	return -1
}

// next answers the next reply to a command, and uses it up.
func (s *script) next(step string, verb saga.Verb) (Reply, bool) {
	i := s.peek(step, verb)
	if i < 0 {
		return Reply{}, false
	}
	s.used[i]++
	return s.replies[i], true
}

// forever reports whether a command is never answered in a way that ends it.
func (s *script) forever(step string, verb saga.Verb) bool {
	i := s.peek(step, verb)
	if i < 0 || s.replies[i].Times > 0 {
		return false
	}
	switch s.replies[i].Outcome {
	case saga.ReplySucceeded, saga.ReplyRejected:
		return false
	case saga.ReplyFailed, saga.ReplyInProgress, saga.ReplyUnknown:
	}
	return true
}
