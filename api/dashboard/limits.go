package dashboard

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// limitFields is what the form that sets a limit holds.
type limitFields struct {
	scope           client.HoldScope
	name            string
	sagas, commands string // as typed
	reason          string
	problem         *client.Problem
}

// limitsView is the part of the page of holds that is about limits.
type limitsView struct {
	rows   []client.Limit
	fields limitFields
}

// putLimit sets a limit, or replaces the one that is there.
func (d *Dashboard) putLimit(w http.ResponseWriter, r *http.Request) error {
	f := limitFields{
		scope: client.HoldScope(r.PostFormValue("scope")), name: strings.TrimSpace(r.PostFormValue("name")),
		sagas: strings.TrimSpace(r.PostFormValue("sagas")), commands: strings.TrimSpace(r.PostFormValue("commands")),
		reason: strings.TrimSpace(r.PostFormValue("reason")),
	}
	req, err := f.request()
	if err == nil {
		_, err = d.backend.PutLimit(r.Context(), f.scope, f.name, req)
	}
	if err == nil {
		seeOther(w, r, "/holds?did=limited#limits")
		return nil
	}
	problem, ok := refusedForm(err)
	if !ok {
		return err
	}
	f.problem = problem
	return d.writeHolds(w, r, problem.Status, &holdsView{limits: limitsView{fields: f}})
}

// request reads the numbers; what is no number is refused with all the others that are none.
func (f *limitFields) request() (client.LimitRequest, error) {
	req := client.LimitRequest{Reason: f.reason}
	var wrong []client.FieldError
	for _, n := range []struct {
		name, text string
		into       *int
	}{{"sagas", f.sagas, &req.Sagas}, {"commands", f.commands, &req.Commands}} {
		if n.text == "" {
			continue
		}
		var err error
		if *n.into, err = strconv.Atoi(n.text); err != nil || *n.into < 1 {
			wrong = append(wrong, client.FieldError{Path: n.name, Message: "want a whole number above 0, or nothing for no bound"})
		}
	}
	if wrong != nil {
		return req, badFields(wrong...)
	}
	return req, nil
}

// removeLimit takes a limit away.
func (d *Dashboard) removeLimit(w http.ResponseWriter, r *http.Request) error {
	scope, name := client.HoldScope(chi.URLParam(r, "scope")), chi.URLParam(r, "name")
	if err := d.backend.RemoveLimit(r.Context(), scope, name, strings.TrimSpace(r.PostFormValue("reason"))); err != nil {
		return err
	}
	seeOther(w, r, "/holds?did=unlimited#limits")
	return nil
}

func limitScopes() []client.HoldScope {
	return []client.HoldScope{client.HoldParticipant, client.HoldSagaType}
}

func limitedWord(l *client.Limit) string {
	return heldWord(&client.Hold{Scope: l.Scope, Name: l.Name})
}

// usedWord is how far a limit is used: of how many.
func usedWord(used, bound int) string {
	if bound == 0 {
		return ui.Number(int64(used)) + ", no bound"
	}
	return ui.Number(int64(used)) + " of " + ui.Number(int64(bound))
}

func limitID(l *client.Limit) string { return "limit-" + string(l.Scope) + "-" + l.Name }
