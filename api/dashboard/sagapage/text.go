package sagapage

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
	"github.com/skaldhq/skald/api/story"
)

func sagasOf(definition string) templ.SafeURL {
	return templ.SafeURL("/sagas?" + url.Values{"saga": {definition}}.Encode())
}

func definitionURL(name string, version int) templ.SafeURL {
	return templ.SafeURL("/definitions/" + pathPart(name) + "/" + strconv.Itoa(version))
}

func factURL(saga string, seq int64) templ.SafeURL {
	return templ.SafeURL("/v1/sagas/" + pathPart(saga) + "/history?" + url.Values{"limit": {"500"}}.Encode() + "#" + strconv.FormatInt(seq, 10))
}

type labelView struct {
	Name, Value string
	URL         templ.SafeURL
}

func labelsOf(sg *client.Saga) []labelView {
	var out []labelView
	for _, name := range slices.Sorted(maps.Keys(sg.Labels)) {
		value := sg.Labels[name]
		out = append(out, labelView{ui.Visible(name), ui.Visible(value), templ.SafeURL("/sagas?" + url.Values{"label": {name + ":" + value}}.Encode())})
	}
	return out
}

func kindText(kind string) string {
	switch kind {
	case "pivot":
		return "pivot: the point of no return"
	case "retriable":
		return "retriable: comes after the pivot, and is retried until it succeeds"
	case "compensatable":
		return "compensatable: comes before the point of no return"
	}
	return kind
}

func codedError(e *client.StepError) string { return story.Coded(e.Code, e.Message) }

func plural(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func exactly(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 UTC") }

// since is how long after the beginning something was.
func since(d time.Duration) string { return "+" + ui.Human(d) }

func lineClass(l lineView) string {
	class := "p-line"
	if l.Back {
		class += " back"
	} else {
		class += " ahead"
	}
	if l.Done {
		class += " done"
	}
	return class
}

func lineTip(l lineView) string {
	switch {
	case l.Back:
		return "m-back-"
	case l.Done:
		return "m-ok-"
	}
	return "m-idle-"
}

func hatched(class string) bool { return strings.HasPrefix(class, "g-rev") }

// commaIf is a comma, or nothing.
func commaIf(wanted bool) string {
	if wanted {
		return ","
	}
	return ""
}
