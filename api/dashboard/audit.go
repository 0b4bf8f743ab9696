package dashboard

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// auditView is what the page of operator actions shows.
type auditView struct {
	page   ui.Page
	query  url.Values
	filter client.AuditFilter
	list   client.AuditList
	now    time.Time
}

// audit lists operator actions by the filter in the URL.
func (d *Dashboard) audit(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := &auditView{page: d.page(r, ui.Audit, "Audit"), query: q, now: d.now()}
	v.filter = client.AuditFilter{
		Actor: strings.TrimSpace(q.Get("actor")), Action: strings.TrimSpace(q.Get("action")), Saga: strings.TrimSpace(q.Get("saga")),
		Target: strings.TrimSpace(q.Get("target")), From: moment(q.Get("from")), To: moment(q.Get("to")), Cursor: q.Get("cursor"), Limit: pageRows,
	}
	var err error
	if v.list, err = d.backend.Audit(r.Context(), v.filter); err != nil {
		return err
	}
	d.write(w, r, http.StatusOK, auditPage(v))
	return nil
}

func (v *auditView) filtered() bool { return with("", v.query) != "" }

func auditGroups() []string {
	return []string{"saga", "hold", "definition", "operation", "quarantine", "retention"}
}
