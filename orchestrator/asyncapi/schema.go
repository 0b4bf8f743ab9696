package asyncapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/participants/wire"
)

const (
	schemasAt   = "#/components/schemas/"
	inputSchema = "input"
)

func messageRef(name string) ref { return ref{"#/components/messages/" + escape(name)} }
func schemaRef(name string) ref  { return ref{schemasAt + escape(name)} }

// anything is the schema of what nothing is known of. AsyncAPI wants an object where JSON Schema allows true.
func anything() any { return map[string]any{} }

// escape writes a name as a part of a JSON pointer (RFC 6901).
func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

func joined(names []string) string { return strings.Join(names, ", ") }

// outputSchema is the name under which a step's `returns` stands.
func outputSchema(step string) string { return step + "-output" }

// schemas puts the schemas that the definition has where messages can refer to them.
func (d *describer) schemas() {
	put := func(name string, raw json.RawMessage) {
		var value any
		if json.Unmarshal(raw, &value) == nil && value != nil {
			d.doc.Components.Schemas[name] = moved(value, schemasAt+escape(name))
		}
	}
	put(inputSchema, d.plan.Input)
	for i := range d.plan.Steps {
		put(outputSchema(d.plan.Steps[i].Name), d.plan.Steps[i].Returns)
	}
}

// moved is a schema whose references within itself hold where it stands now.
func moved(value any, to string) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, each := range v {
			if text, ok := each.(string); ok && name == "$ref" && strings.HasPrefix(text, "#") {
				out[name] = to + strings.TrimPrefix(text, "#")
				continue
			}
			if name != "$schema" && name != "$id" {
				out[name] = moved(each, to)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = moved(v[i], to)
		}
		return out
	}
	return value
}

// returned is what a step answers.
func (d *describer) returned(s *step) any { return d.whole(outputSchema(s.Name)) }

// whole refers to a schema of the definition.
func (d *describer) whole(name string) any {
	if _, ok := d.doc.Components.Schemas[name]; ok {
		return schemaRef(name)
	}
	return anything()
}

// payload is the schema of what a template gives; without a template that is the saga's input.
func (d *describer) payload(template json.RawMessage, s *step) any {
	if len(template) == 0 {
		return d.whole(inputSchema)
	}
	var value any
	if err := json.Unmarshal(template, &value); err != nil {
		return anything()
	}
	return d.shape(value, s)
}

// shape is the schema of what a template gives: where it copies, that of what is copied; of larger expressions nothing is known.
func (d *describer) shape(template any, s *step) any {
	switch v := template.(type) {
	case map[string]any:
		properties := map[string]any{}
		for name, each := range v {
			properties[name] = d.shape(each, s)
		}
		return map[string]any{"type": "object", "properties": properties, "required": slices.Sorted(maps.Keys(v))}
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = d.shape(v[i], s)
		}
		return map[string]any{"type": "array", "items": items, "minItems": len(items), "maxItems": len(items)}
	case string:
		return d.text(definition.ReadText(v), s)
	}
	return map[string]any{"const": template}
}

func (d *describer) text(t definition.Text, s *step) any {
	switch {
	case t.Pure:
		return map[string]any{"const": t.Literal}
	case !t.Whole:
		return map[string]any{"type": "string"}
	case t.Root == "":
		return anything()
	}
	name := map[string]string{"input": inputSchema, "steps": outputSchema(t.Step), "output": outputSchema(s.Name)}[t.Root]
	root, ok := d.doc.Components.Schemas[name]
	if !ok {
		return anything()
	}
	// A step that was skipped, or that never answered, has output null.
	return d.follow(root, schemasAt+escape(name), t.Path, t.Root != "input")
}

// follow is the schema of what is found at a path; what need not be there is null then.
func (d *describer) follow(schema any, at string, path []any, optional bool) any {
	for _, part := range path {
		here, ok := schema.(map[string]any)
		if !ok {
			return anything()
		}
		switch p := part.(type) {
		case string:
			properties, _ := here["properties"].(map[string]any)
			if schema, ok = properties[p]; !ok {
				return anything() // it may be described elsewhere, as by allOf or $ref
			}
			at += "/properties/" + escape(p)
			required, _ := here["required"].([]any)
			optional = optional || !slices.Contains(required, any(p))
		case int:
			optional = true
			if first, _ := here["prefixItems"].([]any); p < len(first) {
				schema, at = first[p], at+"/prefixItems/"+strconv.Itoa(p)
				continue
			}
			if schema, ok = here["items"]; !ok {
				return anything()
			}
			at += "/items"
		}
	}
	if optional {
		return orNull(ref{at})
	}
	return ref{at}
}

func orNull(schema any) any {
	if object, ok := schema.(map[string]any); ok && len(object) == 0 {
		return schema
	}
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
}

// headers is the schema of an object of headers: those that must be there, and those that may.
func headers(must, may map[string]any) any {
	properties := maps.Clone(must)
	maps.Copy(properties, may)
	return map[string]any{"type": "object", "properties": properties, "required": slices.Sorted(maps.Keys(must))}
}

func text(description string) any {
	return map[string]any{"type": "string", "description": description}
}

func one(of ...string) any { return map[string]any{"type": "string", "enum": of} }

func number(least int, description string) any {
	pattern := "^(0|[1-9][0-9]*)$"
	if least > 0 {
		pattern = "^[1-9][0-9]*$"
	}
	return map[string]any{"type": "string", "pattern": pattern, "description": description}
}

func moment(description string) any {
	return map[string]any{"type": "string", "format": "date-time", "description": description}
}

func uuid(description string) any {
	return map[string]any{"type": "string", "format": "uuid", "description": description}
}

// shared are the headers that commands and replies have alike.
func shared() (must, may map[string]any) {
	must = map[string]any{
		wire.HeaderContentType: one(contentType), wire.HeaderSpecVersion: one(wire.SpecVersion), wire.HeaderID: uuid("Of the command, or new for each reply."),
		wire.HeaderSource: text("Who sent it."), wire.HeaderType: text("What it is: the message's name."), wire.HeaderSubject: uuid("The saga."),
		wire.HeaderSagaStep: text("The step."), wire.HeaderSagaVerb: one(string(wire.Execute), string(wire.Compensate), string(wire.Probe)),
		wire.HeaderSagaTenant: text("The tenant."), wire.HeaderSagaAttempt: number(1, "Which attempt of the edition."), wire.HeaderSagaEdition: number(0, "Which edition of the command."),
		wire.HeaderSagaToken: text("Opaque; a reply without the command's own is quarantined."),
	}
	may = map[string]any{wire.HeaderTraceParent: text("W3C trace context."), wire.HeaderTraceState: text("W3C trace context.")}
	return must, may
}

func commandHeaders(p *plan) any {
	must, may := shared()
	must[wire.HeaderTime] = moment("When it was sent.")
	must[wire.HeaderSagaType], must[wire.HeaderSagaVersion] = one(p.Saga), one(strconv.Itoa(p.Version))
	must[wire.HeaderReplyTo] = text("The topic to answer to.")
	must[wire.HeaderExpiryTime] = moment("When this attempt times out.")
	must[wire.HeaderCorrelationID] = text("The saga's business key, else its id.")
	return headers(must, may)
}

func replyHeaders() any {
	must, may := shared()
	may[wire.HeaderTime] = moment("When it was answered.")
	must[wire.HeaderCausationID] = uuid("The command's id.")
	must[wire.HeaderSagaOutcome] = one(string(wire.Succeeded), string(wire.Rejected), string(wire.Failed), string(wire.InProgress), string(wire.Unknown))
	may[wire.HeaderCorrelationID] = text("Echoed.")
	may[wire.HeaderSagaCode] = text("Machine code, such as card_declined.")
	may[wire.HeaderSagaMessage] = text("For people.")
	may[wire.HeaderRetryAfter] = number(1, "With failed: milliseconds until the next attempt.")
	return headers(must, may)
}
