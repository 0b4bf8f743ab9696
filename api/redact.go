package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// sight is what a principal sees of payloads. The zero value sees everything.
type sight struct {
	hidden []string // JSON pointers of the definition's `redact`; a part * stands for every name or index
}

// seeing is the principal's sight of a definition's payloads.
func seeing(p Principal, hidden []string) sight {
	if p.May(PermitPayloads) {
		return sight{}
	}
	return sight{hidden: hidden}
}

const redacted = "[redacted]"

// payload is an input or a participant's output as it may be seen: byte for byte where nothing is hidden. One that should be hidden in part and
// cannot be read is hidden whole.
func (s sight) payload(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || len(s.hidden) == 0 {
		return raw
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return json.RawMessage(strconv.Quote(redacted))
	}
	changed := false
	for _, pointer := range s.hidden {
		var hit bool
		v, hit = hide(v, pointerParts(pointer))
		changed = changed || hit
	}
	if !changed {
		return raw
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return json.RawMessage(strconv.Quote(redacted))
	}
	return bytes.TrimRight(buf.Bytes(), "\n")
}

// derived is a document that the definition's expressions made of others, such as a command's payload. What is hidden in its
// sources may stand anywhere in it, under any name, so it is hidden whole as soon as anything is.
func (s sight) derived(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || len(s.hidden) == 0 {
		return raw
	}
	return json.RawMessage(strconv.Quote(redacted))
}

func pointerParts(pointer string) []string {
	if pointer == "" {
		return nil
	}
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(parts[i], "~1", "/"), "~0", "~")
	}
	return parts
}

// hide replaces what the pointer's parts lead to.
func hide(v any, parts []string) (any, bool) {
	if len(parts) == 0 {
		return redacted, true
	}
	hit := false
	switch at := v.(type) {
	case map[string]any:
		for name, value := range at {
			if parts[0] == "*" || parts[0] == name {
				var one bool
				at[name], one = hide(value, parts[1:])
				hit = hit || one
			}
		}
	case []any:
		for i, value := range at {
			if parts[0] == "*" || parts[0] == strconv.Itoa(i) {
				var one bool
				at[i], one = hide(value, parts[1:])
				hit = hit || one
			}
		}
	}
	return v, hit
}
