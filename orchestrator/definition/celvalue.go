package definition

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/skaldhq/skald/orchestrator/saga"
)

var errTooLarge = fmt.Errorf("the value is larger than %d bytes", saga.MaxInstanceBytes)

// decode turns raw JSON into what CEL computes with: wholly, because CEL sizes a value each time it meets it, and keeps the size only
// of values that are its own.
func decode(raw json.RawMessage) ref.Val {
	raw = bytes.TrimSpace(raw)
	if isNull(raw) {
		return types.NullValue
	}
	switch raw[0] { // without the decoder, which costs more than all the rest
	case 't':
		return types.True
	case 'f':
		return types.False
	case '"':
		return types.String(unquote(raw))
	case '{', '[':
	default:
		return decodeNumber(string(raw))
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return types.NewErr("not JSON: %v", err)
	}
	return celValue(v)
}

// decodeNeeded decodes of an object only the members that are needed.
func decodeNeeded(raw json.RawMessage, what need) ref.Val {
	raw = bytes.TrimSpace(raw)
	if what.whole || len(raw) == 0 || raw[0] != '{' {
		return decode(raw)
	}
	m := make(map[ref.Val]ref.Val, len(what.fields))
	for _, field := range what.fields {
		if member := memberOf(raw, field); member != nil {
			m[types.String(field)] = decode(member)
		}
	}
	return types.NewRefValMap(types.DefaultTypeAdapter, m)
}

func celValue(v any) ref.Val {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[ref.Val]ref.Val, len(v))
		for k, item := range v {
			m[types.String(k)] = celValue(item)
		}
		return types.NewRefValMap(types.DefaultTypeAdapter, m)
	case []any:
		list := make([]ref.Val, len(v))
		for i, item := range v {
			list[i] = celValue(item)
		}
		return types.NewRefValList(types.DefaultTypeAdapter, list)
	case json.Number:
		return decodeNumber(string(v))
	case string:
		return types.String(v)
	case bool:
		return types.Bool(v)
	}
	return types.NullValue
}

// decodeNumber gives an int where the value is whole and exact, else a double; an error as a value if it fits neither.
func decodeNumber(s string) ref.Val {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return types.Int(i)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return types.NewErr("the number %s is too large to compute with", shorten(s))
	}
	const exact = 1 << 53
	if f == math.Trunc(f) && math.Abs(f) <= exact && strings.ContainsAny(s, ".eE") {
		return types.Int(f)
	}
	return types.Double(f)
}

func shorten(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// appendValue writes what CEL gave as JSON.
func appendValue(out []byte, v ref.Val) ([]byte, error) {
	if len(out) > saga.MaxInstanceBytes {
		return nil, errTooLarge
	}
	switch v := v.(type) {
	case types.Null:
		return append(out, "null"...), nil
	case types.Bool:
		return strconv.AppendBool(out, bool(v)), nil
	case types.Int:
		return strconv.AppendInt(out, int64(v), 10), nil
	case types.Uint:
		return strconv.AppendUint(out, uint64(v), 10), nil
	case types.Double:
		b, err := json.Marshal(float64(v))
		if err != nil {
			return nil, fmt.Errorf("%v has no JSON form", float64(v))
		}
		return append(out, b...), nil
	case types.String:
		return appendString(out, string(v)), nil
	case types.Timestamp, types.Duration:
		return appendValue(out, v.ConvertToType(types.StringType))
	case *types.Optional:
		if v.HasValue() {
			return appendValue(out, v.GetValue())
		}
		return append(out, "null"...), nil
	case *types.Err:
		return nil, v
	case traits.Lister:
		return appendList(out, v)
	case traits.Mapper:
		return appendMap(out, v)
	}
	return nil, fmt.Errorf("a value of the type %s has no JSON form", v.Type().TypeName())
}

func appendList(out []byte, list traits.Lister) ([]byte, error) {
	out = append(out, '[')
	first := true
	for it := list.Iterator(); it.HasNext() == types.True; first = false {
		if !first {
			out = append(out, ',')
		}
		var err error
		if out, err = appendValue(out, it.Next()); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func appendMap(out []byte, m traits.Mapper) ([]byte, error) {
	out = append(out, '{')
	for i, key := range sortedKeys(m) {
		name, ok := key.(types.String)
		if !ok {
			return nil, errors.New("an object's keys are text")
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, string(name)), ':')
		value, _ := m.Find(key)
		var err error
		if out, err = appendValue(out, value); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}
