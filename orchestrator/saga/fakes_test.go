package saga_test

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// exprFunc is an expression written in Go.
type exprFunc func(saga.Scope) (json.RawMessage, error)

func (f exprFunc) Eval(s saga.Scope) (json.RawMessage, error) { return f(s) }

// constExpr answers the same whatever it sees.
func constExpr(raw string) saga.Expr {
	return exprFunc(func(saga.Scope) (json.RawMessage, error) { return json.RawMessage(raw), nil })
}

// outputExpr copies the output of another step.
func outputExpr(step string) saga.Expr {
	return exprFunc(func(s saga.Scope) (json.RawMessage, error) {
		return json.RawMessage(`{"of":` + string(s.StepOutput(step)) + `}`), nil
	})
}

// ownOutputExpr is a compensation's payload that copies the step's own output.
func ownOutputExpr() saga.Expr {
	return exprFunc(func(s saga.Scope) (json.RawMessage, error) {
		return json.RawMessage(`{"undo":` + string(s.Output) + `}`), nil
	})
}

var errExpr = errors.New("no such key: nope")

// failExpr fails at run time.
func failExpr() saga.Expr {
	return exprFunc(func(saga.Scope) (json.RawMessage, error) { return nil, errExpr })
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

const (
	goodOutput = `{"ok":1}`
	badOutput  = `{"bad":1}`
)

// epoch is when every saga of the tests starts.
func epoch() time.Time { return time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC) }

func testID() saga.ID { return saga.NewID(epoch(), 7, 42) }

// plain is a compensatable step with plain timings.
func plain(name string, after ...int) saga.Step {
	return saga.Step{
		Name: name, Participant: "svc", Command: "Do.v1", Kind: saga.Compensatable, After: after, Timeout: 5 * time.Second,
		Retry: plainRetry(), Compensation: &saga.Compensation{Command: "Undo.v1", Timeout: 5 * time.Second, Retry: plainRetry()},
	}
}

func plainRetry() saga.Retry {
	return saga.Retry{MaxAttempts: 2, Initial: time.Second, Multiplier: 2, Max: 10 * time.Second}
}
