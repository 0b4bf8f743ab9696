package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// bulkView is the form of an action over many sagas, from the choice over the rehearsal to what came of it.
type bulkView struct {
	page    ui.Page
	query   url.Values
	filter  client.OperationFilter
	action  client.Action
	step    string
	rate    int
	reason  string
	once    string
	preview *client.OperationPreview
	problem *client.Problem
}

func bulkActions() []client.Action {
	return []client.Action{
		client.ActionRetry, client.ActionCancel, client.ActionPause, client.ActionResume, client.ActionWaive, client.ActionAcknowledge,
		client.ActionSkip, client.ActionComplete, client.ActionReject, client.ActionAbandon,
	}
}

func (d *Dashboard) readBulk(r *http.Request, values url.Values) *bulkView {
	v := &bulkView{page: d.page(r, ui.Operations, "Act on many"), query: url.Values{}, once: keyOf(r)}
	for _, name := range []string{"saga", "version", "status", "verdict", "attention", "blocked_on", "participant", "key", "label", "created_after", "created_before", "within", "id"} {
		if list := slices.DeleteFunc(slices.Clone(values[name]), func(s string) bool { return s == "" }); len(list) > 0 {
			v.query[name] = list
		}
	}
	v.filter = operationFilter(sagaFilter(v.query))
	v.filter.IDs = slices.Compact(slices.Sorted(slices.Values(v.query["id"])))
	v.action, v.step = client.Action(values.Get("action")), strings.TrimSpace(values.Get("step"))
	if !slices.Contains(bulkActions(), v.action) {
		v.action = client.ActionRetry
	}
	v.rate, _ = strconv.Atoi(strings.TrimSpace(values.Get("rate"))) // what is no number is the server's own rate
	v.reason = strings.TrimSpace(values.Get("reason"))
	return v
}

// operationForm asks what to do, and with which sagas.
func (d *Dashboard) operationForm(w http.ResponseWriter, r *http.Request) error {
	d.write(w, r, http.StatusOK, bulkPage(d.readBulk(r, r.URL.Query())))
	return nil
}

// startOperation rehearses an action over many sagas, and begins it once that is confirmed.
func (d *Dashboard) startOperation(w http.ResponseWriter, r *http.Request) error {
	v := d.readBulk(r, r.PostForm)
	confirmed := r.PostFormValue("confirm") == "true"
	var err error
	if confirmed {
		var op client.Operation
		if op, err = d.backend.StartOperation(r.Context(), v.request(), v.once); err == nil {
			seeOther(w, r, "/operations/"+strconv.FormatInt(op.ID, 10)+"?did=started")
			return nil
		}
	} else {
		var preview client.OperationPreview
		if preview, err = d.backend.RehearseOperation(r.Context(), v.request()); err == nil {
			v.preview = &preview
		}
	}
	status := http.StatusOK
	if err != nil {
		problem, ok := refusedForm(err)
		if !ok {
			return err
		}
		v.problem, status = problem, problem.Status
	}
	d.write(w, r, status, bulkPage(v))
	return nil
}

func (v *bulkView) request() client.OperationRequest {
	return client.OperationRequest{Action: v.action, Filter: v.filter, Step: v.step, Reason: v.reason, Rate: v.rate}
}

// previewCount says how many match.
func previewCount(p *client.OperationPreview) string {
	switch {
	case p.Count != nil && *p.Count == 1:
		return "1 saga matches"
	case p.Count != nil:
		return ui.Number(*p.Count) + " sagas match"
	case p.AtLeast != nil:
		return "at least " + ui.Number(*p.AtLeast) + " sagas match"
	}
	return "an unknown number of sagas match"
}

// actionWord says what an action does, for a choice.
func actionWord(a client.Action) string {
	switch a {
	case client.ActionRetry:
		return "retry: send what fails or was refused again, now"
	case client.ActionCancel:
		return "cancel: undo what has not passed its pivot"
	case client.ActionPause:
		return "pause: send nothing more until resumed"
	case client.ActionResume:
		return "resume: go on after a pause"
	case client.ActionWaive:
		return "waive: accept what a failed compensation left"
	case client.ActionAcknowledge:
		return "acknowledge: clear attention that only a person can clear"
	case client.ActionSkip:
		return "skip: go on without a step that had no effect"
	case client.ActionComplete:
		return "complete: settle a step as succeeded, by your own word"
	case client.ActionReject:
		return "reject: settle a step as rejected, by your own word"
	case client.ActionAbandon:
		return "abandon: close and accept the residue"
	}
	return string(a)
}
