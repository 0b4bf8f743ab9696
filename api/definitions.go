package api

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/definition"
)

const (
	definitionBody = 1 << 20
	mediaYAML      = "application/yaml"
)

// NamePath is the part of an input that names a definition (exported for huma).
type NamePath struct {
	Name string `path:"name" pattern:"^[a-z][a-z0-9-]{0,62}$"`
}

// VersionPath names a version of a definition (exported for huma).
type VersionPath struct {
	NamePath
	Version int `path:"version" minimum:"1"`
}

type putDefinitionInput struct {
	rawBody
	VersionPath
	Activate    bool   `query:"activate" default:"true" doc:"Whether the version takes new sagas at once"`
	ContentType string `header:"Content-Type" hidden:"true"`
}

type checkDefinitionInput struct {
	rawBody
	ContentType string `header:"Content-Type" hidden:"true"`
}

type setDefinitionInput struct {
	rawBody
	VersionPath
}

type getDefinitionInput struct {
	VersionPath
	Accept string `header:"Accept" hidden:"true"`
}

func (a *API) registerDefinitions() {
	source := []string{"application/json", mediaYAML}
	register(a, route{
		id: "put-definition", method: http.MethodPut, path: "/v1/definitions/{name}/{version}", tag: "definitions",
		summary:     "Register a version of a definition",
		description: "201 when it is new; 200 when it was registered with the same content; 409 with other content. Name and version must be those of the content.",
		permission:  PermitDeploy, body: json.RawMessage{}, consumes: source, maxBody: definitionBody,
		answers: map[int]any{http.StatusOK: client.Definition{}, http.StatusCreated: client.Definition{}},
		headers: []string{"Location"}, errors: []int{http.StatusConflict},
	}, a.putDefinition)
	for action, state := range map[string]orchestrator.DefinitionState{"activate": orchestrator.DefinitionActive, "retire": orchestrator.DefinitionRetired} {
		register(a, route{
			id: action + "-definition", method: http.MethodPost, path: "/v1/definitions/{name}/{version}/" + action, tag: "definitions",
			summary:    map[string]string{"activate": "Let a version take new sagas", "retire": "Stop a version from taking new sagas; live ones go on"}[action],
			permission: PermitDeploy, body: client.ReasonRequest{}, answers: map[int]any{http.StatusOK: client.Definition{}}, errors: []int{http.StatusNotFound},
		}, func(ctx context.Context, in *setDefinitionInput) (*answer, error) {
			return a.setDefinition(ctx, state, in)
		})
	}
	register(a, route{
		id: "check-definition", method: http.MethodPost, path: "/v1/definitions:check", tag: "definitions",
		summary: "Say everything that is wrong with a definition; store nothing", permission: PermitRead,
		body: json.RawMessage{}, consumes: source, maxBody: definitionBody, answers: map[int]any{http.StatusOK: client.CheckResult{}},
	}, a.checkDefinition)
	register(a, route{
		id: "list-definitions", method: http.MethodGet, path: "/v1/definitions", tag: "definitions", summary: "List all versions of all definitions",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.DefinitionList{}},
	}, func(ctx context.Context, _ *struct{}) (*answer, error) { return a.listDefinitions(ctx, "") })
	register(a, route{
		id: "list-versions", method: http.MethodGet, path: "/v1/definitions/{name}", tag: "definitions", summary: "List a definition's versions, newest first",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.DefinitionList{}}, errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *NamePath) (*answer, error) { return a.listDefinitions(ctx, in.Name) })
	register(a, route{
		id: "get-definition", method: http.MethodGet, path: "/v1/definitions/{name}/{version}", tag: "definitions",
		summary: "Read one version", description: "With Accept: application/yaml, its source as it was registered.",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.Definition{}}, errors: []int{http.StatusNotFound},
	}, a.getDefinition)
}

func (a *API) putDefinition(ctx context.Context, in *putDefinitionInput) (*answer, error) {
	src, err := readSource(in.RawBody, in.ContentType)
	if err != nil {
		return nil, err
	}
	if err := checkIdentity(src, in.Name, in.Version); err != nil {
		return nil, err
	}
	who := requestOf(ctx)
	row, created, err := a.cfg.Engine.PutDefinition(ctx, who.principal.Tenant, src, in.Activate, who.principal.Name, who.id)
	if err != nil {
		return nil, err
	}
	out := &answer{status: http.StatusOK, body: renderDefinition(&row, true)}
	if created {
		out.status = http.StatusCreated
	}
	return out.with("Location", fmt.Sprintf("/v1/definitions/%s/%d", row.Name, row.Version)), nil
}

// readSource copies the body, which is only lent, and refuses what says that it is JSON and is not.
func readSource(raw []byte, contentType string) ([]byte, error) {
	if !acceptsMedia([]string{mediaYAML}, contentType) && !json.Valid(raw) {
		return nil, newProblem(http.StatusBadRequest, codeUnreadable, "this is no JSON; YAML is sent as "+mediaYAML)
	}
	return bytes.Clone(raw), nil
}

// checkIdentity refuses content that is of another name or version than the path. What cannot be read passes: the engine says
// everything that is wrong with it.
func checkIdentity(src []byte, name string, version int) error {
	canonical, err := definition.Canonical("definition", src)
	if err != nil {
		return nil //nolint:nilerr // the engine reports it, with all else
	}
	var head struct {
		Saga    any         `json:"saga"`
		Version json.Number `json:"version"`
	}
	if err := json.Unmarshal(canonical, &head); err != nil {
		return nil //nolint:nilerr // as above
	}
	var fields []client.FieldError
	if got, ok := head.Saga.(string); ok && got != name {
		fields = append(fields, client.FieldError{Path: "path.name", Message: fmt.Sprintf("the content is of saga %q", got)})
	}
	if got, err := head.Version.Int64(); err == nil && got != int64(version) {
		fields = append(fields, client.FieldError{Path: "path.version", Message: fmt.Sprintf("the content is of version %d", got)})
	}
	if len(fields) > 0 {
		return invalid(fields...)
	}
	return nil
}

func (a *API) setDefinition(ctx context.Context, state orchestrator.DefinitionState, in *setDefinitionInput) (*answer, error) {
	body, err := readBody[client.ReasonRequest](a, in.RawBody)
	if err != nil {
		return nil, err
	}
	if err := a.checkBody(body, in.RawBody); err != nil {
		return nil, err
	}
	if strings.TrimSpace(body.Reason) == "" {
		return nil, invalid(client.FieldError{Path: "body.reason", Message: "want a reason"})
	}
	who := requestOf(ctx)
	if err := a.cfg.Engine.SetDefinitionState(ctx, who.principal.Tenant, in.Name, in.Version, state, who.principal.Name, body.Reason, who.id); err != nil {
		return nil, err
	}
	row, err := a.cfg.Engine.Definitions().Definition(ctx, who.principal.Tenant, in.Name, in.Version)
	if err != nil {
		return nil, fmt.Errorf("read definition %s version %d: %w", in.Name, in.Version, err)
	}
	return &answer{status: http.StatusOK, body: renderDefinition(&row, false)}, nil
}

func (a *API) checkDefinition(_ context.Context, in *checkDefinitionInput) (*answer, error) {
	src, err := readSource(in.RawBody, in.ContentType)
	if err != nil {
		return nil, err
	}
	result := client.CheckResult{OK: true, Problems: []client.FieldError{}}
	if err := a.cfg.Engine.CheckDefinition(src); err != nil {
		var wrong *definition.Problems
		if !errors.As(err, &wrong) {
			return nil, fmt.Errorf("check a definition: %w", err)
		}
		result = client.CheckResult{Problems: definitionErrors(wrong)}
	}
	return &answer{status: http.StatusOK, body: result}, nil
}

func (a *API) listDefinitions(ctx context.Context, name string) (*answer, error) {
	rows, err := a.cfg.Engine.Definitions().ListDefinitions(ctx, requestOf(ctx).principal.Tenant, name)
	if err != nil {
		return nil, fmt.Errorf("list definitions: %w", err)
	}
	if name != "" && len(rows) == 0 {
		return nil, newProblem(http.StatusNotFound, codeNotFound, "there is no definition of this name")
	}
	out := client.DefinitionList{Items: make([]client.Definition, len(rows))}
	for i := range rows {
		out.Items[i] = renderDefinition(&rows[i], false)
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

func (a *API) getDefinition(ctx context.Context, in *getDefinitionInput) (*answer, error) {
	row, err := a.cfg.Engine.Definitions().Definition(ctx, requestOf(ctx).principal.Tenant, in.Name, in.Version)
	if err != nil {
		return nil, fmt.Errorf("read definition %s version %d: %w", in.Name, in.Version, err)
	}
	out := &answer{status: http.StatusOK}
	out.with("Vary", "Accept")
	if wantsYAML(in.Accept) {
		src := row.Source
		if len(src) == 0 {
			src = row.Content // JSON is YAML
		}
		out.body = src
		return out.with("Content-Type", mediaYAML), nil
	}
	out.body = renderDefinition(&row, true)
	return out, nil
}

// wantsYAML reports whether Accept names YAML and not JSON before it.
func wantsYAML(accept string) bool {
	for each := range strings.SplitSeq(accept, ",") {
		media, _, _ := strings.Cut(strings.TrimSpace(each), ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case mediaYAML, "application/x-yaml", "text/yaml":
			return true
		case "application/json":
			return false
		}
	}
	return false
}

func renderDefinition(row *orchestrator.DefinitionRow, whole bool) client.Definition {
	out := client.Definition{Name: row.Name, Version: row.Version, State: string(row.State), Hash: hex.EncodeToString(row.Hash[:]), CreatedAt: row.CreatedAt}
	if whole {
		out.Content = row.Content
	}
	return out
}
