package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// operations lists actions over many sagas.
func (d *Dashboard) operations(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	list, err := d.backend.Operations(r.Context(), q.Get("cursor"), pageRows)
	if err != nil {
		return err
	}
	d.write(w, r, http.StatusOK, operationsPage(d.page(r, ui.Operations, "Operations"), list, q.Get("cursor"), d.may(r, permitBulk), d.now(), r.URL.RequestURI()))
	return nil
}

// operationView is the page of one.
type operationView struct {
	page     ui.Page
	op       client.Operation
	outcomes client.OutcomeList
	only     string // outcomes of this kind
	query    url.Values
	bulk     bool
	did      string
	now      time.Time
	self     string
}

// operation is the page of one operation, with its progress.
func (d *Dashboard) operation(w http.ResponseWriter, r *http.Request) error {
	id, err := number(r, "id")
	if err != nil {
		return err
	}
	q := r.URL.Query()
	v := &operationView{page: d.page(r, ui.Operations, "Operation "+itoa(int(id))), query: q, bulk: d.may(r, permitBulk), did: q.Get("did"), now: d.now(), self: r.URL.RequestURI()}
	if only := q.Get("outcome"); slices.Contains(outcomeKinds(), only) {
		v.only = only
	}
	if v.op, err = d.backend.Operation(r.Context(), id); err != nil {
		return err
	}
	if v.outcomes, err = d.backend.Outcomes(r.Context(), id, v.only, q.Get("cursor"), pageRows); err != nil {
		return err
	}
	d.write(w, r, http.StatusOK, operationPage(v))
	return nil
}

// changeOperation pauses, resumes or cancels one.
func (d *Dashboard) changeOperation(w http.ResponseWriter, r *http.Request) error {
	id, err := number(r, "id")
	if err != nil {
		return err
	}
	change := chi.URLParam(r, "change")
	if !slices.Contains([]string{"pause", "resume", "cancel"}, change) {
		return notFound("there is no such page")
	}
	if err := d.backend.ChangeOperation(r.Context(), id, change, strings.TrimSpace(r.PostFormValue("reason"))); err != nil {
		return err
	}
	seeOther(w, r, "/operations/"+strconv.FormatInt(id, 10)+"?did="+change)
	return nil
}

func outcomeKinds() []string { return []string{"succeeded", "refused", "failed", "pending"} }

func outcomeMark(outcome string) ui.Mark {
	switch outcome {
	case "succeeded":
		return ui.Mark{Icon: "check", Word: "done", Tone: ui.Good}
	case "refused":
		return ui.Mark{Icon: "cross", Word: "refused", Tone: ui.Back, Hint: "its state forbids it"}
	case "failed":
		return ui.Mark{Icon: "alarm", Word: "failed", Tone: ui.Bad}
	}
	return ui.Mark{Icon: "dot", Word: outcome, Tone: ui.Idle}
}

func operationMark(state client.OperationState) ui.Mark {
	switch state {
	case client.OperationGathering:
		return ui.Mark{Icon: "queue", Word: "gathering", Tone: ui.Going, Hint: "its sagas are being listed"}
	case client.OperationRunning:
		return ui.Mark{Icon: "forward", Word: "running", Tone: ui.Going}
	case client.OperationPaused:
		return ui.Mark{Icon: "pause", Word: "paused", Tone: ui.Wait}
	case client.OperationCompleted:
		return ui.Mark{Icon: "check", Word: "completed", Tone: ui.Good}
	case client.OperationCancelled:
		return ui.Mark{Icon: "stop", Word: "cancelled", Tone: ui.Idle}
	}
	return ui.Mark{Icon: "dot", Word: string(state), Tone: ui.Idle}
}

// filterWords says which sagas a filter picks.
func filterWords(f *client.OperationFilter) string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+" "+value)
		}
	}
	if len(f.IDs) == 1 {
		parts = append(parts, "one picked saga")
	} else if len(f.IDs) > 1 {
		parts = append(parts, itoa(len(f.IDs))+" picked sagas")
	}
	add("definition", f.Saga)
	if f.Version > 0 {
		add("version", itoa(f.Version))
	}
	var words []string
	for _, s := range f.Status {
		words = append(words, strings.ToLower(ui.StatusMark(string(s)).Word))
	}
	add("status", strings.Join(words, " or "))
	if f.Attention == "any" {
		parts = append(parts, "needs a person")
	} else {
		add("attention", f.Attention)
	}
	if f.BlockedOn != "" {
		add("waits for", ui.CauseMark(f.BlockedOn).Word)
	}
	if f.Verdict != "" {
		add("ended as", ui.VerdictMark(f.Verdict).Word)
	}
	add("participant", f.Participant)
	add("key", f.Key)
	var labels []string
	for name, value := range f.Labels {
		labels = append(labels, name+":"+value)
	}
	slices.Sort(labels)
	add("label", strings.Join(labels, ", "))
	if f.CreatedAfter != nil {
		add("started after", f.CreatedAfter.UTC().Format("2006-01-02 15:04 UTC"))
	}
	if f.CreatedBefore != nil {
		add("started before", f.CreatedBefore.UTC().Format("2006-01-02 15:04 UTC"))
	}
	if len(parts) == 0 {
		return "no filter"
	}
	return strings.Join(parts, " · ")
}
