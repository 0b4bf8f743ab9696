package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Codes of problems that are this package's own. Those of refused actions are saga's.
const (
	codeUnreadable      = "unreadable"
	codeUnauthenticated = "unauthenticated"
	codeForbidden       = "forbidden"
	codeNotFound        = "not_found"
	codeUnknownRoute    = "unknown_route"
	codeUnknownSaga     = "unknown_saga"
	codeMethod          = "method_not_allowed"
	codeKeyInUse        = "key_in_use"
	codeKeyName         = "apikey_name_taken"
	codeDefinition      = "definition_exists"
	codeTopicMissing    = "topic_missing"
	codeOperationState  = "operation_state"
	codeRevision        = "revision"
	codeTooLarge        = "too_large"
	codeMediaType       = "unsupported_media_type"
	codeInvalid         = "invalid"
	codeIdempotency     = "idempotency_key_reused"
	codeBadDefinition   = "invalid_definition"
	codeRate            = "rate_limited"
	codeOverloaded      = "overloaded"
	codeStopping        = "stopping"
	codeNotReady        = "not_ready"
	codeTimeout         = "timeout"
	codeOutcomeUnknown  = "outcome_unknown"
	codeUnavailable     = "unavailable"
	codeInternal        = "internal"
)

// problem is an error on its way out.
type problem struct {
	client.Problem
	retryAfter time.Duration // 0: no header
	allow      string        // of 405
	cause      error         // goes to the log, never out; nil: none
}

func newProblem(status int, code, detail string) *problem {
	return &problem{Problem: client.Problem{
		Type: "urn:skald:problem:" + code, Title: http.StatusText(status), Status: status, Code: code, Detail: detail,
	}}
}

func (p *problem) Error() string { return p.Code + ": " + p.Detail }

func (p *problem) Unwrap() error { return p.cause }

func (p *problem) because(err error) *problem {
	p.cause = err
	return p
}

// later marks a problem that goes away by itself.
func (p *problem) later(after time.Duration) *problem {
	p.Retryable, p.retryAfter = true, after
	return p
}

func invalid(fields ...client.FieldError) *problem {
	p := newProblem(http.StatusUnprocessableEntity, codeInvalid, "the request can be read, and is wrong")
	p.Errors = fields
	return p
}

// problemOf is the one table from errors to answers.
func problemOf(err error) *problem {
	var (
		own      *problem
		refused  *saga.RefusedError
		input    *orchestrator.InputError
		large    *orchestrator.TooLargeError
		inUse    *orchestrator.KeyInUseError
		kept     *orchestrator.QuarantineRefusedError
		overload *orchestrator.OverloadedError
		topics   *orchestrator.TopicMissingError
		job      *orchestrator.OperationStateError
		wrong    *definition.Problems
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &refused):
		p := newProblem(http.StatusConflict, refused.Code, refused.Message)
		for _, action := range refused.Possible {
			p.Possible = append(p.Possible, string(action))
		}
		return p
	case errors.As(err, &kept):
		p := newProblem(http.StatusConflict, kept.Code, kept.Message)
		p.Possible = kept.Possible
		return p
	case errors.As(err, &input):
		p := invalid()
		p.Detail = input.Message
		for _, f := range input.Fields {
			p.Errors = append(p.Errors, client.FieldError{Path: "body." + f.Path, Message: f.Message})
		}
		return p
	case errors.As(err, &job):
		return newProblem(http.StatusConflict, codeOperationState, job.Error())
	case errors.As(err, &large):
		return newProblem(http.StatusRequestEntityTooLarge, codeTooLarge, fmt.Sprintf("the input is larger than %d bytes", large.Limit))
	case errors.As(err, &inUse):
		p := newProblem(http.StatusConflict, codeKeyInUse, fmt.Sprintf("the key %q is taken: %s", inUse.Key, inUse.Why))
		p.SagaID, p.Saga = inUse.ID.String(), client.Status(inUse.Status)
		return p
	case errors.As(err, &overload):
		return newProblem(http.StatusServiceUnavailable, codeOverloaded, overload.Why).later(max(overload.RetryAfter, time.Second))
	case errors.As(err, &topics):
		p := newProblem(http.StatusConflict, codeTopicMissing, "topics are missing, and the engine may not make them")
		p.Topics = topics.Topics
		return p
	case errors.As(err, &wrong):
		p := newProblem(http.StatusUnprocessableEntity, codeBadDefinition, "the definition is wrong")
		p.Errors = definitionErrors(wrong)
		return p
	}
	return problemOfSentinel(err)
}

func problemOfSentinel(err error) *problem {
	switch {
	case errors.Is(err, orchestrator.ErrUnknownSagaType):
		return newProblem(http.StatusNotFound, codeUnknownSaga, "no such definition, or no active version of it")
	case errors.Is(err, orchestrator.ErrNotFound):
		return newProblem(http.StatusNotFound, codeNotFound, "there is no such thing")
	case errors.Is(err, orchestrator.ErrRevision):
		return newProblem(http.StatusPreconditionFailed, codeRevision, "the saga has another revision than If-Match says")
	case errors.Is(err, orchestrator.ErrIdempotency):
		return invalidHeader("Idempotency-Key", "it was used for another request").withCode(codeIdempotency)
	case errors.Is(err, orchestrator.ErrConflict):
		return newProblem(http.StatusConflict, codeDefinition, "this version is registered with other content; raise the version")
	case errors.Is(err, orchestrator.ErrStopping):
		return newProblem(http.StatusServiceUnavailable, codeStopping, "this replica is stopping").later(time.Second)
	case errors.Is(err, ErrUnauthenticated):
		return newProblem(http.StatusUnauthorized, codeUnauthenticated, "authentication is required")
	case errors.Is(err, orchestrator.ErrTopicsUnknown):
		return newProblem(http.StatusServiceUnavailable, codeUnavailable,
			"Kafka neither shows nor makes the topics of the definition; nothing was registered").because(err).later(time.Second)
	case errors.Is(err, orchestrator.ErrUnknown):
		return newProblem(http.StatusServiceUnavailable, codeOutcomeUnknown,
			"it may or may not have been done; ask again under the same Idempotency-Key").because(err).later(time.Second)
	case errors.Is(err, orchestrator.ErrUnavailable):
		return newProblem(http.StatusServiceUnavailable, codeUnavailable,
			"the database cannot be reached; nothing was done, and nothing that is stored is lost").because(err).later(time.Second)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return newProblem(http.StatusServiceUnavailable, codeTimeout,
			"it took too long; it may or may not have been done, so ask again under the same Idempotency-Key").because(err).later(time.Second)
	}
	return newProblem(http.StatusInternalServerError, codeInternal, "something is wrong here; the log has more under the request's id").because(err)
}

func (p *problem) withCode(code string) *problem {
	p.Code, p.Type = code, "urn:skald:problem:"+code
	return p
}

func invalidHeader(name, message string) *problem {
	return invalid(client.FieldError{Path: "header." + name, Message: message})
}

func definitionErrors(wrong *definition.Problems) []client.FieldError {
	out := make([]client.FieldError, len(wrong.List))
	for i, p := range wrong.List {
		out[i] = client.FieldError{Path: p.Path, Message: p.Message, Line: p.Line, Column: p.Column}
	}
	return out
}

// writeProblem answers with a problem and logs its cause once.
func (a *API) writeProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	info := requestOf(r.Context())
	out := p.Problem
	out.RequestID = info.id
	if p.Status >= 500 && p.cause != nil && !errors.Is(p.cause, context.Canceled) {
		a.log.ErrorContext(r.Context(), "request failed", "request_id", info.id, "code", p.Code, "error", p.cause)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(out) // the client is gone when this fails
}
