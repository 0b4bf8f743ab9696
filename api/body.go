package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/skaldhq/skald/api/client"
)

// maxDepth is how deep JSON may nest.
const maxDepth = 64

// readBody reads a JSON body into a T: unknown fields, trailing text and nesting beyond maxDepth are refused. A body that is
// JSON and does not fit is looked at again by its schema, so that the problem names all that is wrong at once.
func readBody[T any](a *API, raw []byte) (T, error) {
	var v T
	if !shallow(raw, maxDepth) {
		return v, newProblem(http.StatusBadRequest, codeUnreadable, "the JSON nests deeper than 64 levels")
	}
	if !utf8.Valid(raw) { // encoding/json would mend it in some fields, and pass it on in those that are kept byte for byte
		return v, newProblem(http.StatusBadRequest, codeUnreadable, "this is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	err := dec.Decode(&v)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return v, nil
		}
		return v, newProblem(http.StatusBadRequest, codeUnreadable, "there is text after the JSON")
	}
	if !json.Valid(raw) {
		return v, newProblem(http.StatusBadRequest, codeUnreadable, "this is no JSON: "+err.Error())
	}
	if fields := a.schemaErrors(reflect.TypeFor[T](), raw); len(fields) > 0 {
		return v, invalid(fields...)
	}
	return v, invalid(client.FieldError{Path: "body", Message: err.Error()})
}

// checkBody holds a body that could be read against its schema's rules, such as patterns and lengths.
func (a *API) checkBody(v any, raw []byte) error {
	if fields := a.schemaErrors(reflect.TypeOf(v), raw); len(fields) > 0 {
		return invalid(fields...)
	}
	return nil
}

func (a *API) schemaErrors(t reflect.Type, raw []byte) []client.FieldError {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // float64 would refuse 1e400, which an input may hold
	var v any
	if err := dec.Decode(&v); err != nil {
		return []client.FieldError{{Path: "body", Message: err.Error()}}
	}
	registry := a.huma.OpenAPI().Components.Schemas
	result := &huma.ValidateResult{}
	path := huma.NewPathBuffer([]byte("body"), 4)
	huma.Validate(registry, registry.Schema(t, true, ""), path, huma.ModeWriteToServer, v, result)
	var out []client.FieldError
	for _, err := range result.Errors {
		var detail *huma.ErrorDetail
		if errors.As(err, &detail) {
			out = append(out, client.FieldError{Path: detail.Location, Message: detail.Message})
		} else {
			out = append(out, client.FieldError{Path: "body", Message: err.Error()})
		}
	}
	return out
}

// shallow reports whether JSON nests at most limit levels. Of what is no JSON it may say anything.
func shallow(raw []byte, limit int) bool {
	depth, text := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}
