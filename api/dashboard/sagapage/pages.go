package sagapage

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// timelineFacts is how many facts the timeline is made of. It bounds what a saga with a long history costs with each update.
const timelineFacts = 1000

// Frame is what the pages need of the dashboard around them.
type Frame struct {
	Page  func(r *http.Request, title string) ui.Page
	Write func(w http.ResponseWriter, r *http.Request, status int, page templ.Component)
	Now   func() time.Time
	Once  func() string // a new Idempotency-Key
}

// Pages are the page of one saga and the forms that act on it. They are safe for concurrent use. An error that a page returns is for
// the frame to show: nothing has been written then.
type Pages struct {
	source Source
	frame  Frame
}

// New makes the pages; all of Frame is required.
func New(source Source, frame Frame) *Pages { return &Pages{source, frame} }

// Show is the page of one saga: GET /sagas/{id}, with ?before=N an older page of its history.
func (p *Pages) Show(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), chi.URLParam(r, "id")
	look, err := p.source.Look(ctx, id, timelineFacts)
	if err != nil {
		return err
	}
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64) // what is no number is the first page
	older, err := p.older(ctx, id, before)
	if err != nil {
		return err
	}
	v := see(&look, older, p.frame.Now())
	self := string(sagaURL(id))
	if older != nil {
		self += "?before=" + strconv.FormatInt(before, 10)
	}
	page := p.frame.Page(r, v.Title+" · "+look.Saga.Saga)
	page.Styles, page.Scripts = append(page.Styles, "sagapage.css"), append(page.Scripts, "sagapage.js")
	p.frame.Write(w, r, http.StatusOK, sagaPage(page, &v, self))
	return nil
}

// older is another page of the history than the first; nil for that one.
func (p *Pages) older(ctx context.Context, id string, before int64) ([]client.Fact, error) {
	if before <= 1 {
		return nil, nil
	}
	facts, err := p.source.Facts(ctx, id, before, historyRows)
	if facts == nil {
		facts = []client.Fact{}
	}
	return facts, err
}
