package orchestrator

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Fingerprint names the cause of a quarantined record: the same for records of one topic that were refused for the same reason
// with messages that differ only in what they quote, in ids, digests and numbers. It is 16 hexadecimal digits, and is stored:
// another way of making it would divide what belongs together.
func Fingerprint(reason, message, topic string) string {
	sum := sha256.Sum256([]byte(reason + "\x00" + normalised(message) + "\x00" + topic))
	return hex.EncodeToString(sum[:8])
}

// normalised leaves out of a message what differs from record to record.
func normalised(message string) string {
	var b strings.Builder
	for i := 0; i < len(message); {
		switch c := message[i]; {
		case c == '"':
			i = quoteEnd(message, i)
			b.WriteString(`""`)
		case isWord(c):
			end := i + 1
			for end < len(message) && (isWord(message[end]) || message[end] == '-') {
				end++
			}
			b.WriteString(normalWord(message[i:end]))
			i = end
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// quoteEnd is behind the closing quote, or the end of the text where there is none.
func quoteEnd(s string, open int) int {
	for i := open + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

// normalWord is "#" for ids, digests and numbers, else the word with its digits left out.
func normalWord(w string) string {
	digits, hexes := 0, 0
	for i := range len(w) {
		switch c := w[i]; {
		case c >= '0' && c <= '9':
			digits++
			hexes++
		case c >= 'a' && c <= 'f', c >= 'A' && c <= 'F', c == '-':
			hexes++
		}
	}
	switch {
	case digits == 0:
		return w
	case hexes == len(w):
		return "#"
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '#'
		}
		return r
	}, w)
}
