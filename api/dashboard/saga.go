package dashboard

import (
	"net/http"

	"github.com/skaldhq/skald/api/dashboard/assets"
	"github.com/skaldhq/skald/api/dashboard/sagapage"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

func sagaAssets() []assets.File { return sagapage.Files() }

// sagaPages are the page of one saga and the forms that act on it.
func (d *Dashboard) sagaPages() *sagapage.Pages {
	return sagapage.New(d.backend, sagapage.Frame{
		Page:  func(r *http.Request, title string) ui.Page { return d.page(r, ui.Sagas, title) },
		Write: d.write, Now: d.now, Once: onceKey,
	})
}

func (d *Dashboard) saga(w http.ResponseWriter, r *http.Request) error {
	return d.sagaPages().Show(w, r)
}

func (d *Dashboard) actForm(w http.ResponseWriter, r *http.Request) error {
	return d.sagaPages().Form(w, r)
}

func (d *Dashboard) act(w http.ResponseWriter, r *http.Request) error {
	return d.sagaPages().Act(w, r)
}
