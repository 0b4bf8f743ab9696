package definition

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// known reports keys that an object may not have, and whether n is an object at all.
func (r *reader) known(n *node, path, what string, keys ...string) bool {
	if n.kind != objectKind {
		r.add(n.pos, path, "%s: want an object", n.kind)
		return false
	}
	for _, key := range n.keys {
		if !slices.Contains(keys, key.text) {
			r.add(key.pos, fieldPath(path, key.text), "%s has no %q%s", what, key.text, didYouMean(key.text, keys))
		}
	}
	return true
}

// text reads a string; empty if it is absent or no string.
func (r *reader) text(n *node, path, key string) string {
	v := n.get(key)
	if v == nil {
		return ""
	}
	if v.kind != stringKind {
		hint := ""
		if v.kind == numberKind || v.kind == boolKind {
			hint = "; put it in quotes"
		}
		r.add(v.pos, fieldPath(path, key), "%s: want text%s", v.kind, hint)
		return ""
	}
	return v.text
}

// required reads a string that must be there.
func (r *reader) required(n *node, path, key string) string {
	if n.get(key) == nil {
		r.missing(n, path, key)
	}
	return r.text(n, path, key)
}

func (r *reader) missing(n *node, path, key string) {
	r.addOnce(n.pos, fieldPath(path, key), "is missing")
}

// oneOf reads a string that is one of a few.
func (r *reader) oneOf(n *node, path, key, otherwise string, words ...string) string {
	s := r.text(n, path, key)
	if s == "" {
		if v := n.get(key); v != nil && v.kind == stringKind {
			r.add(v.pos, fieldPath(path, key), "is empty: want %s", alternatives(words))
		}
		return otherwise
	}
	if !slices.Contains(words, s) {
		r.add(n.get(key).pos, fieldPath(path, key), "%q: want %s%s", s, alternatives(words), didYouMean(s, words))
		return otherwise
	}
	return s
}

func alternatives(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// whole reads a whole number.
func (r *reader) whole(n *node, path, key string, otherwise int) int {
	v := n.get(key)
	if v == nil {
		return otherwise
	}
	if v.kind == numberKind {
		if i, err := strconv.ParseInt(v.text, 10, 32); err == nil {
			return int(i)
		}
		r.add(v.pos, fieldPath(path, key), "%s: want a whole number up to 2147483647", v.text)
		return otherwise
	}
	r.add(v.pos, fieldPath(path, key), "%s: want a whole number", v.kind)
	return otherwise
}

// number reads a number.
func (r *reader) number(n *node, path, key string, otherwise float64) float64 {
	v := n.get(key)
	if v == nil {
		return otherwise
	}
	if v.kind == numberKind {
		if f, err := strconv.ParseFloat(v.text, 64); err == nil {
			return f
		}
		r.add(v.pos, fieldPath(path, key), "%s is too large a number", v.text)
		return otherwise
	}
	r.add(v.pos, fieldPath(path, key), "%s: want a number", v.kind)
	return otherwise
}

// duration reads a duration that is written as text with units, such as 1m30s or 30d.
func (r *reader) duration(n *node, path, key string, otherwise time.Duration) time.Duration {
	v := n.get(key)
	if v == nil {
		return otherwise
	}
	if v.kind != stringKind {
		shown := v.kind.String()
		if v.kind == numberKind {
			shown = v.text
		}
		r.add(v.pos, fieldPath(path, key), "%s: want text with a unit, such as 5s", shown)
		return otherwise
	}
	d, ok := parseDuration(v.text)
	if !ok {
		r.add(v.pos, fieldPath(path, key), "%q is no duration: want a number and a unit (ms, s, m, h, d), such as 5s or 1h30m", v.text)
		return otherwise
	}
	return d
}

// parseDuration is time.ParseDuration with whole days before the rest: 30d, 1d12h.
func parseDuration(s string) (time.Duration, bool) {
	const day = 24 * time.Hour
	days, rest, found := strings.Cut(s, "d")
	if !found {
		d, err := time.ParseDuration(s)
		return d, err == nil
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, false
	}
	if rest == "" {
		return time.Duration(n) * day, true
	}
	d, err := time.ParseDuration(rest)
	return time.Duration(n)*day + d, err == nil && rest[0] != '-' && rest[0] != '+' && d < day
}
