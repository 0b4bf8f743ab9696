package dashboard

import (
	"net/http"

	"github.com/skaldhq/skald/api/dashboard/assets"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// Route is a page, or what a form of a page posts to.
type Route struct {
	Method     string
	Pattern    string // of chi
	Permission string // that it takes to get there; empty: none. What a page asks of the Backend may take more
	Handler    http.Handler
}

const (
	permitRead    = "read"
	permitStart   = "start"
	permitOperate = "operate"
	permitBulk    = "bulk"
	permitDeploy  = "deploy"
	permitAudit   = "audit"
)

// Routes lists all pages. Whoever mounts them sees to the permissions, to the policy of pages, and that forms come from the same
// origin.
func (d *Dashboard) Routes() []Route {
	get := func(pattern, permission string, section ui.Section, page func(http.ResponseWriter, *http.Request) error) Route {
		return Route{http.MethodGet, pattern, permission, d.handle(section, page)}
	}
	post := func(pattern, permission string, section ui.Section, page func(http.ResponseWriter, *http.Request) error) Route {
		return Route{http.MethodPost, pattern, permission, d.handle(section, limitForm(page))}
	}
	return []Route{
		{http.MethodGet, assets.Prefix + "*", "", d.assets},
		{http.MethodGet, "/live", permitRead, http.HandlerFunc(d.live)},
		{http.MethodGet, "/sagas/{id}/live", permitRead, http.HandlerFunc(d.live)},
		get("/", permitRead, ui.Overview, d.overview),
		get("/search", permitRead, ui.Sagas, d.search),
		get("/sagas", permitRead, ui.Sagas, d.sagas),
		get("/sagas/{id}", permitRead, ui.Sagas, d.saga),
		{http.MethodGet, "/sagas/{id}/act/{action}", permitOperate, d.handle(ui.Sagas, d.actForm)},
		{http.MethodPost, "/sagas/{id}/act/{action}", permitOperate, d.handle(ui.Sagas, limitForm(d.act))},
		get("/definitions", permitRead, ui.Definitions, d.definitions),
		get("/definitions/{name}/diff", permitRead, ui.Definitions, d.diff),
		get("/definitions/{name}/{version}", permitRead, ui.Definitions, d.definition),
		get("/definitions/{name}/{version}/start", permitStart, ui.Definitions, d.startForm),
		post("/definitions/{name}/{version}/start", permitStart, ui.Definitions, d.start),
		post("/definitions/{name}/{version}/{change}", permitDeploy, ui.Definitions, d.setDefinition),
		get("/participants", permitRead, ui.Participants, d.participants),
		get("/quarantine", permitRead, ui.Quarantine, d.quarantine),
		get("/quarantine/many", permitBulk, ui.Quarantine, d.manyForm),
		post("/quarantine/many", permitBulk, ui.Quarantine, d.handleMany),
		get("/quarantine/{id}", permitRead, ui.Quarantine, d.quarantined),
		post("/quarantine/{id}/{action}", permitOperate, ui.Quarantine, d.handleQuarantined),
		get("/operations", permitRead, ui.Operations, d.operations),
		get("/operations/new", permitBulk, ui.Operations, d.operationForm),
		post("/operations/new", permitBulk, ui.Operations, d.startOperation),
		get("/operations/{id}", permitRead, ui.Operations, d.operation),
		post("/operations/{id}/{change}", permitBulk, ui.Operations, d.changeOperation),
		get("/holds", permitRead, ui.Holds, d.holds),
		post("/holds", permitOperate, ui.Holds, d.putHold),
		post("/holds/{id}/end", permitOperate, ui.Holds, d.endHold),
		post("/limits", permitOperate, ui.Holds, d.putLimit),
		post("/limits/{scope}/{name}/remove", permitOperate, ui.Holds, d.removeLimit),
		get("/audit", permitAudit, ui.Audit, d.audit),
	}
}

// formBytes bounds a form: an input of 256 KiB, each byte of it escaped.
const formBytes = 1 << 20

func limitForm(page func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		r.Body = http.MaxBytesReader(w, r.Body, formBytes)
		if err := r.ParseForm(); err != nil {
			return badForm(err)
		}
		return page(w, r)
	}
}
