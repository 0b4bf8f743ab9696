package dashboard

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// fieldKind is how a field of a start form is asked for.
type fieldKind string

const (
	kindText   fieldKind = "text"
	kindNumber fieldKind = "number"
	kindBool   fieldKind = "bool"
	kindChoice fieldKind = "choice"
	kindGroup  fieldKind = "group" // an object: a field set
	kindList   fieldKind = "list"  // of objects or plain values: some rows
	kindJSON   fieldKind = "json"  // whatever else
)

// The bounds of a form that is made from a schema; what is deeper or larger is asked for as JSON.
const (
	formDepth  = 3
	formFields = 60
	listRows   = 3
)

// formField is a field of a start form.
type formField struct {
	Name     string // of the input element: its path, joined by dots
	Label    string
	Kind     fieldKind
	Required bool
	Hint     string
	Value    string // as it was sent, or a default
	Wrong    string // what the server says is wrong with it
	Choices  []string
	Fields   []formField // of a group, or of one row of a list
	Rows     [][]formField

	schema *inputSchema
}

// inputSchema is the part of JSON Schema that forms are made from.
type inputSchema struct {
	Type        any                     `json:"type"`
	Title       string                  `json:"title"`
	Description string                  `json:"description"`
	Enum        []any                   `json:"enum"`
	Default     json.RawMessage         `json:"default"`
	Properties  map[string]*inputSchema `json:"properties"`
	Required    []string                `json:"required"`
	Items       *inputSchema            `json:"items"`
	Minimum     *json.Number            `json:"minimum"`
	Maximum     *json.Number            `json:"maximum"`
	MinItems    int                     `json:"minItems"`
}

func (s *inputSchema) is(name string) bool { t, ok := s.Type.(string); return ok && t == name }

// inputForm is the form for a definition's input: its fields, with the values that were sent (nil: none yet). Without a schema of an
// object there are none, and the whole input is asked for as JSON.
func inputForm(raw json.RawMessage, sent url.Values) []formField {
	var s inputSchema
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil || !s.is("object") || len(s.Properties) == 0 {
		return nil
	}
	b := formBuilder{sent: sent}
	fields := b.properties(&s, "input", 0)
	if b.count > formFields {
		return nil
	}
	return fields
}

type formBuilder struct {
	sent  url.Values
	count int
}

// properties are the fields of an object: the required ones first, then by name.
func (b *formBuilder) properties(s *inputSchema, path string, depth int) []formField {
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	rank := func(name string) int {
		if i := slices.Index(s.Required, name); i >= 0 {
			return i
		}
		return len(s.Required)
	}
	slices.SortFunc(names, func(x, y string) int {
		if d := rank(x) - rank(y); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
	var out []formField
	for _, name := range names {
		out = append(out, b.field(s.Properties[name], path+"."+name, name, slices.Contains(s.Required, name), depth))
	}
	return out
}

func (b *formBuilder) field(s *inputSchema, path, label string, required bool, depth int) formField {
	b.count++
	f := formField{Name: path, Label: label, Required: required, Hint: hintOf(s), schema: s, Kind: kindJSON}
	switch {
	case len(s.Enum) > 0:
		f.Kind = kindChoice
		for _, v := range s.Enum {
			f.Choices = append(f.Choices, plain(v))
		}
	case s.is("string"):
		f.Kind = kindText
	case s.is("integer"), s.is("number"):
		f.Kind = kindNumber
	case s.is("boolean"):
		f.Kind = kindBool
	case s.is("object") && len(s.Properties) > 0 && depth < formDepth:
		f.Kind = kindGroup
		f.Fields = b.properties(s, path, depth+1)
	case s.is("array") && s.Items != nil && depth < formDepth:
		f.Kind = kindList
		for row := range max(listRows, min(s.MinItems, 20)) {
			at := path + "." + strconv.Itoa(row)
			if s.Items.is("object") && len(s.Items.Properties) > 0 {
				f.Rows = append(f.Rows, b.properties(s.Items, at, depth+1))
			} else {
				f.Rows = append(f.Rows, []formField{b.field(s.Items, at, label, false, depth+1)})
			}
		}
	}
	f.Value = b.sent.Get(path)
	if b.sent == nil && len(s.Default) > 0 {
		var v any
		if json.Unmarshal(s.Default, &v) == nil {
			f.Value = plain(v)
		}
	}
	return f
}

func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

func hintOf(s *inputSchema) string {
	if s.Description != "" {
		return s.Description
	}
	var parts []string
	if s.Minimum != nil {
		parts = append(parts, "at least "+s.Minimum.String())
	}
	if s.Maximum != nil {
		parts = append(parts, "at most "+s.Maximum.String())
	}
	return strings.Join(parts, ", ")
}

// inputOf is the input that a form's fields make: what is empty and not required is left out, and so is an empty row. Numbers are kept
// as they were written; what is no number is sent as text, for the definition's schema to refuse.
func inputOf(fields []formField) json.RawMessage {
	raw, err := json.Marshal(objectOf(fields))
	if err != nil { // a number or a piece of JSON that is none: checked in valueOf
		return json.RawMessage("null")
	}
	return raw
}

func objectOf(fields []formField) map[string]any {
	out := map[string]any{}
	for i := range fields {
		if v, ok := valueOf(&fields[i]); ok {
			out[fields[i].Label] = v
		}
	}
	return out
}

// valueOf is a field's value; false: it is left out.
func valueOf(f *formField) (v any, ok bool) {
	switch f.Kind {
	case kindGroup:
		inner := objectOf(f.Fields)
		return inner, f.Required || len(inner) > 0
	case kindList:
		list := []any{}
		for _, row := range f.Rows {
			if v, ok := rowOf(f, row); ok {
				list = append(list, v)
			}
		}
		return list, f.Required || len(list) > 0
	case kindBool:
		return f.Value == "true", f.Required || f.Value != ""
	case kindText, kindNumber, kindChoice, kindJSON:
	}
	if f.Value == "" {
		return "", f.Required && f.Kind == kindText
	}
	switch f.Kind {
	case kindNumber, kindJSON:
		if json.Valid([]byte(f.Value)) {
			return json.RawMessage(f.Value), true
		}
		return f.Value, true
	case kindChoice:
		for _, choice := range f.schema.Enum {
			if plain(choice) == f.Value {
				return choice, true
			}
		}
	case kindText, kindBool, kindGroup, kindList:
	}
	return f.Value, true
}

// rowOf is a row of a list; false: nothing was written into it.
func rowOf(f *formField, row []formField) (any, bool) {
	written := slices.ContainsFunc(row, func(each formField) bool { return each.Value != "" })
	if !written {
		return nil, false
	}
	if f.schema.Items.is("object") && len(f.schema.Items.Properties) > 0 {
		return objectOf(row), true
	}
	return valueOf(&row[0])
}

// blame puts what the server says is wrong beside the fields, and returns what belongs to none.
func blame(fields []formField, wrong map[string]string) (rest []string) {
	var walk func(list []formField)
	walk = func(list []formField) {
		for i := range list {
			f := &list[i]
			if message, ok := wrong[f.Name]; ok {
				f.Wrong = message
				delete(wrong, f.Name)
			}
			walk(f.Fields)
			for _, row := range f.Rows {
				walk(row)
			}
		}
	}
	walk(fields)
	for path, message := range wrong {
		rest = append(rest, fmt.Sprintf("%s: %s", path, message))
	}
	slices.Sort(rest)
	return rest
}
