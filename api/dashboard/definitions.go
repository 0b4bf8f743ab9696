package dashboard

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// definitionRow is one version of a definition in the list.
type definitionRow struct {
	client.Definition
	live  string // sagas of this version that have not ended, in words; empty: not counted
	start bool   // a start without a version takes this one
}

// definitions lists all versions, with the sagas in flight on each of the newest.
func (d *Dashboard) definitions(w http.ResponseWriter, r *http.Request) error {
	list, err := d.backend.Definitions(r.Context(), "")
	if err != nil {
		return err
	}
	stats, err := d.backend.Stats(r.Context())
	if err != nil {
		return err
	}
	rows := make([]definitionRow, len(list.Items))
	seen, taken := map[string]bool{}, map[string]bool{}
	for i, def := range list.Items {
		rows[i].Definition = def
		if !seen[def.Name] {
			seen[def.Name] = true
			rows[i].live = ui.Number(stats.ByDefinition[def.Name])
		}
		if def.State == "active" && !taken[def.Name] {
			taken[def.Name], rows[i].start = true, true
		}
	}
	d.write(w, r, http.StatusOK, definitionsPage(d.page(r, ui.Definitions, "Definitions"), rows, d.may(r, permitStart)))
	return nil
}

// definitionView is the page of one version.
type definitionView struct {
	page     ui.Page
	def      client.Definition
	head     definitionHead
	source   string
	versions []client.Definition
	graph    client.Graph
	live     string
	problems []client.FieldError
	start    bool
	deploy   bool
	did      string
}

// definition is the page of one version.
func (d *Dashboard) definition(w http.ResponseWriter, r *http.Request) error {
	def, head, err := d.readHead(r)
	if err != nil {
		return err
	}
	v := &definitionView{
		page: d.page(r, ui.Definitions, def.Name+" v"+itoa(def.Version)), def: def, head: head,
		start: d.may(r, permitStart), deploy: d.may(r, permitDeploy), did: r.URL.Query().Get("did"),
	}
	ctx := r.Context()
	source, err := d.backend.DefinitionSource(ctx, def.Name, def.Version)
	if err != nil {
		return err
	}
	v.source = string(source)
	versions, err := d.backend.Definitions(ctx, def.Name)
	if err != nil {
		return err
	}
	v.versions = versions.Items
	if v.graph, err = d.backend.Plan(ctx, def.Name, def.Version); err != nil {
		return err
	}
	checked, err := d.backend.CheckDefinition(ctx, def.Content)
	if err != nil {
		return err
	}
	v.problems = checked.Problems
	if v.live, err = d.inFlight(r, def.Name, def.Version); err != nil {
		return err
	}
	d.write(w, r, http.StatusOK, definitionPage(v))
	return nil
}

// liveRead is how many live sagas of a definition are looked at for their version.
const liveRead = 100

// inFlight counts the live sagas of a version among the newest live ones of the definition: lists cannot be filtered by version.
func (d *Dashboard) inFlight(r *http.Request, name string, version int) (string, error) {
	list, err := d.backend.Sagas(r.Context(), client.SagaFilter{
		Saga: name, Status: []client.Status{client.Running, client.Compensating, client.Suspended}, Limit: liveRead,
	})
	if err != nil {
		return "", err
	}
	n := int64(0)
	for i := range list.Items {
		if list.Items[i].Version == version {
			n++
		}
	}
	if list.NextCursor != "" {
		return ui.Number(n) + " of the newest " + itoa(liveRead) + " live ones", nil
	}
	return ui.Number(n), nil
}

// setDefinition activates or retires a version.
func (d *Dashboard) setDefinition(w http.ResponseWriter, r *http.Request) error {
	version, err := strconv.Atoi(chi.URLParam(r, "version"))
	change := chi.URLParam(r, "change")
	if err != nil || change != "activate" && change != "retire" {
		return notFound("there is no such page")
	}
	name := chi.URLParam(r, "name")
	if err := d.backend.SetDefinition(r.Context(), name, version, change == "activate", r.PostFormValue("reason")); err != nil {
		return err
	}
	seeOther(w, r, string(definitionURL(name, version))+"?did="+change)
	return nil
}

// diffView compares two versions.
type diffView struct {
	page     ui.Page
	name     string
	from, to int
	versions []int
	lines    []diffLine
}

// diff compares the canonical content of two versions, line by line.
func (d *Dashboard) diff(w http.ResponseWriter, r *http.Request) error {
	name, q := chi.URLParam(r, "name"), r.URL.Query()
	list, err := d.backend.Definitions(r.Context(), name)
	if err != nil {
		return err
	}
	v := &diffView{page: d.page(r, ui.Definitions, name+": what changed"), name: name}
	for i := range list.Items {
		v.versions = append(v.versions, list.Items[i].Version)
	}
	slices.SortFunc(v.versions, func(a, b int) int { return cmp.Compare(b, a) })
	v.from, _ = strconv.Atoi(q.Get("from")) // what is no number is no version
	v.to, _ = strconv.Atoi(q.Get("to"))
	if v.to == 0 {
		v.to = v.versions[0]
	}
	if v.from == 0 {
		v.from = v.versions[min(1, len(v.versions)-1)]
	}
	var texts [2][]string
	for i, version := range []int{v.from, v.to} {
		def, err := d.backend.Definition(r.Context(), name, version)
		if err != nil {
			return err
		}
		texts[i] = strings.Split(pretty(def.Content), "\n")
	}
	v.lines = diffLines(texts[0], texts[1])
	d.write(w, r, http.StatusOK, diffPage(v))
	return nil
}

// pretty is JSON over several lines; what is none stays as it is.
func pretty(raw json.RawMessage) string {
	var v any
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return string(raw)
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if enc.Encode(v) != nil {
		return string(raw)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func stateMark(state string) ui.Mark {
	switch state {
	case "active":
		return ui.Mark{Icon: "check", Word: "active", Tone: ui.Good, Hint: "takes new sagas"}
	case "retired":
		return ui.Mark{Icon: "stop", Word: "retired", Tone: ui.Idle, Hint: "takes no new sagas; live ones go on"}
	}
	return ui.Mark{Icon: "dot", Word: state, Tone: ui.Idle, Hint: "registered, and never activated"}
}
