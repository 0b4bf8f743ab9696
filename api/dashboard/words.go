package dashboard

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

func headline(p client.Problem, what string) string {
	if what != "" {
		return what
	}
	switch p.Status {
	case http.StatusNotFound:
		return "There is nothing here"
	case http.StatusUnauthorized:
		return "Sign in to see this"
	case http.StatusForbidden:
		return "You may not see or do this"
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return "Not at the moment"
	}
	if p.Status >= 500 {
		return "Something is wrong here"
	}
	return "This was refused"
}

func advice(p client.Problem) string {
	switch {
	case p.Status == http.StatusNotFound:
		return "The id may be wrong, or retention has taken it away. Search by id or business key above."
	case p.Status == http.StatusUnauthorized:
		return "Your gateway or client must send credentials; see the documentation on authentication."
	case p.Status == http.StatusForbidden:
		return "Ask whoever gives out roles for the permission."
	case p.Status == http.StatusPreconditionFailed:
		return "It changed since you opened the page. Look at it again, then decide."
	case p.Retryable:
		return "Try again in a moment."
	case p.Status >= 500:
		return "The log of the server has more under the request's id."
	}
	return "Code " + p.Code + "."
}

func joined(list []string) string { return strings.Join(list, ", ") }

func sagaURL(id string) templ.SafeURL { return templ.SafeURL("/sagas/" + url.PathEscape(id)) }

func definitionURL(name string, version int) templ.SafeURL {
	return templ.SafeURL("/definitions/" + url.PathEscape(name) + "/" + strconv.Itoa(version))
}

func listURL(pairs ...string) templ.SafeURL { return templ.SafeURL(with("/sagas", nil, pairs...)) }

// reasonWord is an attention's reason in words.
func reasonWord(reason string) string {
	return strings.ReplaceAll(strings.ReplaceAll(reason, "_", " "), ".", " ")
}

func itoa(n int) string { return strconv.Itoa(n) }

// nameOf is what people call a saga: its business key, else its id.
func nameOf(s *client.Saga) string {
	if s.Key != "" {
		return ui.Visible(s.Key)
	}
	return s.ID
}
