package dashboard

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/skaldhq/skald/api/dashboard/assets"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

func sagaAssets() []assets.File { return nil }

// saga is the page of one saga.
func (d *Dashboard) saga(w http.ResponseWriter, r *http.Request) error {
	s, err := d.backend.Saga(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	d.write(w, r, http.StatusOK, sagaPlain(d.page(r, ui.Sagas, nameOf(&s)), &s, d.now()))
	return nil
}
