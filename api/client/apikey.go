package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// APIKeyRequest asks for an API key of the caller's tenant.
type APIKeyRequest struct {
	Name      string   `json:"name" pattern:"^[a-z0-9][a-z0-9._-]{0,62}$" doc:"Stands in the audit, as key:NAME; no other key that is not revoked has it"`
	Roles     []string `json:"roles" minItems:"1" maxItems:"8" doc:"What it may"`
	ExpiresIn int64    `json:"expires_in,omitempty" minimum:"1" maximum:"315360000" doc:"Seconds that it is good; absent: until it is revoked"`
}

// APIKeyRotation asks for a new secret of an API key.
type APIKeyRotation struct {
	Overlap int64 `json:"overlap,omitempty" minimum:"0" maximum:"2592000" doc:"Seconds that the secret before stays good; absent: none"`
}

// APIKey is a key without its secret.
type APIKey struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Roles     []string  `json:"roles" nullable:"false"`
	State     string    `json:"state" enum:"good,expired,revoked"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
	ExpiresAt time.Time `json:"expires_at,omitzero" doc:"Absent: never"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	UsedAt    time.Time `json:"used_at,omitzero" doc:"To the minute; absent: never"`
}

// NewAPIKey is a key with its secret, which can be read nowhere again.
type NewAPIKey struct {
	APIKey
	Key string `json:"key" doc:"What is sent as bearer; it is shown this once"`
}

// APIKeyList lists a tenant's keys by name.
type APIKeyList struct {
	Items []APIKey `json:"items" nullable:"false"`
}

// APIKeys lists the tenant's API keys by name, revoked and expired ones too.
func (c *Client) APIKeys(ctx context.Context) ([]APIKey, error) {
	var list APIKeyList
	_, err := c.call(ctx, http.MethodGet, "/v1/apikeys", nil, nil, &list)
	return list.Items, err
}

// CreateAPIKey makes an API key; an *Error of status 409 where another has the name.
func (c *Client) CreateAPIKey(ctx context.Context, req APIKeyRequest, opts ...CallOption) (key NewAPIKey, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/apikeys", nil, req, &key, opts...)
	return key, err
}

// RotateAPIKey gives an API key a new secret; an *Error of status 404 where none of that id is in force.
func (c *Client) RotateAPIKey(ctx context.Context, id string, req APIKeyRotation, opts ...CallOption) (key NewAPIKey, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/apikeys/"+url.PathEscape(id)+"/rotate", nil, req, &key, opts...)
	return key, err
}

// RevokeAPIKey ends an API key for good; an *Error of status 404 where none of that id is in force.
func (c *Client) RevokeAPIKey(ctx context.Context, id, reason string) error {
	_, err := c.call(ctx, http.MethodDelete, "/v1/apikeys/"+url.PathEscape(id), url.Values{"reason": {reason}}, nil, nil)
	return err
}
