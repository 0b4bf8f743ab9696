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

// decode turns raw JSON into what CEL computes with.
func decode(raw json.RawMessage) any {
	if isNull(raw) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return types.NewErr("not JSON: %v", err)
	}
	return decodeNumbers(v)
}

func decodeNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			v[k] = decodeNumbers(item)
		}
	case []any:
		for i, item := range v {
			v[i] = decodeNumbers(item)
		}
	case json.Number:
		return decodeNumber(string(v))
	}
	return v
}

// decodeNumber gives an int where the value is whole and exact, else a double; an error as a value if it fits neither.
func decodeNumber(s string) any {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return types.NewErr("the number %s is too large to compute with", shorten(s))
	}
	const exact = 1 << 53
	if f == math.Trunc(f) && math.Abs(f) <= exact && strings.ContainsAny(s, ".eE") {
		return int64(f)
	}
	return f
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
