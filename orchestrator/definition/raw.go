package definition

import (
	"bytes"
	"encoding/json"
)

// element is one part of a path: a name, or an index.
type element struct {
	name  string
	index int // -1: a name
}

// lookup answers the raw JSON at a path, or nil where the path leads nowhere. Values are skipped, not decoded, so numbers stay as
// written. raw is JSON; if it is not, the answer is nil or a part of raw.
func lookup(raw []byte, path []element) []byte {
	raw = bytes.TrimSpace(raw)
	for _, e := range path {
		if e.index >= 0 {
			raw = elementAt(raw, e.index)
		} else {
			raw = memberOf(raw, e.name)
		}
		if raw == nil {
			return nil
		}
	}
	return raw
}

// memberOf answers the value of the last member of that name.
func memberOf(raw []byte, name string) []byte {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	var found []byte
	for i := skipSpace(raw, 1); i < len(raw) && raw[i] == '"'; {
		end := skipString(raw, i)
		match := sameKey(raw[i:end], name)
		i = skipSpace(raw, end)
		if i >= len(raw) || raw[i] != ':' {
			return nil
		}
		i = skipSpace(raw, i+1)
		end = skipValue(raw, i)
		if match {
			found = raw[i:end]
		}
		i = skipSpace(raw, end)
		if i >= len(raw) || raw[i] != ',' {
			break
		}
		i = skipSpace(raw, i+1)
	}
	return found
}

func elementAt(raw []byte, index int) []byte {
	if len(raw) == 0 || raw[0] != '[' {
		return nil
	}
	i := skipSpace(raw, 1)
	for n := 0; i < len(raw) && raw[i] != ']'; n++ {
		end := skipValue(raw, i)
		if n == index {
			return raw[i:end]
		}
		i = skipSpace(raw, end)
		if i >= len(raw) || raw[i] != ',' {
			return nil
		}
		i = skipSpace(raw, i+1)
	}
	return nil
}

// sameKey reports whether a JSON string, with its quotes, is the name.
func sameKey(quoted []byte, name string) bool {
	if len(quoted) < 2 {
		return false
	}
	inside := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inside, '\\') < 0 {
		return string(inside) == name
	}
	return unquote(quoted) == name
}

// unquote answers the text of a JSON string.
func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 && len(quoted) >= 2 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return ""
	}
	return s
}

func skipSpace(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\t' || raw[i] == '\r') {
		i++
	}
	return i
}

// skipString answers where the string that begins at i ends.
func skipString(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// skipValue answers where the value that begins at i ends.
func skipValue(raw []byte, i int) int {
	depth := 0
	for i < len(raw) {
		switch raw[i] {
		case '"':
			i = skipString(raw, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			for i < len(raw) && !delimiter(raw[i]) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return len(raw)
}

func delimiter(c byte) bool {
	switch c {
	case ',', ':', ']', '}', '{', '[', '"', ' ', '\n', '\t', '\r':
		return true
	}
	return false
}
