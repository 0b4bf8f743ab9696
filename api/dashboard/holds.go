package dashboard

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// holdsView is the page of holds and limits.
type holdsView struct {
	page    ui.Page
	rows    []client.HoldStatus
	request client.HoldRequest // in the form
	problem *client.Problem
	operate bool
	admin   bool
	did     string
	limits  limitsView
}

const holdsCounted = 20 // holds whose sagas are counted; counting takes a query each

// holds lists the holds in force, and has the form that sets one.
func (d *Dashboard) holds(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := &holdsView{did: q.Get("did"), request: client.HoldRequest{Scope: client.HoldParticipant, Name: q.Get("name")}}
	if scope := client.HoldScope(q.Get("scope")); slices.Contains(holdScopes(), scope) {
		v.request.Scope = scope
	}
	return d.writeHolds(w, r, http.StatusOK, v)
}

func (d *Dashboard) writeHolds(w http.ResponseWriter, r *http.Request, status int, v *holdsView) error {
	v.page, v.operate, v.admin = d.page(r, ui.Holds, "Holds and limits"), d.may(r, permitOperate), d.backend.Viewer(r.Context()).All
	list, err := d.backend.Holds(r.Context())
	if err != nil {
		return err
	}
	for i, h := range list.Items {
		row := client.HoldStatus{Hold: h}
		if i < holdsCounted {
			if row, err = d.backend.Hold(r.Context(), h.ID); err != nil {
				return err
			}
		}
		v.rows = append(v.rows, row)
	}
	limits, err := d.backend.Limits(r.Context())
	if err != nil {
		return err
	}
	v.limits.rows = limits.Items
	d.write(w, r, status, holdsPage(v))
	return nil
}

// putHold sets a hold.
func (d *Dashboard) putHold(w http.ResponseWriter, r *http.Request) error {
	version, _ := strconv.Atoi(strings.TrimSpace(r.PostFormValue("version"))) // what is no number holds every version
	v := &holdsView{request: client.HoldRequest{
		Scope: client.HoldScope(r.PostFormValue("scope")), Name: strings.TrimSpace(r.PostFormValue("name")), Version: version,
		Reason: strings.TrimSpace(r.PostFormValue("reason")),
	}}
	_, err := d.backend.PutHold(r.Context(), v.request)
	if err == nil {
		seeOther(w, r, "/holds?did=held")
		return nil
	}
	problem, ok := refusedForm(err)
	if !ok {
		return err
	}
	v.problem = problem
	return d.writeHolds(w, r, problem.Status, v)
}

// endHold ends a hold, at once or with a rate.
func (d *Dashboard) endHold(w http.ResponseWriter, r *http.Request) error {
	id, err := number(r, "id")
	if err != nil {
		return err
	}
	rate, _ := strconv.Atoi(strings.TrimSpace(r.PostFormValue("rate"))) // what is no number: all at once
	if err := d.backend.EndHold(r.Context(), id, strings.TrimSpace(r.PostFormValue("reason")), rate); err != nil {
		return err
	}
	seeOther(w, r, "/holds?did=ended")
	return nil
}

func holdScopes() []client.HoldScope {
	return []client.HoldScope{client.HoldParticipant, client.HoldSagaType, client.HoldTenant, client.HoldAll}
}

func scopeWord(scope client.HoldScope) string {
	switch scope {
	case client.HoldParticipant:
		return "a participant"
	case client.HoldSagaType:
		return "a definition"
	case client.HoldTenant:
		return "the whole tenant"
	case client.HoldAll:
		return "everything, every tenant"
	}
	return string(scope)
}

func heldWord(h *client.Hold) string {
	switch h.Scope {
	case client.HoldParticipant:
		return "participant " + h.Name
	case client.HoldSagaType:
		if h.Version > 0 {
			return h.Name + " v" + itoa(h.Version)
		}
		return h.Name + ", every version"
	case client.HoldTenant, client.HoldAll:
	}
	return scopeWord(h.Scope)
}

func atLeast(n int, exact bool) string {
	if exact {
		return ui.Number(int64(n))
	}
	return "≥ " + ui.Number(int64(n))
}
