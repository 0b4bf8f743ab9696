package sagapage

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/skaldhq/skald/api/client"
)

// rehearsing stands in for the reason until somebody gives one; no form shows it.
const rehearsing = "rehearsal"

// Form shows what an action would come to: GET /sagas/{id}/act/{action}. Nothing is done.
func (p *Pages) Form(w http.ResponseWriter, r *http.Request) error {
	wish, err := wishOf(r, r.URL.Query())
	if err != nil {
		return err
	}
	f, err := p.form(r, wish)
	if err != nil {
		return err
	}
	return p.showForm(w, r, http.StatusOK, f)
}

// Act does it: POST /sagas/{id}/act/{action}, from the form. What was rehearsed is what is done: where the saga has another revision by
// now, nothing is, and the form comes again with what has happened since.
func (p *Pages) Act(w http.ResponseWriter, r *http.Request) error {
	wish, err := wishOf(r, r.PostForm)
	if err != nil {
		return err
	}
	revision, err := strconv.ParseInt(r.PostForm.Get("revision"), 10, 64)
	if err != nil || revision < 1 {
		return refused(http.StatusBadRequest, "unreadable", "the form does not say which revision it is about; open it again")
	}
	id := chi.URLParam(r, "id")
	if strings.TrimSpace(wish.Reason) == "" {
		return p.again(w, r, wish, http.StatusUnprocessableEntity, &client.Problem{Detail: "Say why: the reason stays in the audit."})
	}
	_, err = p.source.ActOnWish(r.Context(), id, wish, revision, onceOf(r, p.frame.Once))
	if err == nil {
		http.Redirect(w, r, string(sagaURL(id)), http.StatusSeeOther)
		return nil
	}
	var known *client.Error
	if !errors.As(err, &known) || known.Status >= 500 || known.Status == http.StatusForbidden || known.Status == http.StatusNotFound {
		return err
	}
	return p.again(w, r, wish, known.Status, &known.Problem)
}

func onceOf(r *http.Request, make func() string) string {
	if key := r.PostForm.Get("once"); key != "" && len(key) <= 64 {
		return key
	}
	return make()
}

// wishOf reads a wish from a form or a query. What is no JSON stays a string's worth of trouble for the API, which says so.
func wishOf(r *http.Request, form url.Values) (Wish, error) {
	wish := Wish{Action: client.Action(chi.URLParam(r, "action")), Step: form.Get("step"), Reason: form.Get("reason")}
	if verbOf(wish.Action) == string(wish.Action) {
		return wish, refused(http.StatusNotFound, "not_found", "there is no such action")
	}
	if text := strings.TrimSpace(form.Get("output")); text != "" {
		wish.Output = json.RawMessage(text)
	}
	if text := strings.TrimSpace(form.Get("payload")); text != "" {
		wish.Payload = json.RawMessage(text)
	}
	wish.Version, _ = strconv.Atoi(form.Get("version")) // what is no number is asked for again
	return wish, nil
}

func refused(status int, code, detail string) error {
	return &client.Error{Problem: client.Problem{Title: http.StatusText(status), Status: status, Code: code, Detail: detail}}
}

// again shows the form with what was wrong, and with what has happened since it was shown.
func (p *Pages) again(w http.ResponseWriter, r *http.Request, wish Wish, status int, problem *client.Problem) error {
	f, err := p.form(r, wish)
	if err != nil {
		return err
	}
	f.Reason, f.Problem = wish.Reason, problem
	if status == http.StatusPreconditionFailed {
		f.Problem, f.Moved = nil, true
		seen, _ := strconv.ParseInt(r.PostForm.Get("seen"), 10, 64) // without it nothing is told
		f.Since = happened(f.look, seen)
	}
	return p.showForm(w, r, status, f)
}

// form reads the saga and rehearses the wish, where it can be.
func (p *Pages) form(r *http.Request, wish Wish) (*formView, error) {
	ctx, id := r.Context(), chi.URLParam(r, "id")
	look, err := p.source.Look(ctx, id, timelineFacts)
	if err != nil {
		return nil, err
	}
	f := newForm(&look, wish)
	f.Once = p.frame.Once()
	if wish.Action == ActionRebind {
		if err := p.versions(r, f); err != nil {
			return nil, err
		}
		if wish.Version == 0 {
			return f, nil
		}
	}
	if !jsonOrNone(wish.Output) || !jsonOrNone(wish.Payload) {
		f.Refused = &client.Problem{Detail: "What you gave is no JSON."}
		return f, nil
	}
	asked := wish
	asked.Reason = rehearsing
	rehearsal, err := p.source.RehearseWish(ctx, id, asked)
	var known *client.Error
	switch {
	case err == nil:
		f.rehearsed(&rehearsal)
	case errors.As(err, &known) && known.Status < 500 && known.Status != http.StatusForbidden && known.Status != http.StatusNotFound:
		f.Refused = &known.Problem
	default:
		return nil, err
	}
	return f, nil
}

// versions offers the other versions of the saga's definition.
func (p *Pages) versions(r *http.Request, f *formView) error {
	list, err := p.source.Definitions(r.Context(), f.Saga.Saga)
	if err != nil {
		return err
	}
	for _, d := range list.Items {
		if d.Version != f.Saga.Version {
			f.Versions = append(f.Versions, d.Version)
		}
	}
	slices.Sort(f.Versions)
	slices.Reverse(f.Versions)
	return nil
}

func jsonOrNone(raw json.RawMessage) bool { return len(raw) == 0 || json.Valid(raw) }

func (p *Pages) showForm(w http.ResponseWriter, r *http.Request, status int, f *formView) error {
	page := p.frame.Page(r, f.Choice.Verb+" · "+f.Name)
	page.Styles, page.Scripts = append(page.Styles, "sagapage.css"), append(page.Scripts, "sagapage.js")
	p.frame.Write(w, r, status, actPage(page, f))
	return nil
}
