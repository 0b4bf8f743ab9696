package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client calls the API of one server. It is safe for concurrent use.
type Client struct {
	base  string
	http  *http.Client
	token string
	agent string
}

// Option sets up a Client.
type Option func(*Client)

// WithHTTPClient uses another HTTP client. Its Timeout must be 0 or longer than every wait and stream.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithToken sends an API key or token as bearer.
func WithToken(token string) Option { return func(c *Client) { c.token = token } }

// WithUserAgent names the caller.
func WithUserAgent(name string) Option { return func(c *Client) { c.agent = name } }

// New makes a client of the server at base, such as http://127.0.0.1:8080. It does not connect yet.
func New(base string, opts ...Option) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("read the server's address: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the server's address %q: want http://host:port or https://host", base)
	}
	c := &Client{base: strings.TrimRight(base, "/"), http: &http.Client{}, agent: "skald-client"}
	for _, opt := range opts {
		opt(c)
	}
	return c, nil
}

// CallOption changes one call.
type CallOption func(*call)

type call struct {
	header http.Header
	query  url.Values
}

// WithIdempotencyKey makes a start or an action safe to send again for 7 days: a replay answers as the first time did.
func WithIdempotencyKey(key string) CallOption {
	return func(c *call) { c.header.Set("Idempotency-Key", key) }
}

// WithWait lets a start wait for the saga's end, at most 60 s.
func WithWait(wait time.Duration) CallOption {
	return func(c *call) { c.query.Set("wait", wait.String()) }
}

// IfRevision makes an action fail with 412 where the saga has another revision.
func IfRevision(revision int64) CallOption {
	return func(c *call) { c.header.Set("If-Match", ETag(revision)) }
}

// IfChangedFrom makes reading a saga fail with ErrNotModified where it still has that revision.
func IfChangedFrom(revision int64) CallOption {
	return func(c *call) { c.header.Set("If-None-Match", ETag(revision)) }
}

// WithRequestID names the request in the server's log and audit.
func WithRequestID(id string) CallOption {
	return func(c *call) { c.header.Set("X-Request-Id", id) }
}

// ETag is a revision as the server writes it.
func ETag(revision int64) string { return fmt.Sprintf(`"%d"`, revision) }

// ErrNotModified says that a saga still has the revision of IfChangedFrom.
var ErrNotModified = errors.New("not modified")

// source is a body that is sent as it is.
type source struct {
	contentType string
	bytes       []byte
}

// call sends in as JSON (nil: no body) and reads a success into out (nil: dropped).
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any, opts ...CallOption) (*http.Response, error) {
	req, err := c.request(ctx, method, path, query, in, opts...)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call %s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified:
		return resp, ErrNotModified
	case resp.StatusCode >= 300:
		return resp, readError(resp)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp, fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	switch out := out.(type) {
	case nil:
		return resp, nil
	case *[]byte:
		*out = body
		return resp, nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return resp, fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	return resp, nil
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, in any, opts ...CallOption) (*http.Request, error) {
	k := call{header: http.Header{}, query: query}
	if k.query == nil {
		k.query = url.Values{}
	}
	var body io.Reader
	switch in := in.(type) {
	case nil:
	case source:
		body = bytes.NewReader(in.bytes)
		k.header.Set("Content-Type", in.contentType)
	default:
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("write the request of %s %s: %w", method, path, err)
		}
		body = bytes.NewReader(raw)
		k.header.Set("Content-Type", "application/json")
	}
	for _, opt := range opts {
		opt(&k)
	}
	target := c.base + path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make the request of %s %s: %w", method, path, err)
	}
	for name, values := range k.header {
		req.Header[name] = values
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	req.Header.Set("User-Agent", c.agent)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req, nil
}
