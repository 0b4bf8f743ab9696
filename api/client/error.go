package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Problem is an error as the server answers it: RFC 9457, with a stable code.
type Problem struct {
	Type      string       `json:"type" format:"uri-reference" doc:"A page about the code, relative to the server"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Code      string       `json:"code" doc:"Stable, for machines"`
	Detail    string       `json:"detail,omitempty" doc:"For people"`
	Retryable bool         `json:"retryable" doc:"Whether the same request may succeed later without a change"`
	RequestID string       `json:"request_id,omitempty"`
	Errors    []FieldError `json:"errors,omitempty" nullable:"false" doc:"Everything that is wrong with the request"`
	Possible  []string     `json:"possible,omitempty" nullable:"false" doc:"With 409 of an action: what would be possible instead"`
	SagaID    string       `json:"saga_id,omitempty" doc:"With key_in_use: the saga that has the key"`
	Saga      Status       `json:"saga_status,omitempty" doc:"With key_in_use: its status"`
	Topics    []string     `json:"topics,omitempty" nullable:"false" doc:"With topic_missing"`
}

// FieldError is one thing wrong with a request.
type FieldError struct {
	Path    string `json:"path" doc:"Such as body.input/items/0/quantity, query.limit, or steps[2].timeout of a definition"`
	Message string `json:"message"`
	Line    int    `json:"line,omitempty" doc:"Of a definition, from 1"`
	Column  int    `json:"column,omitempty"`
}

// Error is a Problem, or any other answer that is no success.
type Error struct {
	Problem
	// RetryAfter is what the server asks to wait; 0: it did not say.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", e.Status, e.Code)
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	for _, f := range e.Errors {
		fmt.Fprintf(&b, "; %s: %s", f.Path, f.Message)
	}
	return b.String()
}

// readError makes an error of an answer. What is no problem+json, such as a proxy's page, keeps its status and text.
func readError(resp *http.Response) error {
	e := &Error{RetryAfter: retryAfter(resp.Header.Get("Retry-After"))}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read the answer %s: %w", resp.Status, err)
	}
	if json.Unmarshal(body, &e.Problem) != nil || e.Code == "" {
		e.Problem = Problem{
			Title: http.StatusText(resp.StatusCode), Code: "http_" + strconv.Itoa(resp.StatusCode),
			Detail: strings.TrimSpace(string(body[:min(len(body), 500)])), Retryable: resp.StatusCode >= 500,
		}
	}
	e.Status = resp.StatusCode
	return e
}

func retryAfter(value string) time.Duration {
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
