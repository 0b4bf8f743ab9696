package participants

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/skaldhq/skald/participants/wire"
)

// Middleware wraps the handling of a command, barrier included. It may answer by itself; what it answers so is not
// stored. Succeeded and Rejected are therefore the barrier's to say, but for a middleware that knows better.
type Middleware func(next HandlerFunc) HandlerFunc

// PanicError is a panic of a handler.
type PanicError struct{ Value any }

func (e *PanicError) Error() string { return fmt.Sprintf("handler panicked: %v", e.Value) }

// Recovery turns a panic into `failed`, code "panic", after its transaction was rolled back, and logs the stack.
// New adds it.
func Recovery(logger *slog.Logger) Middleware {
	return func(next HandlerFunc) HandlerFunc {
		return func(ctx context.Context, req *Request) (result Result, err error) {
			defer func() {
				if value := recover(); value != nil {
					logger.ErrorContext(ctx, "handler panicked",
						"saga_id", req.SagaID.String(), "step", req.Step, "command", req.Name,
						"panic", fmt.Sprint(value), "stack", string(debug.Stack()))
					result, err = Result{}, &PanicError{Value: value}
				}
			}()
			return next(ctx, req)
		}
	}
}

type expiryError struct{ err error }

func (e *expiryError) Error() string { return "stopped at the attempt's expiry: " + e.err.Error() }
func (e *expiryError) Unwrap() error { return e.err }

// StopAtExpiry ends the handler's context when the attempt times out; what returns an error because of it is
// `failed`, code "timeout". It compares this machine's clock with the engine's: use it where they are kept in step.
// Without it a slow handler goes on, and its answer counts whenever it comes.
func StopAtExpiry() Middleware {
	return func(next HandlerFunc) HandlerFunc {
		return func(ctx context.Context, req *Request) (Result, error) {
			bounded, cancel := context.WithDeadline(ctx, req.Expiry)
			defer cancel()
			result, err := next(bounded, req)
			if err != nil && errors.Is(bounded.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
				return Result{}, &expiryError{err}
			}
			return result, err
		}
	}
}

// RefuseExpired answers an attempt that was read after its expiry with `failed`, code "expired", without looking at
// the barrier: the engine has sent another. now is compared with the engine's clock; nil is time.Now.
func RefuseExpired(now func() time.Time) Middleware {
	if now == nil {
		now = time.Now
	}
	return func(next HandlerFunc) HandlerFunc {
		return func(ctx context.Context, req *Request) (Result, error) {
			if late := now().Sub(req.Expiry); late > 0 {
				return Fail(wire.CodeExpired, fmt.Sprintf("the attempt expired %s ago", late.Round(time.Millisecond)))
			}
			return next(ctx, req)
		}
	}
}
