package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// sagaList is what the list of sagas shows.
type sagaList struct {
	page   ui.Page
	query  url.Values // of the URL: the filter
	filter client.SagaFilter
	list   client.SagaList
	names  []string // of definitions
	now    time.Time
	self   string
	bulk   bool // whether who looks may act on many
}

// sagas lists sagas by the filter in the URL.
func (d *Dashboard) sagas(w http.ResponseWriter, r *http.Request) error {
	v := &sagaList{page: d.page(r, ui.Sagas, "Sagas"), query: r.URL.Query(), now: d.now(), self: r.URL.RequestURI(), bulk: d.may(r, permitBulk)}
	v.filter = sagaFilter(v.query)
	var err error
	if v.list, err = d.backend.Sagas(r.Context(), v.filter); err != nil {
		return err
	}
	if v.names, err = d.definitionNames(r); err != nil {
		return err
	}
	d.write(w, r, http.StatusOK, sagasPage(v))
	return nil
}

// definitionNames lists the definitions by name.
func (d *Dashboard) definitionNames(r *http.Request) ([]string, error) {
	list, err := d.backend.Definitions(r.Context(), "")
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// search goes to the saga of an id, or of the newest with a business key; else it lists what the key finds.
func (d *Dashboard) search(w http.ResponseWriter, r *http.Request) error {
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	if text == "" {
		seeOther(w, r, "/sagas")
		return nil
	}
	if s, err := d.backend.Saga(r.Context(), text); err == nil {
		seeOther(w, r, string(sagaURL(s.ID)))
		return nil
	}
	list, err := d.backend.Sagas(r.Context(), client.SagaFilter{Key: text, Limit: 2})
	if err != nil {
		return err
	}
	if len(list.Items) == 1 {
		seeOther(w, r, string(sagaURL(list.Items[0].ID)))
		return nil
	}
	seeOther(w, r, with("/sagas", nil, "key", text))
	return nil
}

// tab is a choice of statuses that is one click away.
type tab struct {
	name  string
	pairs []string // of the query
	on    bool
}

func (v *sagaList) tabs() []tab {
	status, attention := strings.Join(v.query["status"], ","), v.query.Get("attention")
	all := []struct{ name, status, attention string }{
		{"All", "", ""},
		{"Needs a person", "", "any"},
		{"Live", "running,compensating,suspended", ""},
		{"Running", "running", ""},
		{"Going back", "compensating", ""},
		{"Suspended", "suspended", ""},
		{"Completed", "completed", ""},
		{"Compensated", "compensated", ""},
		{"Abandoned", "abandoned", ""},
	}
	out := make([]tab, len(all))
	for i, t := range all {
		out[i] = tab{t.name, []string{"status", t.status, "attention", t.attention}, t.status == status && t.attention == attention}
	}
	return out
}

// filtered reports whether anything narrows the list.
func (v *sagaList) filtered() bool { return len(with("", v.query, "order", "")) > 0 }

// turned is the list in the other order.
func (v *sagaList) turned() string {
	if v.filter.Order == oldest {
		return with("/sagas", v.query, "order", "")
	}
	return with("/sagas", v.query, "order", oldest)
}

// count is how many match, in words; empty where it is not known.
func (v *sagaList) count() string {
	switch {
	case v.list.Count != nil && *v.list.Count == 1:
		return "1 saga"
	case v.list.Count != nil:
		return ui.Number(*v.list.Count) + " sagas"
	case v.list.AtLeast != nil:
		return "at least " + ui.Number(*v.list.AtLeast) + " sagas"
	}
	return ""
}

// waits is what a saga of a list waits for, or why it ended as it did; empty: nothing to say.
func waits(s *client.Saga) (mark ui.Mark, more string) {
	if len(s.Attention) > 0 {
		at := s.Attention[0]
		return ui.AttentionMark(at.Reason), at.Step
	}
	if s.Paused {
		return ui.Mark{Icon: "pause", Word: "paused", Tone: ui.Wait}, ""
	}
	if len(s.BlockedOn) > 0 {
		b := s.BlockedOn[0]
		more := b.Step
		if b.Participant != "" {
			more += " · " + b.Participant
		}
		return ui.CauseMark(b.Cause), strings.TrimPrefix(more, " · ")
	}
	if s.Certificate != nil && s.Certificate.Verdict == "residue" {
		return ui.VerdictMark(s.Certificate.Verdict), abortWord(s.Abort)
	}
	return ui.Mark{}, abortWord(s.Abort)
}

func abortWord(a *client.Abort) string {
	if a == nil {
		return ""
	}
	word := map[string]string{
		"step_rejected": "refused", "step_unknown": "unknown outcome", "cancelled": "cancelled", "deadline": "deadline passed",
	}[a.Reason]
	if a.Step != "" {
		word = a.Step + ": " + word
	}
	if a.Code != "" {
		word += " (" + a.Code + ")"
	}
	return word
}

func ended(s *client.Saga, now time.Time) time.Duration {
	if s.EndedAt != nil {
		return s.EndedAt.Sub(s.CreatedAt)
	}
	return now.Sub(s.CreatedAt)
}
