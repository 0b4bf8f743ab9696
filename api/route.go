package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/skaldhq/skald/api/client"
)

// route declares one operation.
type route struct {
	id          string
	method      string
	path        string
	tag         string
	summary     string
	description string
	permission  Permission
	body        any           // a value of the body's type; nil: no body
	consumes    []string      // media types; nil with a body: application/json
	maxBody     int64         // bytes; 0: 64 KiB
	answers     map[int]any   // a value of the type per status of success; nil: no body
	produces    string        // media type of the answers; empty: application/json
	headers     []string      // of answers, beside the usual ones
	errors      []int         // beside those that every route has
	limit       time.Duration // of the handler; 0: 15 s; negative: none, it sees to that itself
}

const (
	handlerLimit = 15 * time.Second
	bodyTimeout  = 10 * time.Second
	bodyDefault  = 64 << 10
)

// Keys of huma.Operation.Metadata.
const (
	metaPermission = "permission"
	metaConsumes   = "consumes"
)

// answer is what a handler wants sent.
type answer struct {
	status int
	header http.Header // nil: nothing beyond the usual
	body   any         // nil: none; []byte: as it is, under header's Content-Type
	// stream, when set, writes the whole answer itself.
	stream func(w http.ResponseWriter, r *http.Request)
}

// with sets a header of the answer.
func (a *answer) with(name, value string) *answer {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(name, value)
	return a
}

// rawBody is the part of an input that holds the body. It is valid until the handler returns.
type rawBody struct {
	RawBody []byte
}

// register makes a route of huma: parameters, permission and documents are declared here, the answer is written here.
func register[I any](a *API, rt route, handle func(context.Context, *I) (*answer, error)) {
	op := huma.Operation{
		OperationID: rt.id, Method: rt.method, Path: rt.path, Summary: rt.summary, Description: rt.description, Tags: []string{rt.tag},
		Metadata:   map[string]any{metaPermission: rt.permission},
		Extensions: map[string]any{"x-permission": string(rt.permission)},
		Responses:  a.responses(&rt),
	}
	if rt.body != nil {
		if rt.consumes == nil {
			rt.consumes = []string{"application/json"}
		}
		op.Metadata[metaConsumes] = rt.consumes
		op.MaxBodyBytes = max(rt.maxBody, bodyDefault) + 1
		op.BodyReadTimeout = bodyTimeout
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		cancel := func() {}
		if limit := max(rt.limit, 0); rt.limit >= 0 {
			if limit == 0 {
				limit = handlerLimit
			}
			ctx, cancel = context.WithTimeout(ctx, limit)
		}
		out, err := handle(ctx, in)
		cancel()
		return &huma.StreamResponse{Body: func(hctx huma.Context) {
			r, w := humachi.Unwrap(hctx)
			switch {
			case err != nil:
				a.writeProblem(w, r, problemOf(err))
			case out.stream != nil:
				out.stream(w, r)
			default:
				a.writeAnswer(w, r, out)
			}
		}}, nil
	})
	a.document(&rt)
}

// responses documents what a route answers.
func (a *API) responses(rt *route) map[string]*huma.Response {
	registry := a.huma.OpenAPI().Components.Schemas
	produces := rt.produces
	if produces == "" {
		produces = "application/json"
	}
	out := map[string]*huma.Response{}
	for status, body := range rt.answers {
		resp := &huma.Response{Description: http.StatusText(status), Headers: map[string]*huma.Param{}}
		if body != nil {
			media := &huma.MediaType{}
			if t := reflect.TypeOf(body); t.Kind() == reflect.String {
				media.Schema = &huma.Schema{Type: huma.TypeString, Description: body.(string)}
			} else {
				media.Schema = registry.Schema(t, true, "")
			}
			resp.Content = map[string]*huma.MediaType{produces: media}
		}
		for _, name := range rt.headers {
			resp.Headers[name] = &huma.Param{Schema: &huma.Schema{Type: huma.TypeString}}
		}
		out[strconv.Itoa(status)] = resp
	}
	problem := registry.Schema(reflect.TypeFor[client.Problem](), true, "")
	codes := append(slices.Clone(rt.errors), http.StatusUnprocessableEntity, http.StatusInternalServerError)
	if rt.permission != Public {
		codes = append(codes, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	}
	if rt.body != nil {
		codes = append(codes, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	for _, code := range codes {
		out[strconv.Itoa(code)] = &huma.Response{
			Description: http.StatusText(code),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: problem}},
		}
	}
	return out
}

// document mends what huma cannot know: it sees bodies as bytes, because this package reads them itself.
func (a *API) document(rt *route) {
	if rt.body == nil {
		return
	}
	item := a.huma.OpenAPI().Paths[rt.path]
	op := map[string]*huma.Operation{http.MethodPost: item.Post, http.MethodPut: item.Put}[rt.method]
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(rt.body), true, "")
	op.RequestBody.Content = map[string]*huma.MediaType{}
	for _, media := range rt.consumes {
		op.RequestBody.Content[media] = &huma.MediaType{Schema: schema}
	}
}

func (a *API) writeAnswer(w http.ResponseWriter, r *http.Request, out *answer) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache, private")
	for name, values := range out.header {
		h[name] = values
	}
	body, raw := out.body.([]byte)
	if !raw && out.body != nil {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(out.body); err != nil {
			a.writeProblem(w, r, problemOf(fmt.Errorf("write the answer: %w", err)))
			return
		}
		h.Set("Content-Type", "application/json")
		body = buf.Bytes()
	}
	if body != nil {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(out.status)
	_, _ = w.Write(body) // the client is gone when this fails
}

// authorize finds out who asks, and lets only those pass who have the route's permission. It refuses bodies of a wrong type
// before they are read: a page of another site can send no application/json without asking first.
func (a *API) authorize(hctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(hctx)
	meta := hctx.Operation().Metadata
	want, ok := meta[metaPermission].(Permission)
	if !ok {
		a.writeProblem(w, r, problemOf(fmt.Errorf("route %s declares no permission", hctx.Operation().OperationID)))
		return
	}
	if p := a.admit(r, want); p != nil {
		a.writeProblem(w, r, p)
		return
	}
	if consumes, ok := meta[metaConsumes].([]string); ok && !acceptsMedia(consumes, r.Header.Get("Content-Type")) {
		a.writeProblem(w, r, newProblem(http.StatusUnsupportedMediaType, codeMediaType, "want Content-Type "+strings.Join(consumes, " or ")))
		return
	}
	next(hctx)
}

// admit puts the principal into the request's info, or says why the request may not pass.
func (a *API) admit(r *http.Request, want Permission) *problem {
	if want == Public {
		return nil
	}
	who, err := a.authenticate(r)
	if err != nil {
		return authProblem(err)
	}
	requestOf(r.Context()).principal = who
	if wait, ok := a.rates.allow(who, time.Now()); !ok {
		return newProblem(http.StatusTooManyRequests, codeRate, "too many requests of this principal").later(wait)
	}
	if !who.May(want) {
		return forbidden(want)
	}
	return nil
}

func forbidden(want Permission) *problem {
	return newProblem(http.StatusForbidden, codeForbidden, fmt.Sprintf("this needs the permission %q", want))
}

func (a *API) authenticate(r *http.Request) (Principal, error) {
	if a.cfg.Authenticator == nil {
		return anonymous(), nil
	}
	return a.cfg.Authenticator.Authenticate(r)
}

func authProblem(err error) *problem {
	if errors.Is(err, ErrUnauthenticated) {
		return problemOf(err)
	}
	return newProblem(http.StatusServiceUnavailable, codeUnavailable, "it cannot be found out who asks").because(err).later(time.Second)
}

func acceptsMedia(consumes []string, header string) bool {
	media, params, err := mime.ParseMediaType(header)
	if err != nil || !slices.Contains(consumes, media) {
		return false
	}
	charset := params["charset"]
	return charset == "" || strings.EqualFold(charset, "utf-8")
}

// translate turns huma's own errors, all about parameters and bodies, into this API's problems.
func translate(hctx huma.Context, _ string, v any) (any, error) {
	wrong, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := newProblem(wrong.Status, codeOfStatus(wrong.Status), wrong.Detail)
	p.RequestID = requestOf(hctx.Context()).id
	if wrong.Status == http.StatusUnprocessableEntity {
		p.Detail = "the request can be read, and is wrong"
	}
	for _, e := range wrong.Errors {
		if e != nil {
			p.Errors = append(p.Errors, client.FieldError{Path: e.Location, Message: e.Message})
		}
	}
	return p.Problem, nil
}

func codeOfStatus(status int) string {
	switch status {
	case http.StatusBadRequest:
		return codeUnreadable
	case http.StatusRequestEntityTooLarge:
		return codeTooLarge
	case http.StatusUnsupportedMediaType:
		return codeMediaType
	case http.StatusUnprocessableEntity:
		return codeInvalid
	case http.StatusRequestTimeout:
		return codeTimeout
	}
	return codeInternal
}
