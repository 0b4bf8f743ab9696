package dashboard

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// startView is the form that starts a saga.
type startView struct {
	page    ui.Page
	def     definitionHead
	fields  []formField // nil: the input is asked for as JSON
	raw     string      // the input as JSON
	key     string      // where the definition has none
	once    string
	problem *client.Problem
	rest    []string // what is wrong and belongs to no field
}

// definitionHead is what the pages want of a definition's content.
type definitionHead struct {
	Name        string
	Version     int
	Description string          `json:"description"`
	Key         string          `json:"key"`
	Input       json.RawMessage `json:"input"`
	Deadline    string          `json:"deadline"`
	Redact      []string        `json:"redact"`
	Steps       []struct {
		Name         string   `json:"name"`
		Participant  string   `json:"participant"`
		Command      string   `json:"command"`
		Kind         string   `json:"kind"`
		After        []string `json:"after"`
		When         string   `json:"when"`
		Effect       string   `json:"effect"`
		Timeout      string   `json:"timeout"`
		Compensation *struct {
			Command string `json:"command"`
		} `json:"compensation"`
	} `json:"steps"`
}

func headOf(def *client.Definition) (head definitionHead, err error) {
	if err = json.Unmarshal(def.Content, &head); err != nil {
		return head, err
	}
	head.Name, head.Version = def.Name, def.Version
	return head, nil
}

// readHead reads the definition that the path names.
func (d *Dashboard) readHead(r *http.Request) (client.Definition, definitionHead, error) {
	version, err := strconv.Atoi(chi.URLParam(r, "version"))
	if err != nil {
		return client.Definition{}, definitionHead{}, notFound("there is no such version")
	}
	def, err := d.backend.Definition(r.Context(), chi.URLParam(r, "name"), version)
	if err != nil {
		return def, definitionHead{}, err
	}
	head, err := headOf(&def)
	return def, head, err
}

// startForm shows the form, made from the schema of the definition's input; ?as=json asks for the input as JSON.
func (d *Dashboard) startForm(w http.ResponseWriter, r *http.Request) error {
	_, head, err := d.readHead(r)
	if err != nil {
		return err
	}
	v := &startView{page: d.page(r, ui.Definitions, "Start "+head.Name), def: head, once: onceKey(), raw: "{\n}"}
	if r.URL.Query().Get("as") != "json" {
		v.fields = inputForm(head.Input, nil)
	}
	d.write(w, r, http.StatusOK, startPage(v))
	return nil
}

// start starts a saga from the form, and goes to its page.
func (d *Dashboard) start(w http.ResponseWriter, r *http.Request) error {
	_, head, err := d.readHead(r)
	if err != nil {
		return err
	}
	v := &startView{
		page: d.page(r, ui.Definitions, "Start "+head.Name), def: head, once: keyOf(r), raw: r.PostFormValue("json"),
		key: strings.TrimSpace(r.PostFormValue("key")),
	}
	req := client.StartRequest{Saga: head.Name, Version: head.Version, Key: v.key}
	if r.PostFormValue("as") == "json" {
		req.Input = json.RawMessage(v.raw)
		if !json.Valid(req.Input) {
			v.problem = &client.Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: "the input is no JSON"}
			d.write(w, r, http.StatusUnprocessableEntity, startPage(v))
			return nil
		}
	} else {
		v.fields = inputForm(head.Input, r.PostForm)
		req.Input = inputOf(v.fields)
	}
	id, err := d.backend.Start(r.Context(), req, v.once)
	if err == nil {
		seeOther(w, r, string(sagaURL(id)))
		return nil
	}
	problem, ok := refusedForm(err)
	if !ok {
		return err
	}
	if problem.Status == http.StatusUnprocessableEntity {
		v.once = onceKey() // the corrected form is another request
	}
	v.blame(problem)
	d.write(w, r, problem.Status, startPage(v))
	return nil
}

// blame puts what is wrong beside the fields that it is about.
func (v *startView) blame(problem *client.Problem) {
	wrong := map[string]string{}
	for _, f := range problem.Errors {
		path := strings.TrimPrefix(f.Path, "body.")
		wrong[strings.ReplaceAll(path, "/", ".")] = f.Message
	}
	v.rest = blame(v.fields, wrong)
	own := *problem
	own.Errors = nil
	v.problem = &own
}
