package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Definition is one version of a saga's plan.
type Definition struct {
	Name      string    `json:"name"`
	Version   int       `json:"version"`
	State     string    `json:"state" enum:"inactive,active,retired"`
	Hash      string    `json:"hash" doc:"SHA-256 over the canonical JSON, in hex"`
	CreatedAt time.Time `json:"created_at"`
	// Content is the canonical JSON; lists leave it out.
	Content json.RawMessage `json:"content,omitempty"`
}

// DefinitionList lists definitions, by name and then newest first.
type DefinitionList struct {
	Items []Definition `json:"items" nullable:"false"`
}

// CheckResult says what is wrong with a definition; nothing is when OK.
type CheckResult struct {
	OK       bool         `json:"ok"`
	Problems []FieldError `json:"problems" nullable:"false"`
}

// ReasonRequest is the body of activate and retire.
type ReasonRequest struct {
	Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"Kept in the audit"`
}

func definitionPath(name string, version int) string {
	return fmt.Sprintf("/v1/definitions/%s/%d", url.PathEscape(name), version)
}

func definitionSource(src []byte) source {
	if json.Valid(src) {
		return source{"application/json", src}
	}
	return source{"application/yaml", src}
}

// PutDefinition registers a version, from YAML or JSON, and activates it unless activate is false. The same content again
// changes nothing and answers created false; other content under the same version is an error (409).
func (c *Client) PutDefinition(ctx context.Context, name string, version int, src []byte, activate bool) (def Definition, created bool, err error) {
	q := url.Values{}
	if !activate {
		q.Set("activate", "false")
	}
	resp, err := c.call(ctx, http.MethodPut, definitionPath(name, version), q, definitionSource(src), &def)
	if err != nil {
		return def, false, err
	}
	return def, resp.StatusCode == http.StatusCreated, nil
}

// ActivateDefinition lets a version take new sagas.
func (c *Client) ActivateDefinition(ctx context.Context, name string, version int, reason string) (Definition, error) {
	var def Definition
	_, err := c.call(ctx, http.MethodPost, definitionPath(name, version)+"/activate", nil, ReasonRequest{reason}, &def)
	return def, err
}

// RetireDefinition stops a version from taking new sagas; live ones go on.
func (c *Client) RetireDefinition(ctx context.Context, name string, version int, reason string) (Definition, error) {
	var def Definition
	_, err := c.call(ctx, http.MethodPost, definitionPath(name, version)+"/retire", nil, ReasonRequest{reason}, &def)
	return def, err
}

// Definitions lists all versions of a name, or with an empty name of all.
func (c *Client) Definitions(ctx context.Context, name string) (DefinitionList, error) {
	path := "/v1/definitions"
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	var list DefinitionList
	_, err := c.call(ctx, http.MethodGet, path, nil, nil, &list)
	return list, err
}

// Definition reads one version with its content.
func (c *Client) Definition(ctx context.Context, name string, version int) (Definition, error) {
	var def Definition
	_, err := c.call(ctx, http.MethodGet, definitionPath(name, version), nil, nil, &def)
	return def, err
}

// DefinitionSource reads one version as it was registered, comments and all.
func (c *Client) DefinitionSource(ctx context.Context, name string, version int) ([]byte, error) {
	var src []byte
	_, err := c.call(ctx, http.MethodGet, definitionPath(name, version), nil, nil, &src, func(k *call) {
		k.header.Set("Accept", "application/yaml")
	})
	return src, err
}

// CheckDefinition says everything that is wrong with a definition; nothing is stored.
func (c *Client) CheckDefinition(ctx context.Context, src []byte) (CheckResult, error) {
	var result CheckResult
	_, err := c.call(ctx, http.MethodPost, "/v1/definitions:check", nil, definitionSource(src), &result)
	return result, err
}
