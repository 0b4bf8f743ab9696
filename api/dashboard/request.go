package dashboard

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/skaldhq/skald/api/client"
)

// pageRows is how many rows a list shows at a time.
const pageRows = 50

func (d *Dashboard) live(w http.ResponseWriter, r *http.Request) {
	d.backend.Follow(w, r, chi.URLParam(r, "id"))
}

// number reads a number of the path; a *client.Error of status 404 where it is none.
func number(r *http.Request, name string) (int64, error) {
	n, err := strconv.ParseInt(chi.URLParam(r, name), 10, 64)
	if err != nil || n < 1 {
		return 0, notFound("there is no such page")
	}
	return n, nil
}

func notFound(detail string) error {
	return &client.Error{Problem: client.Problem{Title: http.StatusText(http.StatusNotFound), Status: http.StatusNotFound, Code: "not_found", Detail: detail}}
}

func badForm(err error) error {
	status, detail := http.StatusBadRequest, "the form cannot be read"
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		status, detail = http.StatusRequestEntityTooLarge, "the form is larger than 1 MiB"
	}
	return &client.Error{Problem: client.Problem{Title: http.StatusText(status), Status: status, Code: "unreadable", Detail: detail}}
}

// badFields is what is wrong with a form before the API is asked.
func badFields(fields ...client.FieldError) error {
	const status = http.StatusUnprocessableEntity
	return &client.Error{Problem: client.Problem{Title: http.StatusText(status), Status: status, Code: "invalid", Detail: "the form can be read, and is wrong", Errors: fields}}
}

// refusedForm is the problem of an action that can be shown beside its form; ok is false for what takes a page of its own.
func refusedForm(err error) (p *client.Problem, ok bool) {
	var known *client.Error
	if !errors.As(err, &known) || known.Status >= 500 && !known.Retryable || known.Status == http.StatusForbidden {
		return nil, false
	}
	return &known.Problem, true
}

// onceKey is an Idempotency-Key for a form: sending it twice does it once.
func onceKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "form-" + hex.EncodeToString(b[:])
}

// keyOf is the form's key; a form that brings none of ours gets a new one.
func keyOf(r *http.Request) string {
	if key := r.PostFormValue("once"); strings.HasPrefix(key, "form-") && len(key) <= 64 {
		return key
	}
	return onceKey()
}

// moment reads a time of a filter: RFC 3339, or a day or minute as browsers' fields write them, in UTC. Zero where there is none.
func moment(value string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.Parse(layout, value); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// with is a path whose query is changed: values come in pairs, an empty value takes the name out. The cursor never stays: it belongs
// to one filter.
func with(path string, query url.Values, pairs ...string) string {
	next := url.Values{}
	for name, values := range query {
		if name != "cursor" {
			next[name] = values
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		next.Del(pairs[i])
		if pairs[i+1] != "" {
			next.Set(pairs[i], pairs[i+1])
		}
	}
	if len(next) == 0 {
		return path
	}
	return path + "?" + next.Encode()
}
