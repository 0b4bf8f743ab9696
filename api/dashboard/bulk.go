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

// bulkMax is how many sagas can be picked one by one; more are chosen by a filter.
const bulkMax = 500

// bulkView is the form of an action over many sagas, from the choice over the rehearsal to what came of it.
type bulkView struct {
	page     ui.Page
	ids      []string // picked one by one; empty: those of the filter
	query    url.Values
	filter   client.OperationFilter
	unfit    bool // the list's filter has what an operation's has not
	action   client.Action
	step     string
	rate     int
	reason   string
	once     string
	preview  *client.OperationPreview
	outcomes []client.Outcome // of the picked: what would come of it, or came
	done     bool             // outcomes are what came of it
	problem  *client.Problem
}

func bulkActions() []client.Action {
	return []client.Action{
		client.ActionRetry, client.ActionCancel, client.ActionPause, client.ActionResume, client.ActionWaive, client.ActionAcknowledge,
		client.ActionSkip, client.ActionComplete, client.ActionReject, client.ActionAbandon,
	}
}

func (d *Dashboard) readBulk(r *http.Request, values url.Values) *bulkView {
	v := &bulkView{page: d.page(r, ui.Operations, "Act on many"), query: url.Values{}, once: keyOf(r)}
	for _, name := range []string{"saga", "status", "attention", "blocked_on", "participant", "key", "label", "created_after", "created_before", "within"} {
		if list := slices.DeleteFunc(slices.Clone(values[name]), func(s string) bool { return s == "" }); len(list) > 0 {
			v.query[name] = list
		}
	}
	var fits bool
	v.filter, fits = operationFilter(sagaFilter(v.query))
	v.unfit = !fits
	v.ids = slices.Compact(slices.Sorted(slices.Values(values["id"])))
	v.ids = v.ids[:min(len(v.ids), bulkMax)]
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
	switch {
	case len(v.ids) > 0:
		err = d.actOnPicked(r, v, confirmed)
	case confirmed:
		var op client.Operation
		if op, err = d.backend.StartOperation(r.Context(), v.request(), v.once); err == nil {
			seeOther(w, r, "/operations/"+strconv.FormatInt(op.ID, 10)+"?did=started")
			return nil
		}
	default:
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

// actOnPicked does the action on each picked saga, or rehearses it. What one refuses stops no other; its key makes sending the form
// twice harmless for each.
func (d *Dashboard) actOnPicked(r *http.Request, v *bulkView, confirmed bool) error {
	if v.reason == "" {
		return &client.Error{Problem: client.Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: "want a reason"}}
	}
	for _, id := range v.ids {
		out := client.Outcome{SagaID: id, Outcome: "succeeded"}
		steps, err := d.stepsFor(r, v, id)
		for _, step := range steps {
			if err != nil {
				break
			}
			req := client.ActRequest{Step: step, Reason: v.reason}
			if confirmed {
				_, err = d.backend.Act(r.Context(), id, v.action, req, 0, v.once+"-"+id+"-"+step)
			} else {
				_, err = d.backend.Rehearse(r.Context(), id, v.action, req)
			}
		}
		if err != nil {
			problem, ok := refusedForm(err)
			if !ok {
				return err
			}
			out.Outcome, out.Code, out.Message = "refused", problem.Code, problem.Detail
		}
		v.outcomes = append(v.outcomes, out)
	}
	v.done = confirmed
	return nil
}

// stepsFor is the steps of one saga that the action is about: the one that is named, or as an operation chooses them.
func (d *Dashboard) stepsFor(r *http.Request, v *bulkView, id string) ([]string, error) {
	if v.step != "" || v.action != client.ActionRetry && v.action != client.ActionWaive {
		return []string{v.step}, nil
	}
	s, err := d.backend.Saga(r.Context(), id)
	if err != nil {
		return nil, err
	}
	var steps []string
	for i := range s.Steps {
		st := &s.Steps[i]
		retriable := st.Status == "backing_off" || st.Status == "undo_backing_off" || st.Status == "stuck" && st.Effect == "none"
		if st.Status == "undo_failed" || v.action == client.ActionRetry && retriable {
			steps = append(steps, st.Name)
		}
	}
	if len(steps) == 0 {
		return nil, &client.Error{Problem: client.Problem{Status: http.StatusConflict, Code: "no_step", Detail: "it has no step that this could be about"}}
	}
	return steps, nil
}

// possible counts the picked sagas that an action can be done to.
func (v *bulkView) possible() int {
	n := 0
	for i := range v.outcomes {
		if v.outcomes[i].Outcome == "succeeded" {
			n++
		}
	}
	return n
}

func previewCount(p *client.OperationPreview) string {
	switch {
	case p.Count != nil:
		return ui.Number(*p.Count)
	case p.AtLeast != nil:
		return "at least " + ui.Number(*p.AtLeast)
	}
	return "an unknown number of"
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
