package participants

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/skaldhq/skald/participants/wire"
)

// ErrNoReply ends a command without an answer: the record counts as handled and the engine runs into its timeout.
// What the transaction wrote is rolled back when a handler returns it, and stays when middleware does so afterwards.
// It is for demonstrations and tests of lost replies.
var ErrNoReply = errors.New("no reply is wanted")

// Result is an answer. Use Succeed, Reject, Fail and FailAfter.
type Result struct {
	Outcome    wire.Outcome
	Output     json.RawMessage // JSON; nil: none
	Code       string
	Message    string
	RetryAfter time.Duration
}

// Succeed answers that the command took effect. output becomes JSON; nil means none; json.RawMessage is taken as it
// is. An output that is not JSON is an error, which rolls the effect back.
func Succeed(output any) (Result, error) {
	switch o := output.(type) {
	case nil:
		return Result{Outcome: wire.Succeeded}, nil
	case json.RawMessage:
		if len(o) > 0 && !json.Valid(o) {
			return Result{}, errors.New("encode output: raw message is not JSON")
		}
		return Result{Outcome: wire.Succeeded, Output: o}, nil
	}
	b, err := json.Marshal(output)
	if err != nil {
		return Result{}, fmt.Errorf("encode output: %w", err)
	}
	return Result{Outcome: wire.Succeeded, Output: b}, nil
}

// Reject answers with a business no: it asserts that there is no effect, and what the handler wrote is rolled back.
// The engine does not send the command again.
func Reject(code, message string) (Result, error) {
	return Result{Outcome: wire.Rejected, Code: code, Message: message}, nil
}

// Fail answers that something technical went wrong. Everything is rolled back; the engine backs off and sends again.
func Fail(code, message string) (Result, error) { return FailAfter(code, message, 0) }

// FailAfter is Fail with the least time to wait before the next attempt.
func FailAfter(code, message string, retryAfter time.Duration) (Result, error) {
	return Result{Outcome: wire.Failed, Code: code, Message: message, RetryAfter: retryAfter}, nil
}

// Reply is what the result says in answer to c.
func (r Result) reply(c *wire.Command, id wire.ID, at time.Time) wire.Reply {
	reply := wire.ReplyTo(c, id, at)
	reply.Outcome = r.Outcome
	reply.Code = r.Code
	reply.Message = clean(r.Message)
	if r.Outcome == wire.Failed {
		reply.RetryAfter = r.RetryAfter
	}
	reply.Value = r.Output
	return reply
}
