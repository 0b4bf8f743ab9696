package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator/definition"
)

// The exit codes, as `skald --help` tells them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2 // flags, configuration, input, a definition
	exitUnreachable = 3 // nobody there, or nobody who takes requests now: the same may work later
	exitNotFound    = 4
	exitForbidden   = 5 // the state of the saga, or of what is asked for, forbids it
	exitNotComplete = 6 // the saga that was waited for ended otherwise
)

// hinted is an error with an exit code of its own and what to do next.
type hinted struct {
	code  int
	err   error
	hints []string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// hint adds what to do next to an error, and keeps its exit code.
func hint(err error, hints ...string) error {
	if err == nil {
		return nil
	}
	return &hinted{code: exitCode(err), err: err, hints: hints}
}

// missing says, where an error is that there is no such thing, which command lists those that there are.
func missing(err error, list string) error {
	if exitCode(err) != exitNotFound {
		return err
	}
	return hint(err, list)
}

// wrongUsage is an error of whoever typed the command.
func wrongUsage(format string, args ...any) error {
	return &hinted{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// errSilent is an error that was told already.
type errSilent struct{ code int }

func (e errSilent) Error() string { return fmt.Sprintf("exit %d", e.code) }

func exitCode(err error) int {
	var h *hinted
	var silent errSilent
	var problems *definition.Problems
	var answer *client.Error
	var dial *net.OpError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &silent):
		return silent.code
	case errors.As(err, &h):
		return h.code
	case errors.As(err, &problems):
		return exitUsage
	case errors.As(err, &answer):
		return answerCode(answer.Status)
	case errors.As(err, &dial):
		return exitUnreachable
	}
	return exitFailed
}

func answerCode(status int) int {
	switch status {
	case http.StatusNotFound:
		return exitNotFound
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusForbidden, http.StatusUnauthorized:
		return exitForbidden
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return exitUsage
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return exitUnreachable
	}
	return exitFailed
}

// explain writes an error for people and returns its exit code.
func explain(w io.Writer, s style, err error) int {
	code := exitCode(err)
	var silent errSilent
	if code == exitDone || errors.As(err, &silent) {
		return code
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, s.bad("skald: ")+"interrupted")
		return exitFailed
	}
	hints := hintsOf(err)
	var problems *definition.Problems
	var answer *client.Error
	switch {
	case errors.As(err, &problems):
		fmt.Fprintf(w, "%s%s\n%s", s.bad("skald: "), count(len(problems.List), "problem"), problems.Snippets())
	case errors.As(err, &answer):
		explainAnswer(w, s, answer)
	default:
		fmt.Fprintln(w, s.bad("skald: ")+strings.ReplaceAll(err.Error(), "\n", "\n       "))
	}
	for _, h := range hints {
		fmt.Fprintln(w, s.dim("  try: ")+h)
	}
	return code
}

func explainAnswer(w io.Writer, s style, answer *client.Error) {
	text := answer.Detail
	if text == "" {
		text = answer.Title
	}
	fmt.Fprintf(w, "%s%s %s\n", s.bad("skald: "), text, s.dim(fmt.Sprintf("(%d %s)", answer.Status, answer.Code)))
	for _, f := range answer.Errors {
		at := ""
		if f.Line > 0 {
			at = fmt.Sprintf("%d:%d: ", f.Line, f.Column)
		}
		fmt.Fprintf(w, "  %s%s: %s\n", at, f.Path, f.Message)
	}
	if len(answer.Topics) > 0 {
		fmt.Fprintf(w, "  missing topics: %s\n", strings.Join(answer.Topics, ", "))
	}
	if len(answer.Possible) > 0 {
		fmt.Fprintf(w, "%s%s\n", s.dim("  possible now: "), strings.Join(answer.Possible, ", "))
	}
	if answer.RequestID != "" && answer.Status >= 500 {
		fmt.Fprintf(w, "%s%s\n", s.dim("  the server's log has it as request "), answer.RequestID)
	}
}

// hintsOf are those given on the way up, or what an error is known to call for.
func hintsOf(err error) []string {
	var h *hinted
	if errors.As(err, &h) && len(h.hints) > 0 {
		return h.hints
	}
	var answer *client.Error
	if errors.As(err, &answer) {
		switch {
		case answer.Status == http.StatusUnauthorized:
			return []string{"SKALD_API_KEY=sk_...   or --token; skald apikey create makes a key"}
		case answer.SagaID != "":
			return []string{"skald saga get " + answer.SagaID}
		case answer.Code == "topic_missing":
			return []string{"skald topics ensure"}
		case answer.Status == http.StatusUnauthorized:
			return []string{"SKALD_API_KEY=sk_... in the environment, or --token; beside the database, skald apikey create makes a key"}
		case answer.RetryAfter > 0:
			return []string{fmt.Sprintf("again in %s", answer.RetryAfter)}
		}
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
